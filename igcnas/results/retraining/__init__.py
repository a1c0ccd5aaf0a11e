"""Finalists of a study trained again, from scratch, with several seeds, and judged on the test split.

plan.py        which networks, how, how often: fixed before anything is trained
execution.py   the trainings, a campaign: one file each; killed anywhere, they go on
table.py       what the results say, and what they do not
report.py      the same as text, Markdown, CSV and plain data
figure.py      the same as a picture
"""

from igcnas.results.retraining.execution import FinalistTraining, retraining
from igcnas.results.retraining.plan import Finalist, RetrainSettings, choose_finalists, guard
from igcnas.results.retraining.table import Comparison, Result, RetrainResults, Row, tabulate

__all__ = [
    "Comparison",
    "Finalist",
    "FinalistTraining",
    "Result",
    "RetrainResults",
    "RetrainSettings",
    "Row",
    "choose_finalists",
    "guard",
    "retraining",
    "tabulate",
]
