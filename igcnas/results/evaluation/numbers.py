"""What follows from the answers of a network: which classes it confuses, how sure it is, and whether rightly so.

Convention: accuracies, precision, recall and shares lie in [0, 1], intervals are 95 % of Wilson. A precision or
recall of no images is None. confusion[i][j]: images of class i that were answered j.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from igcnas.results.evaluation.answers import Answers
from igcnas.results.evaluation.temperature import log_shares, negative_log_likelihood
from igcnas.statistics.intervals import Interval, wilson_interval
from igcnas.system import bounds

BINS = 10
TOPS = (1, 2, 3, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of so many. value: None of none."""

    right: bounds.Count
    images: bounds.Count

    @property
    def value(self) -> float | None:
        """The part."""
        return self.right / self.images if self.images else None

    @property
    def interval(self) -> Interval | None:
        """Of the probability behind it."""
        return wilson_interval(self.right, self.images) if self.images else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """How often the label is among the first k answers."""

    k: bounds.Positive
    share: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """One class. recall: of its images, those that were answered so; precision: of such answers, those that are right.

    confused: the class that its images were most often mistaken for, and how often; None where none was.
    """

    name: str
    precision: Share
    recall: Share
    confused: tuple[str, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Images whose share of the answer lies in (low, high]: their mean share, and how many were right."""

    low: float
    high: float
    images: bounds.Count
    share: bounds.UpToOne
    right: bounds.Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Whether shares can be taken for probabilities at this temperature.

    error: the expected calibration error, the mean over the images of |share - accuracy| of their bin. likelihood: the
    mean negative log-likelihood, in nats.
    """

    temperature: bounds.AboveZero
    error: bounds.UpToOne
    likelihood: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A network on one split.

    tops: for k from 1 on. balanced: mean recall of the classes that have images.
    largest: the name of the largest class, and its share: the accuracy of always answering it. calibration: as the
    network is, and where a temperature is known with it.
    """

    split: str
    images: bounds.Positive
    classes: tuple[str, ...]
    tops: tuple[Top, ...]
    balanced: bounds.UpToOne
    largest: tuple[str, Share]
    confusion: tuple[tuple[bounds.Count, ...], ...]
    scores: tuple[ClassScores, ...]
    calibration: tuple[Calibration, ...]

    @property
    def accuracy(self) -> Share:
        """How often the first answer is right."""
        return self.tops[0].share


def evaluated(answers: Answers, classes: Sequence[str], *, split: str, temperature: float | None = None) -> Evaluation:
    """All numbers. temperature: one that was fitted on other images than these, or on these where that is said."""
    logits, labels = answers.logits, answers.labels
    count = len(classes)
    order = np.argsort(-logits, axis=1, kind="stable")
    chosen = order[:, 0]
    confusion = np.zeros((count, count), dtype=np.int64)
    np.add.at(confusion, (labels, chosen), 1)
    sizes = confusion.sum(1)
    largest = int(sizes.argmax())
    tops = tuple(
        Top(k=k, share=Share(right=int((order[:, :k] == labels[:, None]).any(1).sum()), images=len(labels)))
        for k in TOPS
        if k == 1 or k < count
    )
    present = sizes > 0
    return Evaluation(
        split=split,
        images=len(labels),
        classes=tuple(classes),
        tops=tops,
        balanced=float((np.diag(confusion)[present] / sizes[present]).mean()),
        largest=(classes[largest], Share(right=int(sizes[largest]), images=len(labels))),
        confusion=tuple(tuple(map(int, row)) for row in confusion),
        scores=tuple(_class(confusion, k, classes) for k in range(count)),
        calibration=tuple(calibrated(logits, labels, value) for value in dict.fromkeys((1.0, temperature or 1.0))),
    )


def calibrated(logits: NDArray[np.float64], labels: NDArray[np.int64], temperature: float = 1.0) -> Calibration:
    """The reliability of the shares of the answers, in bins of equal width."""
    shares = np.exp(log_shares(logits, temperature))
    surest, right = shares.max(1), shares.argmax(1) == labels
    places = np.clip(np.ceil(surest * BINS).astype(int) - 1, 0, BINS - 1)
    bins = []
    for place in range(BINS):
        inside = places == place
        images = int(inside.sum())
        bins.append(
            Bin(
                low=place / BINS,
                high=(place + 1) / BINS,
                images=images,
                share=float(surest[inside].mean()) if images else 0.0,
                right=int(right[inside].sum()),
            )
        )
    error = sum(abs(one.share * one.images - one.right) for one in bins) / len(labels)
    return Calibration(
        temperature=temperature,
        error=float(error),
        likelihood=negative_log_likelihood(logits, labels, temperature),
        bins=tuple(bins),
    )


def _class(confusion: NDArray[np.int64], k: int, classes: Sequence[str]) -> ClassScores:
    right = int(confusion[k, k])
    others = confusion[k].copy()
    others[k] = 0
    worst = int(others.argmax())
    return ClassScores(
        name=classes[k],
        precision=Share(right=right, images=int(confusion[:, k].sum())),
        recall=Share(right=right, images=int(confusion[k].sum())),
        confused=(classes[worst], int(others[worst])) if others[worst] else None,
    )
