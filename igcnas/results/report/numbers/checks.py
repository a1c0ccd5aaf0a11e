"""What was made to check a search, where it was: audits of the short training, retrainings on the test split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from igcnas.errors import StudyError
from igcnas.results.audit.reading import Audit, read_audit
from igcnas.results.audit.verdict import AS_GOOD, BELOW, REVERSED, UNDECIDED, WORSE, verdict
from igcnas.results.report.words import counted
from igcnas.results.retraining.plan import FILE, RetrainSettings, read_settings
from igcnas.results.retraining.table import RetrainResults, tabulate
from igcnas.search.study import Study

_FOUND = {
    AS_GOOD: "found that the short training of this search ranks networks of equal cost as well as seed noise allows",
    BELOW: "found that the short training of this search ranks networks of equal cost, but less well than seed noise "
    "allows",
    UNDECIDED: "leaves open how well the short training of this search ranks networks of equal cost",
    WORSE: "found that the short training of this search ranks networks of equal cost worse than their MACs do",
    REVERSED: "found that the short training of this search ranks networks of equal cost the wrong way round",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """One retraining. tests: None before its first training has an accuracy. done, planned: trainings."""

    folder: Path
    settings: RetrainSettings
    tests: RetrainResults | None
    done: int
    planned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What was made to check the search. damaged: why a folder could not be read, one line each."""

    audits: tuple[Audit, ...]
    retrainings: tuple[Retraining, ...]
    damaged: tuple[str, ...]

    @property
    def test_readings(self) -> dict[str, int]:
        """Readings of the test split by each retraining that has any."""
        return {
            f"retraining {one.folder.name}": one.tests.test_readings
            for one in self.retrainings
            if one.tests is not None
        }


def checks_of(study: Study) -> Checks:
    """Everything in the folder of the study; what is damaged is named and left out."""
    audits: list[Audit] = []
    retrainings: list[Retraining] = []
    damaged: list[str] = []
    for path in sorted(study.folder.glob(f"*/{FILE}")):
        try:
            if path.parent.name.startswith("audit-"):
                audits.append(read_audit(path.parent))
            else:
                retrainings.append(read_retraining(path.parent))
        except StudyError as error:
            damaged.append(str(error))
    return Checks(audits=tuple(audits), retrainings=tuple(retrainings), damaged=tuple(damaged))


def read_retraining(folder: Path) -> Retraining:
    """The retraining in this folder."""
    from igcnas.results.retraining import retraining

    settings = read_settings(folder)
    campaign = retraining(folder, settings)
    found = list(campaign.results().values())
    return Retraining(
        folder=folder,
        settings=settings,
        tests=tabulate(settings, found),
        done=len(found),
        planned=len(campaign.trainings),
    )


def checks_sentence(checks: Checks) -> str:
    """What audits and retrainings say, for the summary; '' where there are none."""
    said = []
    for audit in checks.audits:
        if audit.result is not None:
            word = verdict(audit.result)[0]
            said.append(f"An audit of {counted(len(audit.result.rows), 'network')} {_FOUND[word]}.")
    for one in checks.retrainings:
        if one.tests is not None:
            best = one.tests.rows[0]
            text = (
                f"Trained from scratch for {counted(one.settings.training.epochs, 'epoch')}, the highest mean test "
                f"accuracy is "
                f"that of {best.finalist.name}: {best.mean:.2f} % over {counted(len(best.accuracies), 'seed')}"
            )
            against = [c for c in one.tests.against_published if c.network == one.tests.first]
            beside = (
                f"; {against[0].network} is {_verdict(against[0].verdict, against[0].reference)}" if against else ""
            )
            said.append(f"{text}{beside}.")
    return " ".join(said)


def _verdict(word: str, reference: str) -> str:
    words = {
        "better": f"better than {reference}, the best published network",
        "worse": f"worse than {reference}, the best published network",
        "equivalent": f"equivalent to {reference}, the best published network",
        "undecided": f"neither shown to differ from {reference}, the best published network, nor to equal it",
    }
    return words[word]
