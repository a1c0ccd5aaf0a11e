"""The one reading of the test split: the weights of the search and those of each long training, on the same images.

Convention: accuracies in percent. `gain` is the first long training minus the training of the search, on the same
images; its 95 % interval is of these pairs, so that it holds for these two trainings and images like these. What
another seed would give, the standard deviation over seeds tells. Networks are handed over with their first seed, which
is chosen before the test split is read.

Where the study compares by balanced accuracy, so do these: the right answers of each class are kept, and the interval
takes a balanced accuracy for a plain one on the effective images, as everything does that compares networks of the
study (statistics/noise.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from igcnas.data.dataset import Split
from igcnas.errors import StudyError
from igcnas.network.architecture import Architecture
from igcnas.network.plan import plan
from igcnas.results.finishing.plan import FinishSettings, Member
from igcnas.results.finishing.training import FinalResult, FinalTraining
from igcnas.search.study import Study
from igcnas.statistics.intervals import deviation, mean, paired_shares_interval
from igcnas.statistics.noise import balanced_standard_error, effective_images, standard_error
from igcnas.system.files import read_back, write_text
from igcnas.system.reading import parse_json
from igcnas.training.preparing import set_epsilon
from igcnas.training.recipes import recipe_for
from igcnas.training.runs.weights import Checkpoint, loaded, read_state
from igcnas.training.settings import BALANCED
from igcnas.training.tensors import EVALUATION_BATCH

FILE = "test.json"
_AGAIN = "remove it, and the test split is read again"


@dataclass(frozen=True, slots=True, kw_only=True)
class ByClass:
    """Counts of each class, as `Finished` has them of all."""

    short_right: tuple[int, ...]
    right: tuple[tuple[int, ...] | None, ...]
    gained: tuple[int, ...]
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What one network came to.

    Attributes:
        member: its name.
        images: test images.
        short_right: of them the weights of the search answer rightly.
        right: the weights of each long training, by seed; None of one that failed.
        gained, lost: images that the first long training answers rightly and the search does not, and the reverse.
        class_images: test images of each class; () in files of before.
        by_class: the same counts for each class, where the study compares by balanced accuracy; None else, and then
            all accuracies here are plain ones.
    """

    member: str
    images: int
    short_right: int
    right: tuple[int | None, ...]
    gained: int
    lost: int
    class_images: tuple[int, ...] = ()
    by_class: ByClass | None = None

    @property
    def measure(self) -> str:
        """What its accuracies are: 'accuracy' or 'balanced accuracy'."""
        return "accuracy" if self.by_class is None else "balanced accuracy"

    @property
    def short(self) -> float:
        """Accuracy of the training of the search."""
        if self.by_class is not None:
            return self._balanced(self.by_class.short_right)
        return 100.0 * self.short_right / self.images

    @property
    def accuracies(self) -> list[float]:
        """Of the long trainings."""
        if self.by_class is not None:
            return [self._balanced(right) for right in self.by_class.right if right is not None]
        return self.plain_accuracies

    @property
    def plain_accuracies(self) -> list[float]:
        """Of the long trainings, every image counting the same."""
        return [100.0 * right / self.images for right in self.right if right is not None]

    @property
    def error(self) -> float:
        """Binomial standard error of the long training that is handed over, in points."""
        if self.by_class is None:
            return standard_error(self.first, self.images)
        right = next(one for one in self.by_class.right if one is not None)
        return balanced_standard_error(self.class_images, right)

    @property
    def first(self) -> float:
        """Of the long training that is handed over."""
        return self.accuracies[0]

    @property
    def mean(self) -> float:
        """Of the long trainings."""
        return mean(self.accuracies)

    @property
    def sd(self) -> float | None:
        """Standard deviation over seeds; None with one."""
        return deviation(self.accuracies) if len(self.accuracies) > 1 else None

    @property
    def gain(self) -> float:
        """In points, of the first long training."""
        return self.first - self.short

    @property
    def interval(self) -> tuple[float, float]:
        """Of the gain."""
        gained, lost, images = float(self.gained), float(self.lost), self.images
        if self.by_class is not None:
            images = effective_images(self.class_images)
            gained, lost = (
                self._balanced(counts) / 100.0 * images for counts in (self.by_class.gained, self.by_class.lost)
            )
            lost = min(lost, images - gained)  # where all images differ, rounding may go beyond them
        low, high = paired_shares_interval(gained, lost, images)
        return 100.0 * low, 100.0 * high

    def _balanced(self, counts: Sequence[int]) -> float:
        """Mean over the classes of the percent of their images that these are."""
        shares = [count / images for count, images in zip(counts, self.class_images, strict=True) if images]
        return 100.0 * mean(shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    tested: list[Finished] = field(default_factory=list)


def read_finished(folder: Path) -> list[Finished] | None:
    """What the reading gave; None where the test split was not read yet."""
    content = read_back(folder / FILE)
    if content is None:
        return None
    found = parse_json(content, _Written, where=str(folder / FILE), advice=_AGAIN).tested
    if not all(_fits(one) for one in found):
        raise StudyError(f"{folder / FILE} is damaged: its counts of classes do not add up; {_AGAIN}")
    return found


def _fits(found: Finished) -> bool:
    """Whether the counts of the classes add up to those of all images."""
    by, images = found.by_class, found.class_images
    if by is None:
        return not images or sum(images) == found.images
    rows = [by.short_right, by.gained, by.lost, *(one for one in by.right if one is not None)]
    totals = [found.short_right, found.gained, found.lost, *(one for one in found.right if one is not None)]
    return (
        sum(images) == found.images
        and [one is None for one in by.right] == [one is None for one in found.right]
        and [sum(row) for row in rows] == totals
        and all(len(row) == len(images) for row in rows)
        and all(0 <= count <= most for row in rows for count, most in zip(row, images, strict=True))
    )


def measured(
    study: Study, folder: Path, settings: FinishSettings, results: Mapping[str, Sequence[FinalResult]]
) -> list[Finished]:
    """All networks that were asked for on the test split; from the file where it was read before.

    Args:
        study: they are of.
        folder: of the finish.
        settings: of the finish.
        results: the trainings of each member, by its name, in the order of the seeds.

    Raises:
        StudyError: no training of some network succeeded.
    """
    found = read_finished(folder)
    if found is not None:
        return found
    split = study.data.load_test()
    found = [_measured(study, folder, settings, member, results[member.name], split) for member in settings.asked]
    write_text(folder / FILE, json.dumps({"tested": [asdict(one) for one in found]}, indent=2) + "\n")
    return found


def first_good(member: Member, results: Sequence[FinalResult]) -> int:
    """The first seed whose training gave a network; StudyError where none did."""
    for result in results:
        if result.failed is None:
            return result.repeat
    raise StudyError(
        f"no long training of {member.name} gave a network: {results[0].failed}; try another --recipe with --name NAME"
    )


def _measured(
    study: Study, folder: Path, settings: FinishSettings, member: Member, results: Sequence[FinalResult], split: Split
) -> Finished:
    first = first_good(member, results)
    answers: list[np.ndarray | None] = []
    checkpoint = None
    for result in results:
        if result.failed is not None:
            answers.append(None)
            continue
        training = FinalTraining.of(folder, settings, member, result.repeat)
        checkpoint = Checkpoint.read(training.weights)
        answers.append(_right(checkpoint.architecture, checkpoint, split))
    assert checkpoint is not None, "first_good found one"
    short = _right(member.architecture, _of_the_search(study, member), split)
    handed_over = answers[first]
    assert handed_over is not None

    def counts(chosen: np.ndarray) -> tuple[int, ...]:
        """Images of each class among those chosen."""
        return tuple(np.bincount(split.labels[chosen], minlength=study.data.num_classes).tolist())

    gained, lost = handed_over & ~short, short & ~handed_over
    by_class = None
    if settings.training.metric == BALANCED:
        by_class = ByClass(
            short_right=counts(short),
            right=tuple(None if right is None else counts(right) for right in answers),
            gained=counts(gained),
            lost=counts(lost),
        )
    return Finished(
        member=member.name,
        images=len(split.labels),
        short_right=int(short.sum()),
        right=tuple(None if right is None else int(right.sum()) for right in answers),
        gained=int(gained.sum()),
        lost=int(lost.sum()),
        class_images=counts(np.ones(len(split.labels), dtype=bool)),
        by_class=by_class,
    )


def _of_the_search(study: Study, member: Member) -> Checkpoint:
    """The network as its first training in the search left it."""
    from igcnas.training.tensors import TrainingData

    data = TrainingData.of(study.data, study.settings.training, torch.device("cpu"))
    record = study.trained_record(member.number)
    return Checkpoint(
        architecture=member.architecture,
        state=read_state(study.weights_of(record)),
        mean=tuple(data.mean.tolist()),
        std=tuple(data.std.tolist()),
        classes=study.data.classes,
        epoch=record.epochs,
        data={},
        epsilon=recipe_for(study.settings.training).norm.epsilon,
    )


@torch.inference_mode()
def _right(architecture: Architecture, checkpoint: Checkpoint, split: Split) -> np.ndarray:
    """Of each test image, whether the first answer is its label: bool (n,)."""
    network: nn.Module = loaded(plan(architecture), checkpoint.state, where="a finished network")
    set_epsilon(network, checkpoint.epsilon)
    mean_C, std_C = (torch.tensor(values)[:, None, None] for values in (checkpoint.mean, checkpoint.std))
    answers = []
    for start in range(0, len(split.labels), EVALUATION_BATCH):
        images = torch.from_numpy(split.images[start : start + EVALUATION_BATCH]).float() / 255.0
        answers.append(network((images - mean_C) / std_C).argmax(1).numpy())
    found: np.ndarray = np.concatenate(answers) == split.labels
    return found
