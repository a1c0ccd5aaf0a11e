"""`python -m igcnas`, and the command `igcnas`."""

from typing import NoReturn

from igcnas.cli import main
from igcnas.system.program import leave


def run() -> NoReturn:
    """Run the command line of this process, and end it."""
    leave(main())


if __name__ == "__main__":
    run()
