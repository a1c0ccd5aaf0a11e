"""`python -m igcnas`."""

import sys

from igcnas.cli import main

if __name__ == "__main__":
    sys.exit(main())
