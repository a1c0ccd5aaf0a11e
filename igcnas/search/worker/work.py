"""What a worker can be given to do. It is sent there as it is, and does itself with what the worker has.

A class of work must be importable by its name: the worker looks for modules where the controller does. Its imports of
what trains are in `run`, so that a controller that only hands it in loads no more than it needs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from igcnas.network.architecture import Architecture
from igcnas.search.worker.result import FILES

if TYPE_CHECKING:
    from igcnas.search.worker.trainer import Trainer
    from igcnas.training.reports import EpochReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(ABC):
    """One thing to do. capture: another one than that of the WorkerSetup; None for that."""

    capture: bool | None = None

    @property
    @abstractmethod
    def label(self) -> str:
        """Which network it is about, for the user; "" where there is nothing to say."""

    @property
    def home(self) -> Path | None:
        """The folder in which it leaves its files; None where it leaves none."""
        return None

    @property
    def reads(self) -> tuple[str, ...]:
        """The files of `home` that it goes on from, or needs, if they are there."""
        return ()

    def moved(self, home: Path) -> Self:
        """The same with another folder, as on another machine."""
        return self

    @abstractmethod
    def run(self, trainer: Trainer, on_epoch: Callable[[EpochReport], bool]) -> tuple[dict[str, Any], bool]:
        """Do it in a worker: its results, and whether `on_epoch` ended it early by returning True.

        A TrainingError is its outcome. Any other error ends the worker, and the work is done once more in another one.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Work):
    """Train this network as a search does, with the seed of this repeat, and leave its files in this folder."""

    architecture: Architecture
    folder: str
    repeat: int = 0

    @property
    def label(self) -> str:
        """The network."""
        return self.architecture.label()

    @property
    def home(self) -> Path:
        """That of its trial."""
        return Path(self.folder)

    @property
    def reads(self) -> tuple[str, ...]:
        """The checkpoint, and the result if only that was not told."""
        return FILES

    def moved(self, home: Path) -> Self:
        """With the folder of another machine."""
        return replace(self, folder=str(home))

    def run(self, trainer: Trainer, on_epoch: Callable[[EpochReport], bool]) -> tuple[dict[str, Any], bool]:
        """What the study stores, and whether it was pruned."""
        from igcnas.search.worker.searching import train_network

        return train_network(
            trainer,
            self.architecture,
            Path(self.folder),
            repeat=self.repeat,
            capture=trainer.captures(self.capture),
            on_epoch=on_epoch,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Work):
    """Time a few steps of these networks, to say beforehand how long a search will take."""

    architectures: tuple[Architecture, ...]

    @property
    def label(self) -> str:
        """Nothing: what becomes of it is no news to the user."""
        return ""

    def run(self, trainer: Trainer, on_epoch: Callable[[EpochReport], bool]) -> tuple[dict[str, Any], bool]:
        """A `Probed` under that name."""
        from igcnas.search.worker.searching import probe

        return {"probed": probe(trainer, self.architectures, capture=trainer.captures(self.capture))}, False
