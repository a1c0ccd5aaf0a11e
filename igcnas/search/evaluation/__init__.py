"""The controller's side of training: networks at once, each in a worker process, replaced when it dies or hangs.

seam: what a search needs of whoever trains. pool: that in processes. place: one slot of it. child: one process. slots:
how many, and where. spare: processes that wait to be set up. gpus: what is known of GPUs. waiting: who is next. mps:
how workers share a GPU.
"""

from igcnas.search.evaluation.pool import ProcessEvaluator
from igcnas.search.evaluation.seam import Evaluate, Evaluator, Interrupted, InTurn, OnEpoch, Outcome, Told
from igcnas.search.evaluation.slots import Slot, affordable, fitting, slots_for
from igcnas.search.evaluation.spare import Spares

__all__ = [
    "Evaluate",
    "Evaluator",
    "InTurn",
    "Interrupted",
    "OnEpoch",
    "Outcome",
    "ProcessEvaluator",
    "Slot",
    "Spares",
    "Told",
    "affordable",
    "fitting",
    "slots_for",
]
