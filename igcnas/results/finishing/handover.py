"""A finished network as a folder that anyone can use: final/ in the folder of the study; of several final-NUMBER/."""

from __future__ import annotations

from pathlib import Path

from igcnas.export.folder import ExportReport, export_network
from igcnas.network.exported import exported_in
from igcnas.results.finishing.plan import FinishSettings, Member
from igcnas.results.finishing.testing import Finished, first_good
from igcnas.results.finishing.training import FinalResult, FinalTraining
from igcnas.search.study import Study
from igcnas.system.files import restore_folder
from igcnas.training.runs.weights import Checkpoint
from igcnas.units import counted

FINAL = "final"


def place(study: Study, settings: FinishSettings, member: Member) -> Path:
    """Where the export of a member goes."""
    return study.folder / (FINAL if len(settings.asked) == 1 else f"{FINAL}-{member.number}")


def is_there(study: Study, settings: FinishSettings, member: Member, folder: Path) -> bool:
    """Whether the export of this member, of this finish, lies in its place."""
    target = place(study, settings, member)
    restore_folder(target)
    found = exported_in(target)
    return found is not None and found.facts.get("finish") == _finish(folder, settings, member)


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
        "training": f"{counted(settings.recipe.epochs, 'epoch')} by recipe {settings.recipe.name}, seed {repeat}, "
        f"{results[repeat].seconds:.1f} s on {results[repeat].device}"
        + ("" if member.teacher is None else f", taught by {member.teacher}"),
        "test accuracy": f"{tested.first:.2f} % of {counted(tested.images, 'image')}{spread}",
        "gain": f"{tested.gain:+.2f} points (95 % interval {low:+.2f} to {high:+.2f}) over the training of the search, "
        f"which reaches {tested.short:.2f} % on the same images",
        "finish": _finish(folder, settings, member),
    }
    return export_network(
        folder=place(study, settings, member),
        architecture=checkpoint.architecture,
        state=checkpoint.state,
        mean=checkpoint.mean,
        std=checkpoint.std,
        classes=checkpoint.classes,
        test=(test.images, test.labels),
        facts=facts,
        data=checkpoint.data,
        epsilon=checkpoint.epsilon,
    )


def _finish(folder: Path, settings: FinishSettings, member: Member) -> str:
    """Of which training this is, so that an export that is there need not be made again."""
    return f"{folder.name}, {member.name}, architecture {member.architecture.id}, seed {settings.seed(member, 0)}"
