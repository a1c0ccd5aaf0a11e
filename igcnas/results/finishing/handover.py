"""A finished network as a folder that anyone can use: final/ in the folder of the study; of several final-NUMBER/.

Commands that are given a study use final/, so it stays what it was: a finish of another folder (--name, --epochs) hands
over beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from igcnas.export.folder import ExportReport, export_network
from igcnas.network.exported import exported_in
from igcnas.results.finishing.plan import FILE, FINAL, FinishSettings, Member
from igcnas.results.finishing.testing import Finished, first_good
from igcnas.results.finishing.training import FinalResult, FinalTraining
from igcnas.search.study import Study
from igcnas.system.files import restore_folder
from igcnas.training.runs.weights import Checkpoint
from igcnas.units import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Why an export went to a folder of its own: the usual one, `folder`, is of another finish. accuracy: of that."""

    folder: Path
    finish: str
    accuracy: float | None


def place(study: Study, folder: Path, settings: FinishSettings, member: Member) -> Path:
    """Where the export of a member of this finish is, or goes.

    That is final/, or final-NUMBER/ where there are several; the first finish has it, and going on with that one. Where
    it is of another finish, final-FINISH/ (final-FINISH-NUMBER/), or that with a further number if it is taken, too.
    folder: of the finish.
    """
    usual = usual_place(study, settings, member)
    own = f"{FINAL}-{folder.name}" + ("" if len(settings.asked) == 1 else f"-{member.number}")
    free = None
    for name in chain((usual.name, own), (f"{own}-{number}" for number in count(2))):
        target = study.folder / name
        owner = _owner(target)
        if owner == (folder.name, member.name):
            return target
        if owner is None:
            free = free or target
            if name != usual.name:
                break
    assert free is not None, "names are without end"
    return free


def usual_place(study: Study, settings: FinishSettings, member: Member) -> Path:
    """Where the export of a member goes if no other finish has it."""
    return study.folder / (FINAL if len(settings.asked) == 1 else f"{FINAL}-{member.number}")


def kept_of_another(study: Study, folder: Path, settings: FinishSettings, member: Member) -> Kept | None:
    """Whose the usual place is, where this member is not there."""
    usual = usual_place(study, settings, member)
    if place(study, folder, settings, member) == usual:
        return None
    found = exported_in(usual)
    tested = {} if found is None else found.test_accuracy
    owner = _owner(usual)
    return Kept(
        folder=usual,
        finish="" if owner is None else owner[0],
        accuracy=tested.get("lowered", next(iter(tested.values()), None)),
    )


def is_there(study: Study, folder: Path, settings: FinishSettings, member: Member) -> bool:
    """Whether the export of this member, of this finish, lies in its place."""
    found = exported_in(place(study, folder, settings, member))
    return found is not None and found.facts.get("finish") == _finish(folder, settings, member)


def _owner(target: Path) -> tuple[str, str] | None:
    """The folder of the finish and the member that an export is of, '' where it does not say; None for no export."""
    if (target / FILE).is_file():  # the trainings of a finish that was named so
        return "", ""
    restore_folder(target)
    found = exported_in(target)
    if found is None:
        return None
    finish, _, rest = found.facts.get("finish", "").partition(", ")
    return finish, rest.partition(", ")[0]


def hand_over(
    study: Study,
    folder: Path,
    settings: FinishSettings,
    member: Member,
    *,
    results: list[FinalResult],
    tested: Finished,
) -> ExportReport:
    """Export the first long training of a member.

    Args:
        study: it is of.
        folder: of the finish.
        settings: of the finish.
        member: that is handed over.
        results: of its trainings, in the order of the seeds.
        tested: what it came to on the test split.
    """
    repeat = first_good(member, results)
    checkpoint = Checkpoint.read(FinalTraining.of(folder, settings, member, repeat).weights)
    test = study.data.load_test()
    low, high = tested.interval
    points = f"{tested.gain:+.2f} points of {tested.measure} (95 % interval {low:+.2f} to {high:+.2f})"
    spread = (
        ""
        if tested.sd is None
        else f", standard deviation {tested.sd:.2f} over {counted(len(tested.accuracies), 'seed')}"
    )
    facts = {
        "study": study.folder.name,
        "network": f"number {member.number} of the study, trained to the end",
        "architecture": member.architecture.title(),
        "budget": study.budget.words(),
        "data": f"{settings.data_name}, training and validation images together",
        "training": f"recipe {settings.recipe_words}, seed {repeat}, "
        f"{results[repeat].seconds:.1f} s on {results[repeat].device}"
        + ("" if member.teacher is None else f", taught by {settings.member(member.teacher).title}"),
        f"test {tested.measure}": f"{tested.first:.2f} % +- {tested.error:.2f} (one standard error, "
        f"{counted(tested.images, 'image')}){spread}",
        "gain": f"{points} over the training of the search, which reaches {tested.short:.2f} % on the same images",
        "finish": _finish(folder, settings, member),
    }
    return export_network(
        folder=place(study, folder, settings, member),
        architecture=checkpoint.architecture,
        state=checkpoint.state,
        mean=checkpoint.mean,
        std=checkpoint.std,
        classes=checkpoint.classes,
        test=(test.images, test.labels),
        facts=facts,
        data=checkpoint.data,
        epsilon=checkpoint.epsilon,
        times=True,
    )


def _finish(folder: Path, settings: FinishSettings, member: Member) -> str:
    """Of which training this is, so that an export that is there need not be made again."""
    return f"{folder.name}, {member.name}, architecture {member.architecture.id}, seed {settings.seed(member, 0)}"
