"""The trainings of a finish: a campaign in the folder of the study, exact after any kill.

studies/NAME/finish-100/finish.json                 what is trained, how
                        trial-12-seed0.json         what one training came to
                        trial-12-seed0.safetensors  its weights, of which final/ is made
                        trial-12-seed0.pt           its checkpoint while it runs
                        test.json                   what the one reading of the test split gave

Every training is on the training and the validation images together; nothing steers it, and its last weights are the
result. The test split is not read here. Teachers are trained before those they teach.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from igcnas.errors import IgcnasError
from igcnas.results.finishing.plan import FinishSettings, Member
from igcnas.results.whole import WholeTraining
from igcnas.search.campaign import AGAIN, Campaign
from igcnas.training.recipes import Recipe

if TYPE_CHECKING:
    from igcnas.search.worker.trainer import Trainer
    from igcnas.training.engine import Engine
    from igcnas.training.targets import Teacher
    from igcnas.training.tensors import TrainingData


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalResult:
    """What one training came to. macs and params are of the lowered network; failed: why there is none, else None."""

    member: str
    repeat: int
    macs: int
    params: int
    train_loss: float | None
    seconds: float
    device: str
    failed: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalTraining(WholeTraining[FinalResult]):
    """One training of one member; repeat counts from 0. teacher: the file of the weights of who teaches it."""

    member: str
    repeat: int
    by: Recipe
    teacher_file: Path | None

    @staticmethod
    def of(folder: Path, settings: FinishSettings, member: Member, repeat: int) -> FinalTraining:
        """With the name of its files, and a seed that the search has not used."""
        teacher = None if member.teacher is None else settings.member(member.teacher)
        return FinalTraining(
            folder=folder,
            stem=f"{member.stem}-seed{repeat}",
            title=f"{member.title}, seed {repeat}" + ("" if member.asked else " (to teach)"),
            architecture=member.architecture,
            settings=replace(settings.training, epochs=settings.recipe.epochs, batch_size=settings.recipe.batch_size),
            seed=settings.seed(member, repeat),
            member=member.name,
            repeat=repeat,
            by=settings.recipe,
            teacher_file=None if teacher is None else folder / f"{teacher.stem}-seed0.safetensors",
        )

    @property
    def reads(self) -> tuple[str, ...]:
        """Its own, and the weights of who teaches it."""
        own = super(FinalTraining, self).reads  # the class that slots=True makes is another one
        return own if self.teacher_file is None else (*own, self.teacher_file.name)

    def moved(self, home: Path) -> Self:
        """With the folder of another machine, where who teaches it is, too."""
        teacher = None if self.teacher_file is None else home / self.teacher_file.name
        return replace(self, folder=home, teacher_file=teacher)

    def whole_recipe(self) -> Recipe:
        """That of the finish."""
        return self.by

    def data(self, trainer: Trainer) -> TrainingData:
        """All images but the test split, augmented as the recipe says."""
        return replace(trainer.data, augmentation=self.by.augmentation)

    def teacher(self, trainer: Trainer, data: TrainingData) -> Teacher | None:
        """From its file; kept for the next training by the same worker."""
        if self.teacher_file is None:
            return None
        if self.teacher_file.name not in trainer.kept:
            from igcnas.training.runs.weights import Checkpoint
            from igcnas.training.teaching import teacher_of

            checkpoint = Checkpoint.read(self.teacher_file)
            trainer.kept[self.teacher_file.name] = teacher_of(
                checkpoint.architecture,
                checkpoint.state,
                where=str(self.teacher_file),
                device=trainer.device,
                engine=self.settings.engine,
            )
        found: Teacher = trainer.kept[self.teacher_file.name]
        return found

    def result(self, trainer: Trainer, engine: Engine, data: TrainingData) -> FinalResult:
        """Count it, and write its weights."""
        from igcnas.network.cost import count_plan

        measured = count_plan(self.settled(engine, data))
        self.write_weights(trainer, engine, data)
        return FinalResult(
            member=self.member,
            repeat=self.repeat,
            macs=measured.macs,
            params=measured.params,
            train_loss=engine.curve[-1].train_loss,
            seconds=round(engine.seconds, 3),
            device=trainer.device_name,
            failed=None,
        )

    def failed(self, reason: str, trainer: Trainer) -> FinalResult:
        """Counted, and named."""
        return FinalResult(
            member=self.member,
            repeat=self.repeat,
            macs=0,
            params=0,
            train_loss=None,
            seconds=0.0,
            device=trainer.device_name,
            failed=reason,
        )

    def text(self, result: FinalResult) -> str:
        """With what says whose it is."""
        return json.dumps({"training_seed": self.seed} | asdict(result), indent=2) + "\n"

    def parsed(self, content: bytes, *, where: str) -> FinalResult:
        """Refused where the seed is that of another."""
        return self.own(content, FinalResult, where=where)

    def read(self, note: Callable[[str], None] = lambda _text: None) -> FinalResult | None:
        """The result, if it got so far and its weights are there."""
        found = super(FinalTraining, self).read(note)
        if found is not None and found.failed is None and not self.weights.is_file():
            note(f"{self.weights} is missing; {AGAIN}")
            return None
        return found


def untaught(
    folder: Path, settings: FinishSettings, *, note: Callable[[str], None] = lambda _text: None
) -> Campaign[FinalResult]:
    """What must be trained first: all that nobody teaches; of a mere teacher one seed."""
    members = [member for member in settings.members if member.teacher is None]
    return Campaign(_by_seed(folder, settings, members), note=note)


def taught(
    folder: Path, settings: FinishSettings, *, note: Callable[[str], None] = lambda _text: None
) -> Campaign[FinalResult]:
    """What comes after, once the teachers are there."""
    members = [member for member in settings.members if member.teacher is not None]
    return Campaign(_by_seed(folder, settings, members), note=note)


def check_teachers(settings: FinishSettings, results: Mapping[str, Sequence[FinalResult]]) -> None:
    """Before others learn from it: a teacher must have given a network. results: by the name of the member."""
    teachers = {member.teacher for member in settings.members}
    for name in [member.name for member in settings.members if member.name in teachers]:
        lost = next((one for one in results.get(name, ()) if one.failed is not None), None)
        if lost is not None:
            raise IgcnasError(f"the teacher, {name}, failed: {lost.failed}; give --teacher none and a --name")


def _by_seed(folder: Path, settings: FinishSettings, members: list[Member]) -> list[FinalTraining]:
    return [
        FinalTraining.of(folder, settings, member, repeat)
        for repeat in range(settings.seeds)
        for member in members
        if member.asked or repeat == 0
    ]
