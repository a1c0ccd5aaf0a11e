"""The benchmark of learned groupings compares what it says: same structure, same MACs, paired seeds."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks import learned_grouping
from benchmarks.twins import FROZEN, KINDS, Kind, Variant
from igcnas.cost import count
from igcnas.grouping import DENSE

BUDGET = 200_000
ROWS = [(kind, variant) for kind in KINDS.values() for variant in kind.variants]


@pytest.mark.parametrize(("kind", "variant"), ROWS, ids=[f"{kind.name}: {row.name}" for kind, row in ROWS])
def test_a_variant_plans_what_its_twin_costs_unless_it_says_otherwise(kind: Kind, variant: Variant) -> None:
    twin = count(learned_grouping.architecture(kind, kind.twin, BUDGET)).macs
    macs = count(learned_grouping.architecture(kind, variant, BUDGET)).macs
    assert 0.8 * BUDGET < twin <= BUDGET
    if variant.grouping(4) != DENSE:
        saved = 0.01 * twin if variant.condense_classifier > 1 else 0
        assert twin - saved <= macs <= twin
    elif variant.refit:
        assert 0.7 * BUDGET < macs <= BUDGET
    else:
        assert macs > 1.2 * twin


def test_one_training_reports_its_accuracy_its_macs_and_that_lowering_is_exact() -> None:
    kind = KINDS["dgconv"]
    index = 1 + [variant.rules for variant in kind.variants].index(FROZEN)
    run = learned_grouping.run_one("dgconv", index, 3, 1, BUDGET)
    assert run["seed"] == 3
    assert 5.0 < run["val_accuracy"] <= 100.0
    assert run["measured_macs"] == count(learned_grouping.architecture(kind, kind.twin, BUDGET)).macs
    assert run["lowered_difference"] < 1e-4


def test_the_table_shows_differences_of_the_same_seeds_and_excess() -> None:
    kind = dataclasses.replace(KINDS["dgconv"], variants=KINDS["dgconv"].variants[:1])
    planned = count(learned_grouping.architecture(kind, kind.twin, BUDGET)).macs

    def runs(accuracies: list[float], macs: int) -> list[dict[str, float]]:
        extra = {"seconds": 1.0, "lowered_difference": 1e-6, "measured_macs": macs}
        return [{"seed": seed, "val_accuracy": accuracy, **extra} for seed, accuracy in enumerate(accuracies)]

    done = [runs([90.0, 92.0, 94.0], planned), runs([91.0, 93.0, 96.5], planned + 1)]
    rows = list(learned_grouping.summary(kind, done, BUDGET))
    assert rows[1]["to_twin"] == pytest.approx(1.5)
    assert rows[1]["to_twin_half_interval"] == pytest.approx(4.3027 * 0.8660 / 3**0.5, rel=1e-3)
    assert [row["over_plan"] for row in rows] == [0, 3]
    text = learned_grouping.table(rows)
    assert "| twin |" in text
    assert "+1.50 +- 2.15" in text
