"""Tables of IGC V3: the widest block for a budget, every block within it, and those of the published networks."""

from __future__ import annotations

from collections.abc import Iterator

from igcnas.errors import BudgetError

from .igcv3 import MOST_CHANNELS, PAPER_EXPANSION, Question, counted, pairs_of_groups, widest
from .lattice import Row

EXPANSIONS = (1, 2, 3, 4, 6, 8)
PUBLISHED_WIDTHS = (24, 32, 64, 96, 160)  # stages of expansion 6 in which a block keeps its width
PUBLISHED_GROUPS = {"MobileNetV2": (1, 1), "IGCV3-D": (2, 2), "IGCV3 (G2 = 4)": (2, 4)}


def optimum(question: Question, budget: int) -> Row:
    """The widest integer block beside the bound and the real optimum."""
    c, G1, G2 = widest(question, budget)
    cost, bound = counted(c, G1, G2, question), question.bound(budget)
    real = question.best_groups(bound)
    return {
        "budget": budget,
        "unit": question.unit,
        "S": question.S,
        "t": question.t,
        "least_paths": question.paths,
        "width": c,
        "hidden": question.t * c,
        "G1": G1,
        "G2": G2,
        "paths": question.t * c // (G1 * G2),
        "params": cost.params,
        "macs": cost.macs,
        "bound": bound,
        "percent_of_bound": 100 * c / bound,
        "real_G1": real[0],
        "real_G2": real[1],
    }


def lattice_rows(question: Question, budget: int) -> Iterator[Row]:
    """Every integer block within a budget that connects each pair often enough."""
    most, bound = int(question.bound(budget) * (1 + 1e-12)), question.bound(budget)
    if most > MOST_CHANNELS:
        raise BudgetError(
            f"a budget of {budget} is too large to list: up to {most:,} channels, at most {MOST_CHANNELS:,}"
        )
    for c in range(1, most + 1):
        for G1, G2 in pairs_of_groups(c, question):
            if question.cost(c, G1, G2) <= budget:
                cost = counted(c, G1, G2, question)
                yield {
                    "budget": budget,
                    "unit": question.unit,
                    "S": question.S,
                    "t": question.t,
                    "width": c,
                    "hidden": question.t * c,
                    "G1": G1,
                    "G2": G2,
                    "paths": question.t * c / (G1 * G2),
                    "params": cost.params,
                    "macs": cost.macs,
                    "percent_of_bound": 100 * c / bound,
                }


def published_rows() -> Iterator[Row]:
    """Blocks of the published networks: the bound with as many paths a pair as they have, and with one."""
    for network, (G1, G2) in PUBLISHED_GROUPS.items():
        for c in PUBLISHED_WIDTHS:
            own = PAPER_EXPANSION * c // (G1 * G2)
            params = counted(c, G1, G2, Question()).params
            bound, strict = Question(paths=own).bound(params), Question().bound(params)
            yield {
                "network": network,
                "c": c,
                "G1": G1,
                "G2": G2,
                "params": params,
                "paths": own,
                "bound_same_paths": bound,
                "percent_same_paths": 100 * c / bound,
                "bound_one_path": strict,
                "percent_one_path": 100 * c / strict,
            }
