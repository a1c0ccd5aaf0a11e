"""What is said of a network's cost: every limit of the budget, then what the study compares at."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from igcnas.network.budget import Budget
from igcnas.search.costs import Costs
from igcnas.search.objective import objective_named

PLANNED = {"macs": 90_000, "params": 1_500}
TRAINED = {"macs": 80_000, "params": 1_234}
NETWORK = SimpleNamespace(
    planned=PLANNED.__getitem__,
    used=TRAINED.__getitem__,
    macs=90_000,
    final_macs=80_000,
    params=1_500,
    final_params=1_234,
    latency_ms=None,
)


@pytest.mark.parametrize(
    ("limits", "objective", "trained", "planned"),
    [
        ({"macs": 10**6}, "front", "0.08 MFLOPs", "0.09 MFLOPs"),
        ({"macs": 10**6}, "accuracy,params", "0.08 MFLOPs, 1.23 k params", "0.09 MFLOPs, 1.5 k params"),
        ({"params": 9_000}, "accuracy,params", "1.23 k params", "1.5 k params"),
        ({"params": 9_000}, "front", "1.23 k params, 0.08 MFLOPs", "1.5 k params, 0.09 MFLOPs"),
        ({"macs": 10**6}, "accuracy,latency", "0.08 MFLOPs, - ms", "0.09 MFLOPs"),
    ],
)
def test_every_limit_is_said_and_what_is_compared_unless_a_limit_says_it(
    limits: dict[str, int], objective: str, trained: str, planned: str
) -> None:
    costs = Costs(Budget(limits), objective_named(objective))
    assert costs.words(NETWORK) == trained  # type: ignore[arg-type]
    assert costs.planned_words(NETWORK) == planned  # type: ignore[arg-type]
