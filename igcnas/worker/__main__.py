"""python -m igcnas.worker N: serve jobs from the connection that was inherited as descriptor N."""

import sys

from igcnas.worker.process import main

if __name__ == "__main__":
    main(int(sys.argv[1]))
