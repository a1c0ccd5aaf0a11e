"""What the tuning of a recipe found: numbers, the decision that follows from them, and both in words.

The recipe changes only where the challenger makes fewer errors by more than chance: the mean log of the errors of the
present recipe over its own, on the same networks with the same seeds, is above 1.64 standard errors (one side, 95 %).
Logs, as in the score of a network: a recipe saves a part of the errors, many where there are many. The standard error
is that of two accuracies on the validation images (binomial), or what the pairs scatter by, whichever is larger.
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
        """Log of the errors of the present recipe over those of the challenger, the mean over the whole pairs."""
        return mean(self._gains()) if self._whole else 0.0

    @property
    def chance(self) -> float:
        """What the gain would be by chance at the most, in 95 of 100 cases."""
        if not self._whole:
            return 0.0
        # Of the log of a share of errors: its binomial error over itself.
        squares = [
            sum((standard_error(one, self.images) / self._errors(one)) ** 2 for one in pair) for pair in self._whole
        ]
        seen = deviation(self._gains()) if len(self._whole) > 1 else 0.0
        return _ERRORS * max(math.sqrt(mean(squares)), seen) / math.sqrt(len(self._whole))

    def words(self) -> str:
        """What was chosen, and why, in a sentence."""
        if not self.pairs:
            return "the recipe stays as it is: every other one diverged at first"
        trainings = counted(len(self.pairs), "training")
        if self.chosen == PRESENT and any(theirs is None for _, theirs in self.pairs):
            return f"the recipe stays as it is: with {self.challenger}, the best of the others at first, one diverged"
        if any(mine is None for mine, _ in self.pairs):
            return f"{self.challenger}: by the recipe as it was one of {trainings} diverged"
        means = [mean([pair[place] for pair in self._whole]) for place in (0, 1)]
        found = (
            f"{means[1]:.2f} % {self.measure} against {means[0]:.2f} %, the means of {trainings} each, "
            f"{_fewer(self.gain)}, where chance alone may make {_fewer(self.chance)} (95 %)"
        )
        if self.chosen == PRESENT:
            return f"the recipe stays as it is: {self.challenger}, the best of the others at first, has {found}"
        return f"{self.challenger}: {found}"

    def tried_words(self) -> str:
        """The first round."""
        shown = [f"{name} {'diverged' if found is None else f'{found:.2f} %'}" for name, found in self.tried]
        return ", ".join(shown)

    @property
    def _whole(self) -> list[tuple[float, float]]:
        """The pairs in which neither diverged."""
        return [(mine, theirs) for mine, theirs in self.pairs if mine is not None and theirs is not None]

    def _gains(self) -> list[float]:
        return [math.log(self._errors(mine) / self._errors(theirs)) for mine, theirs in self._whole]

    def _errors(self, accuracy: float) -> float:
        """In percent; none counts as half an image."""
        return max(100.0 - accuracy, 50.0 / self.images)


def _fewer(gain: float) -> str:
    """A log of errors over errors in words."""
    share = 100 * (1 - math.exp(-gain)) if gain >= 0 else 100 * (math.exp(-gain) - 1)
    return f"{share:.0f} % {'fewer' if gain >= 0 else 'more'} errors"
