"""What the tuning of a recipe found: numbers, the decision that follows from them, and both in words.

The recipe changes only where the challenger is better by more than chance: its mean advantage over the present recipe,
on the same networks with the same seeds, is above 1.64 standard errors (one side, 95 %). The standard error is that of
two accuracies on the validation images (binomial), or what the pairs themselves scatter by, whichever is larger.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta

from igcnas.statistics.intervals import deviation, mean
from igcnas.statistics.noise import standard_error
from igcnas.system import bounds
from igcnas.units import counted

PRESENT = "as it is"
_ERRORS = 1.6449  # one side, 95 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """share: of the study's expected training time that was to be spent. before: the training settings that the user
    asked for. tried: each recipe by its name with its accuracy in the first round, in percent, None where it diverged.
    challenger: the best of the others there. pairs: accuracies of (the present recipe, the challenger) in the second
    round, None where one diverged. images: of an accuracy's binomial error. epochs: trained in all.
    """

    share: Annotated[float, Meta(gt=0, le=1)]
    before: Mapping[str, Any]
    tried: tuple[tuple[str, bounds.Percent | None], ...]
    challenger: str
    pairs: tuple[tuple[bounds.Percent | None, bounds.Percent | None], ...]
    images: bounds.Positive
    epochs: bounds.Count
    measure: str = "accuracy"

    @property
    def chosen(self) -> str:
        """The name of the recipe that the study trains by."""
        if any(theirs is None for _, theirs in self.pairs):
            return PRESENT
        if any(mine is None for mine, _ in self.pairs):
            return self.challenger
        return self.challenger if self.gain > self.chance else PRESENT

    @property
    def gain(self) -> float:
        """Points by which the challenger is better, on average over the pairs in which neither diverged."""
        return mean(self._differences()) if self._differences() else 0.0

    @property
    def chance(self) -> float:
        """Points by which it would be better by chance at the most, in 95 of 100 cases."""
        whole = [(mine, theirs) for mine, theirs in self.pairs if mine is not None and theirs is not None]
        if not whole:
            return 0.0
        errors = [math.hypot(*(standard_error(value, self.images) for value in pair)) for pair in whole]
        seen = deviation(self._differences()) if len(whole) > 1 else 0.0
        return _ERRORS * max(mean(errors), seen) / math.sqrt(len(whole))

    def words(self) -> str:
        """What was chosen, and why, in a sentence."""
        if not self.pairs:
            return "the recipe stays as it is: every other one diverged at first"
        trainings = counted(len(self.pairs), "training")
        if self.chosen == PRESENT and any(theirs is None for _, theirs in self.pairs):
            return f"the recipe stays as it is: with {self.challenger}, the best of the others at first, one diverged"
        if any(mine is None for mine, _ in self.pairs):
            return f"{self.challenger}: by the recipe as it was one of {trainings} diverged"
        means = [mean([pair[place] or 0.0 for pair in self.pairs]) for place in (0, 1)]
        found = (
            f"{means[1]:.2f} % {self.measure} against {means[0]:.2f} %, the means of {trainings} each: "
            f"{self.gain:+.2f} points, of which up to {self.chance:.2f} may be chance (95 %)"
        )
        if self.chosen == PRESENT:
            return f"the recipe stays as it is: {self.challenger}, the best of the others at first, has {found}"
        return f"{self.challenger}: {found}"

    def tried_words(self) -> str:
        """The first round."""
        shown = [f"{name} {'diverged' if found is None else f'{found:.2f} %'}" for name, found in self.tried]
        return ", ".join(shown)

    def _differences(self) -> list[float]:
        return [theirs - mine for mine, theirs in self.pairs if mine is not None and theirs is not None]
