"""Search for the best small network under a budget: `python run_search.py --budget-mflops 0.2`.

Run again, it goes on where it stopped. The same as `igcnas search`.
"""

import sys

from igcnas.cli import run

if __name__ == "__main__":
    run(["search", *sys.argv[1:]], prog="run_search.py")
