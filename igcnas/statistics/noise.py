"""How far a measured accuracy may be off: one model, for every error bar and difference that is shown of a study.

Convention: accuracies are in percent, each measured on the same `images` validation images. Two errors are told apart:

- of the seed: what trainings of one network differ by. It is estimated once for the whole study, from every network
  that was trained several times, on the arcsine scale, on which it depends least on the accuracy (Anscombe 1948). Its
  degrees of freedom are the repeats. A network trained once, twice or five times stands on the same footing: the
  spread of two values of its own says next to nothing, and two equal ones do not mean that there is none. Of values
  that agree the variance counts as that of rounding to one image, 1/12 of a step squared, at the least.
- of the images: binomial. Further seeds do not lower it, because all are judged on the same images.

The error of a mean over n seeds, as an accuracy on new images, is both together: sqrt(images^2 + seed^2 / n). A part of
what seeds differ by is in the binomial error already (single answers that flip), so this is too large rather than too
small, by sqrt(2) at the most where seeds only flip answers. While nothing was repeated the seed's part is unknown, and
the binomial error stands alone: that of one accuracy as a whole, if seeds do no more than flip answers.

A balanced accuracy is the mean over C classes of the share p of their n images that is right; its binomial variance is
the sum over classes of p (1 - p) / n, over C^2. Where one accuracy is asked about whose counts are known, that is what
`balanced_standard_error` gives, exactly. Everything that compares the accuracies of a study (racing, this module, the
score of a network) takes a balanced accuracy for a plain one on C^2 / (sum of 1 / n) images, `effective_images`: the
same where all classes are of one size, or all have one share; an approximation where shares differ between classes.

The error of a difference is that of two such accuracies that have nothing in common. Networks of one study share the
images, which makes their difference surer than that, by an amount that accuracies alone do not tell: the interval is
too wide rather than too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from igcnas.statistics.intervals import Difference, mean, t_below, t_quantile
from igcnas.units import counted


def standard_error(accuracy_percent: float, images: int) -> float:
    """Binomial standard error, in percent, of an accuracy measured on so many images.

    All right or all wrong count as half an image less, because no number of images makes an accuracy certain.
    """
    share = min(max(accuracy_percent / 100.0, 0.5 / images), 1 - 0.5 / images)
    return 100.0 * math.sqrt(share * (1.0 - share) / images)


def effective_images(class_images: Sequence[int]) -> int:
    """On so many images a plain accuracy is as unsure as a balanced one on these, if each class is as hard as others.

    C^2 / (sum of 1 / n) over the C classes that have images, rounded to a whole image.

    >>> effective_images([50, 50]), effective_images([90, 10]), effective_images([7, 0])
    (100, 36, 7)
    """
    present = [images for images in class_images if images]
    return max(1, round(len(present) ** 2 / math.fsum(1 / images for images in present))) if present else 1


def balanced_standard_error(class_images: Sequence[int], class_right: Sequence[int]) -> float:
    """Binomial standard error, in percent, of the balanced accuracy of these counts.

    A class that is all right or all wrong counts as half an image less, as in `standard_error`.
    """
    errors = [
        standard_error(100.0 * right / images, images)
        for images, right in zip(class_images, class_right, strict=True)
        if images
    ]
    return math.hypot(*errors) / len(errors)


def arcsine(accuracy_percent: float, images: int) -> float:
    """To the scale of equal errors, with Anscombe's 3/8: 100 % stays away from the end."""
    return math.asin(math.sqrt((accuracy_percent / 100 * images + 0.375) / (images + 0.75)))


def seed_words(sd: float, degrees: int) -> str:
    """How the spread of a seed is said, with what it was told by."""
    if not degrees:
        return f"nothing was trained twice; reruns are taken to vary by the binomial error, sd {sd:.2f}"
    return (
        f"reruns with another seed vary by sd {sd:.2f} (pooled over repeats, {counted(degrees, 'degree')} of freedom)"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """images: those that validated each training. seed: sd of a training on the arcsine scale, of `degrees` degrees of
    freedom, pooled over `networks` with repeats; both 0 where no network has any. balanced_over: where accuracies are
    balanced ones, the validation images; `images` are then the effective ones. Else 0.
    """

    images: int
    seed: float = 0.0
    degrees: int = 0
    networks: int = 0
    balanced_over: int = 0

    @staticmethod
    def of(accuracies: Iterable[Sequence[float]], images: int, *, balanced_over: int = 0) -> Noise:
        """Of a study, from the accuracies of each of its networks."""
        squares, degrees, networks = [], 0, 0
        for values in accuracies:
            if len(values) < 2:
                continue
            scaled = [arcsine(value, images) for value in values]
            centre = mean(scaled)
            step = 100.0 / images / _slope(mean(values), images)
            own = math.fsum((value - centre) ** 2 for value in scaled)
            squares.append(max(own, (len(values) - 1) * step**2 / 12))
            degrees += len(values) - 1
            networks += 1
        seed = math.sqrt(math.fsum(squares) / degrees) if degrees else 0.0
        return Noise(images=images, seed=seed, degrees=degrees, networks=networks, balanced_over=balanced_over)

    def seed_sd(self, accuracy: float) -> float | None:
        """What one training differs by from the next at this accuracy, in points (sd); None where nothing tells."""
        return _slope(accuracy, self.images) * self.seed if self.degrees else None

    def error(self, accuracy: float, n: int = 1) -> float:
        """Standard error of the mean over n seeds as an accuracy on new images, in points."""
        return math.hypot(standard_error(accuracy, self.images), self._of_seeds(accuracy, n))

    def difference(self, first: Sequence[float], second: Sequence[float], other: Noise | None = None) -> Difference:
        """The mean of the first trainings minus that of the second, its 95 % interval and p value.

        The second are of a study with the noise `other`, else of this one. Degrees of freedom by Satterthwaite 1946.
        """
        other = other or self
        one, two = mean(first), mean(second)
        error = math.hypot(self.error(one, len(first)), other.error(two, len(second)))
        parts = [(self._of_seeds(one, len(first)) ** 2, self.degrees)]
        if other is self:
            parts[0] = (parts[0][0] + self._of_seeds(two, len(second)) ** 2, self.degrees)
        else:
            parts.append((other._of_seeds(two, len(second)) ** 2, other.degrees))
        unsure = math.fsum((part / error**2) ** 2 / degrees for part, degrees in parts if degrees)
        freedom = 1 / unsure if unsure else math.inf
        half = t_quantile(freedom, 0.975) * error
        p = min(1.0, 2 * t_below(freedom, -abs(one - two) / error))
        return Difference(difference=one - two, low=one - two - half, high=one - two + half, p=p)

    def words(self) -> str:
        """What an error of this study is made of, for a note beside it."""
        images = f"the binomial error of {self.images:,} images"
        if self.balanced_over:
            images += (
                f" (as unsure as that is the balanced accuracy on the {self.balanced_over:,} validation images, taking "
                "classes for equally hard)"
            )
        if not self.degrees:
            return f"{images} alone, because no network was trained twice: what seeds add is not known"
        return (
            f"{images} and the spread of a seed divided by sqrt(n), both together; that spread is pooled over "
            f"{counted(self.networks, 'network')} with repeats, with {counted(self.degrees, 'degree')} of freedom"
        )

    def _of_seeds(self, accuracy: float, n: int) -> float:
        return (self.seed_sd(accuracy) or 0.0) / math.sqrt(n)


def _slope(accuracy: float, images: int) -> float:
    """Points of accuracy for one unit of the arcsine scale."""
    return 2 * math.sqrt(images) * standard_error(accuracy, images)
