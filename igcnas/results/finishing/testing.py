"""The one reading of the test split: the weights of the search and those of each long training, on the same images.

Convention: accuracies in percent. `gain` is the first long training minus the training of the search, on the same
images; its 95 % interval is of these pairs, so that it holds for these two trainings and images like these. What
another seed would give, the standard deviation over seeds tells. Networks are handed over with their first seed, which
is chosen before the test split is read.
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
from igcnas.system.files import read_back, write_text
from igcnas.system.reading import parse_json
from igcnas.training.preparing import set_epsilon
from igcnas.training.recipes import recipe_for
from igcnas.training.runs.weights import Checkpoint, loaded, read_state
from igcnas.training.tensors import EVALUATION_BATCH

FILE = "test.json"
_AGAIN = "remove it, and the test split is read again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What one network came to.

    Attributes:
        member: its name.
        images: test images.
        short_right: of them the weights of the search answer rightly.
        right: the weights of each long training, by seed; None of one that failed.
        gained, lost: images that the first long training answers rightly and the search does not, and the reverse.
    """

    member: str
    images: int
    short_right: int
    right: tuple[int | None, ...]
    gained: int
    lost: int

    @property
    def short(self) -> float:
        """Accuracy of the training of the search."""
        return 100.0 * self.short_right / self.images

    @property
    def accuracies(self) -> list[float]:
        """Of the long trainings."""
        return [100.0 * right / self.images for right in self.right if right is not None]

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
        low, high = paired_shares_interval(self.gained, self.lost, self.images)
        return 100.0 * low, 100.0 * high


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    tested: list[Finished] = field(default_factory=list)


def read_finished(folder: Path) -> list[Finished] | None:
    """What the reading gave; None where the test split was not read yet."""
    content = read_back(folder / FILE)
    if content is None:
        return None
    return parse_json(content, _Written, where=str(folder / FILE), advice=_AGAIN).tested


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
    return Finished(
        member=member.name,
        images=len(split.labels),
        short_right=int(short.sum()),
        right=tuple(None if right is None else int(right.sum()) for right in answers),
        gained=int((handed_over & ~short).sum()),
        lost=int((short & ~handed_over).sum()),
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
