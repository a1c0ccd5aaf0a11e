"""The learning rate at each step, as a multiple of the recipe's; no torch."""

from __future__ import annotations

import math

from igcnas.recipes import Schedule


def rate_factor(schedule: Schedule, step: int, *, steps_per_epoch: int, epochs: int) -> float:
    """Multiple of the learning rate at this step of all, counted from 0.

    Milestones fall on the nearest epoch. During warm-up the rate rises linearly to its full value, whatever the kind.
    """
    total = epochs * steps_per_epoch
    warm = 0 if schedule.warmup is None else max(1, round(schedule.warmup * total))
    if step < warm:
        return (step + 1) / warm
    epoch = step // steps_per_epoch
    if schedule.kind == "cosine":
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))
    if schedule.kind == "cosine-epoch":
        return 0.5 * (1 + math.cos(math.pi * epoch / epochs))
    if schedule.kind == "exponential":
        return schedule.factor**epoch
    return schedule.factor ** sum(epoch >= round(share * epochs) for share in schedule.milestones)
