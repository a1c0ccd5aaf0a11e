"""Settings that cannot work, refused before anything is trained; and the range of MACs that a search covers."""

from __future__ import annotations

from dataclasses import dataclass

from igcnas.errors import BudgetError, IgcnasError, unknown_name
from igcnas.network.cost import count
from igcnas.search.proposals import resolve_sampler
from igcnas.search.proposals.samplers import sampler_named
from igcnas.search.space import SearchSpace
from igcnas.search.study import PRUNERS, StudySettings
from igcnas.units import counted

# A front is searched between this share of the budget and the budget.
_LOWEST_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the budget means in a space: the cheapest and the most expensive network, in MACs."""

    smallest: int
    largest: int

    def lowest_target(self, budget_macs: int) -> int:
        """Where the front begins: a tenth of the budget, or the smallest network of the space."""
        return max(self.smallest, int(budget_macs * _LOWEST_SHARE))


def check_budget(space: SearchSpace, settings: StudySettings) -> Limits:
    """Refuse a budget below the smallest network of the space."""
    shape, classes = settings.data.input_shape, len(settings.data.classes)
    limits = Limits(
        smallest=count(space.smallest(shape, classes)).macs,
        largest=count(space.largest(shape, classes)).macs,
    )
    if settings.budget_macs < limits.smallest:
        raise BudgetError(
            f"budget {settings.budget_macs / 1e6:.12g} MFLOPs is below the smallest network of space {space.name!r} "
            f"for {shape[0]}x{shape[1]}x{shape[2]} images, {limits.smallest / 1e6:.12g} MFLOPs; raise --budget-mflops "
            "or take another --space"
        )
    return limits


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
    if settings.objective == "accuracy,latency":
        raise IgcnasError(
            "--pruner halving needs the cost before the training, and latency is measured after it; "
            "use --pruner none with --objective accuracy,latency"
        )
    if settings.spread and sampler_named(sampler).chooses_target:
        raise IgcnasError(
            f"--pruner halving does not go with --sampler {sampler}, which learns from full trainings only; "
            "use --pruner none, or --sampler tpe"
        )
