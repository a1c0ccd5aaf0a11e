"""Settings that cannot work, refused before anything is trained; and the range of costs that a search covers."""

from __future__ import annotations

from dataclasses import dataclass

from igcnas.errors import BudgetError, IgcnasError, unknown_name
from igcnas.network.plan import plan
from igcnas.search.proposals import resolve_sampler
from igcnas.search.proposals.samplers import sampler_named
from igcnas.search.settings import PRUNERS, StudySettings
from igcnas.search.space import SearchSpace
from igcnas.units import counted

# A front is searched between this share of the budget and the budget.
_LOWEST_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """What the first limit of the budget means in a space: the networks that use least and most of it.

    lowest_target: where the front begins, a tenth of the budget, or the smallest network of the space.
    """

    smallest: int
    largest: int
    lowest_target: int


def check_budget(space: SearchSpace, settings: StudySettings) -> Range:
    """Refuse a budget that no network of the space keeps."""
    shape, classes = settings.data.input_shape, len(settings.data.classes)
    budget = settings.budget
    narrowest = [plan(network) for network in space.narrowest(shape, classes)]
    for name, most in budget.limits.items():
        limit = budget.limit(name)
        least = min(map(limit.of, narrowest))
        if most < least:
            raise BudgetError(
                f"budget {limit.show_exactly(most)} is below the smallest network of space {space.name!r} "
                f"for {shape[0]}x{shape[1]}x{shape[2]} images, {limit.show_exactly(least)}; raise "
                f"{limit.argument('')[0]} or take another --space"
            )
    if not any(map(budget.keeps, narrowest)):
        raise BudgetError(
            f"no network of space {space.name!r} for {shape[0]}x{shape[1]}x{shape[2]} images keeps {budget.words()}, "
            "although each limit alone can be kept; raise one of them or take another --space"
        )
    first = budget.first
    smallest = min(map(first.of, narrowest))
    return Range(
        smallest=smallest,
        largest=first.of(plan(space.largest(shape, classes, first))),
        lowest_target=max(smallest, int(budget.most * _LOWEST_SHARE)),
    )


def check_pruner(settings: StudySettings) -> None:
    """Refuse pruning where it has nothing to compare by."""
    if settings.pruner not in PRUNERS:
        raise IgcnasError(unknown_name("pruner", settings.pruner, PRUNERS))
    sampler = resolve_sampler(settings.sampler)
    if settings.pruner == "none":
        if settings.min_epochs:
            raise IgcnasError(
                f"--min-epochs {settings.min_epochs} does nothing with --pruner none; add --pruner halving"
            )
        return
    if not 1 <= settings.min_epochs < settings.training.epochs:
        raise IgcnasError(
            f"--min-epochs {settings.min_epochs} must be at least 1 and below the "
            f"{counted(settings.training.epochs, 'epoch')} of "
            "a training"
        )
    if settings.compares.planned is None:
        raise IgcnasError(
            f"--pruner halving needs the cost before the training, and {settings.compares.axis.equal} is measured "
            f"after it; use --pruner none with --objective {settings.objective}"
        )
    if settings.compares.spread and sampler_named(sampler).chooses_target:
        raise IgcnasError(
            f"--pruner halving does not go with --sampler {sampler}, which learns from full trainings only; "
            "use --pruner none, or --sampler tpe"
        )
