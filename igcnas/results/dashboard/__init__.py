"""A study in optuna-dashboard, as it goes on, without a way to change it.

The dashboard reads the journal of the study; nothing that it does reaches the file. Notes, learning curves and
pictures are not stored anywhere: they are made from the records when they are asked for. storage: the study as the
dashboard sees it. notes: a network in words. pictures: figures, drawn on demand. server: on this machine alone, and
only to look.
"""

from igcnas.results.dashboard.server import Server

__all__ = ["Server"]
