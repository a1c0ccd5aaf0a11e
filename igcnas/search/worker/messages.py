"""What the controller and a worker tell each other: first the WorkerSetup; then work goes one way, words come back.

A message of a worker is (word, content). It waits for GO or END after EPOCH where the study prunes, for nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

from igcnas.export.latency.setting import Setting
from igcnas.search.settings import DataSettings
from igcnas.training.settings import TrainingSettings

if TYPE_CHECKING:
    from igcnas.data.dataset import Dataset

# Messages to the controller, and their content: the device's name, an EpochReport, results (DONE, PRUNED), a reason, a
# text. BROKEN: the worker ends, and what it was given may succeed in another one. NO_MEMORY, UNCAPTURED: it
# ends, too; its training may succeed with the device for itself, or by steps that are not captured. HALTED: the machine
# has a fault (a full disk), of which no network is to blame; nothing can go on before that is mended. NOTE: for the
# user.
READY, EPOCH, DONE, PRUNED, FAILED, BROKEN = "ready", "epoch", "done", "pruned", "failed", "broken"
NO_MEMORY, UNCAPTURED, HALTED, NOTE = "no memory", "uncaptured", "halted", "note"
# The controller's answers to EPOCH, where the study prunes.
GO, END = "go", "end"
# Written to the worker's standard input: save what is in training, and end.
STOP = b"."


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSetup:
    """What a worker needs to know once.

    prunes: it waits after each epoch. latency: it measures that, too;
    timing: how, None for the torch module on the device. most_ns: a network that takes longer is not trained.
    checkpoint_seconds: None for the usual. threads:
    of torch on a CPU; None for as many as suit the images. memory_fraction: most of the GPU's memory that it may take;
    more is an out-of-memory error of its own. None: all. capture: as in `training.train`. images: which are on the
    device from the start: 'split' as `training` says, 'all' to train on, 'none' where each training has its own.
    limits: what is measured of a trained network beside MACs and parameters, by the names of limits. sent: the file
    of a data set that was sent to this machine (`worker.sent`); None where it is loaded as `data` says.
    """

    data: DataSettings
    training: TrainingSettings
    device: str
    prunes: bool = False
    latency: bool = False
    timing: Setting | None = None
    most_ns: int | None = None
    checkpoint_seconds: float | None = None
    threads: int | None = None
    memory_fraction: float | None = None
    capture: bool | None = None
    images: Literal["split", "all", "none"] = "split"
    limits: tuple[str, ...] = ()
    sent: str | None = None

    def dataset(self) -> Dataset:
        """The data set that `data` describes."""
        if self.sent is None:
            return self.data.load()
        from igcnas.search.worker.sent import read_sent

        return read_sent(self.sent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """seconds: what the training of each network will take.

    peak_memory_mb: most that it took, if known: on a CPU the process, on a GPU what torch holds of its memory.
    """

    seconds: tuple[float, ...]
    peak_memory_mb: float | None


def joined(parts: Sequence[Probed]) -> Probed:
    """Of networks that several workers had in turn: part k has those numbered k, k + parts, k + 2 parts and so on.

    >>> joined([Probed(seconds=(1.0, 3.0), peak_memory_mb=5.0), Probed(seconds=(2.0,), peak_memory_mb=None)])
    Probed(seconds=(1.0, 2.0, 3.0), peak_memory_mb=5.0)
    """
    turns = zip_longest(*(part.seconds for part in parts))
    known = [part.peak_memory_mb for part in parts if part.peak_memory_mb is not None]
    return Probed(
        seconds=tuple(seconds for turn in turns for seconds in turn if seconds is not None),
        peak_memory_mb=max(known, default=None),
    )
