"""Experiments whose results are quoted somewhere; each is a command, and its results are in benchmarks/results."""

import sys

from igcnas.system.program import prepare
from igcnas.system.streams import mended

prepare()  # each of them is a program
sys.stdout, sys.stderr = mended(sys.stdout), mended(sys.stderr)
