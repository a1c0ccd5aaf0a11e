"""What a retraining and a finish share: networks trained on all images but the test split, by settings fixed before.

SETTINGS.json        what is trained, how; later calls must ask for the same
NAME.json            what one training came to, with the seed that says whose it is
NAME.safetensors     its last weights, which are the result: no image is put aside that could steer it
"""

from __future__ import annotations

import json
from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, TypeVar

from igcnas.errors import StudyError
from igcnas.search.campaign import AGAIN, OtherTrainingError, Training
from igcnas.system.files import write_text
from igcnas.system.reading import parse_json

if TYPE_CHECKING:
    from igcnas.network.plan import Plan
    from igcnas.search.worker.trainer import Trainer
    from igcnas.training.engine import Engine
    from igcnas.training.tensors import TrainingData

_SHOWN = 4  # differences in one message


class Outcome(Protocol):
    """What every such result says. failed: why there is no network, else None."""

    @property
    def train_loss(self) -> float | None:
        """Of the last epoch."""
        ...

    @property
    def seconds(self) -> float:
        """Of training."""
        ...

    @property
    def failed(self) -> str | None:
        """Why there is no network."""
        ...


class Identity(TypedDict):
    """Whose a file of a result is."""

    training_seed: int


Result = TypeVar("Result", bound=Outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeTraining(Training[Result], ABC):
    """A training on training and validation images together, whose last weights are kept."""

    @property
    def weights(self) -> Path:
        """The file of its weights."""
        return self.folder / f"{self.stem}.safetensors"

    def told(self, result: Result) -> str:
        """How it went; the test result comes at the end alone."""
        return f"failed: {result.failed}" if result.failed else f"loss {result.train_loss:.4f}  {result.seconds:6.1f} s"

    def own(self, content: bytes, kind: type[Result], *, identity: type[Identity] = Identity, where: str) -> Result:
        """The result in a file, refused where the seed is that of another training."""
        found = parse_json(content, identity, where=where, advice=AGAIN)
        result = parse_json(content, kind, where=where, advice=AGAIN)
        if found["training_seed"] != self.seed:
            raise OtherTrainingError(f"{where} is of another training; move it away, or start another with --name NAME")
        return result

    def settled(self, engine: Engine, data: TrainingData) -> Plan:
        """What training decided, fixed on the images it was trained on; the lowered plan."""
        from igcnas.modules.lowering import lower
        from igcnas.training.settling import settle_on

        settle_on(engine.plan, engine.network, data, data.training)
        return lower(engine.plan, engine.network).plan

    def write_weights(self, trainer: Trainer, engine: Engine, data: TrainingData) -> None:
        """With all that evaluation and export need."""
        from igcnas.training.runs.weights import Checkpoint

        cut = {"crop": data.augmentation.crop, "centre": data.augmentation.centre}
        Checkpoint(
            architecture=self.architecture,
            state=engine.network.state_dict(),
            mean=tuple(data.mean.tolist()),
            std=tuple(data.std.tolist()),
            classes=trainer.dataset.classes,
            epoch=len(engine.curve),
            data=trainer.setup.data.trained_on(validation=None, seed=self.settings.seed) | cut,
            epsilon=self.whole_recipe().norm.epsilon,
        ).write(self.weights)


class _Settings(Protocol):
    def to_dict(self) -> dict[str, Any]: ...

    def differences(self, other: Any, /) -> list[str]: ...


Settings = TypeVar("Settings", bound=_Settings)


def kept_settings(
    path: Path, settings: Settings, read: Callable[[Path], Settings], *, another: str = "--name NAME"
) -> Settings:
    """Write the settings of what is new; of what was begun, return those written, networks and all.

    Args:
        path: of the file, in the folder of the trainings.
        settings: that are asked for.
        read: gives those of a folder.
        another: option by which a user starts another.

    Raises:
        StudyError: it was begun with other settings.
    """
    if not path.exists():
        write_text(path, json.dumps(settings.to_dict(), indent=2) + "\n")
        return settings
    found = read(path.parent)
    if differences := found.differences(settings):
        more = len(differences) - _SHOWN
        shown = "; ".join(differences[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        raise StudyError(
            f"{path.parent} was begun with other settings ({shown}); go back to those, or start another with {another}"
        )
    return found


def changes(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Each value that differs, as 'name: mine -> theirs'."""
    keys = sorted(mine.keys() | theirs.keys())
    return [f"{key}: {mine.get(key)} -> {theirs.get(key)}" for key in keys if mine.get(key) != theirs.get(key)]
