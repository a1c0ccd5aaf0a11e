"""The long trainings of an audit: a campaign in its folder. Each is that of the search, with more epochs, another seed.

Same data, split, recipe and judgement (igcnas/search/worker/searching.py). The seeds are none that a search uses, so
that the short training is never a part of the truth that it is held against.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.results.audit.folder import LongResult, Sample
from igcnas.search.campaign import AGAIN, Campaign, Training
from igcnas.search.records import TrialRecord
from igcnas.system.reading import parse_json
from igcnas.training.settings import TrainingSettings

if TYPE_CHECKING:
    from igcnas.search.worker.trainer import Trainer
    from igcnas.training.engine import Engine
    from igcnas.training.tensors import TrainingData

FIRST_REPEAT = 1000  # repeats of a search are counted from 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LongTraining(Training[LongResult]):
    """One long training of a network of the study, with the repeat-th of the audit's seeds, counted from 0.

    name: of the network, short: its accuracy in the study, in percent; for lines of progress.
    """

    number: int
    repeat: int
    name: str
    short: float

    @staticmethod
    def of(folder: Path, record: TrialRecord, settings: TrainingSettings, *, number: int, repeat: int) -> LongTraining:
        """Of the network of this record, with a seed that the search has not used."""
        network = record.architecture
        return LongTraining(
            folder=folder,
            stem=f"trainings/{number:05d}-{repeat}",
            title=f"network {number:>3}, seed {repeat}",
            architecture=network,
            settings=settings,
            seed=settings.network_seed(network.id, FIRST_REPEAT + repeat),
            number=number,
            repeat=repeat,
            name=record.baseline or network.label(),
            short=record.val_accuracy or 0.0,
        )

    def result(self, trainer: Trainer, engine: Engine, data: TrainingData) -> LongResult:
        """Its accuracy on the validation images, and how it came there."""
        from igcnas.training.settling import settled_scores

        settled = settled_scores(engine.plan, engine.network, data)
        accuracy = engine.curve[-1].val_accuracy if settled is None else settled.by(self.settings.metric)
        return LongResult(
            number=self.number,
            seed=self.repeat,
            architecture_id=self.architecture.id,
            epochs=self.settings.epochs,
            val_accuracy=accuracy,
            seconds=round(engine.seconds, 3),
            device=trainer.device_name,
            curve=[report.val_accuracy for report in engine.curve],
        )

    def failed(self, reason: str, trainer: Trainer) -> LongResult:
        """Its network is left out of the comparison."""
        return self.given_up(reason, trainer.device_name)

    def given_up(self, reason: str, device: str) -> LongResult:
        """The same: an audit does not need all of its sample."""
        return LongResult(
            number=self.number,
            seed=self.repeat,
            architecture_id=self.architecture.id,
            epochs=self.settings.epochs,
            failed=reason,
            device=device,
        )

    def text(self, result: LongResult) -> str:
        """As JSON."""
        return json.dumps(asdict(result)) + "\n"

    def parsed(self, content: bytes, *, where: str) -> LongResult:
        """From JSON. Whose network it is, the sample in the folder says."""
        return parse_json(content, LongResult, where=where, advice=AGAIN)

    def told(self, result: LongResult) -> str:
        """From the short accuracy to the long one."""
        if result.val_accuracy is None:
            return f"failed: {result.failed}"
        return f"{self.short:6.2f} -> {result.val_accuracy:6.2f} %  {result.seconds:5.1f} s  {self.name}"


def long_trainings(
    folder: Path,
    sample: Sample,
    networks: Mapping[int, TrialRecord],
    settings: TrainingSettings,
    *,
    seeds: int,
    note: Callable[[str], None] = lambda _text: None,
) -> Campaign[LongResult]:
    """Those of the sample; seeds outside, so that a first full comparison is there as early as can be.

    networks: of the study, by number. note: told of results that are damaged, whose networks are trained again.
    """
    trainings = [
        LongTraining.of(folder, networks[member.number], settings, number=member.number, repeat=repeat)
        for repeat in range(seeds)
        for member in sample.members
    ]
    return Campaign(trainings, note=note)
