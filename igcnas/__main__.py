"""`python -m igcnas`."""

from igcnas.cli import run

if __name__ == "__main__":
    run()
