"""igcnas search --tune-recipe: the recipe is tried first, on the baselines; a study that was tuned goes on as it is."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.errors import IgcnasError, StudyError
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.cli.common import Stop
    from igcnas.search.settings import StudySettings
    from igcnas.search.tuning.plan import TuningPlan
    from igcnas.search.tuning.trainings import RecipeTraining, Tried

FOLDER = "tuning"
_PLAN = "plan.json"


def as_tuned(settings: StudySettings, folder: Path) -> StudySettings:
    """The settings as the study has them whose recipe was tuned, where they are those before the tuning, or after."""
    from igcnas.search.settings import StudySettings
    from igcnas.training.settings import TrainingSettings

    if not (folder / "settings.json").is_file():
        return settings
    begun = StudySettings.read(folder)
    if begun.tuning is None:
        return settings
    if settings.training not in (TrainingSettings.from_dict(begun.tuning.before), begun.training):
        return settings
    return replace(settings, training=begun.training, tuning=begun.tuning)


def check_tuning(share: float | None, settings: StudySettings, folder: Path, *, networks: int) -> None:
    """Refuse in one line what cannot be tuned; nothing is trained yet."""
    from igcnas.search.tuning.plan import tuning_plan

    if share is None or settings.tuning is not None:
        return
    if (folder / "settings.json").is_file():
        raise StudyError(
            f"study {folder.name!r} was begun without --tune-recipe, or from other settings; leave it out, or start "
            "another with --study NAME"
        )
    tuning_plan(settings.training, share=share, networks=networks)


def tune(arguments: argparse.Namespace, folder: Path, settings: StudySettings, stop: Stop) -> StudySettings:
    """Try the recipes, or go on trying; the settings with the one that is chosen. Raises Interrupted after `stop`."""
    from igcnas.network.baselines import known_networks
    from igcnas.search.tuning.plan import candidates
    from igcnas.search.tuning.trainings import challenger_of, first_round, found, second_round
    from igcnas.system.files import make_folder

    shape, classes = settings.data.input_shape, len(settings.data.classes)
    baselines = known_networks(shape, classes, settings.budget)
    if not baselines:
        raise IgcnasError("--tune-recipe tries recipes on the baselines, and none keeps this budget; leave it out")
    place = folder / FOLDER
    make_folder(place, within=folder)
    share, plan = _plan(place, settings, arguments)
    recipes = candidates(settings.training)
    print(f"tuning    {_words(plan, len(recipes), settings, share)}", flush=True)
    first = _run(arguments, settings, first_round(place, recipes, baselines, plan), stop)
    challenger = challenger_of(first)
    second: list[Tried] = []
    if challenger is not None:
        print(f"tuning    the best of the others: {challenger}", flush=True)
        second = _run(arguments, settings, second_round(place, recipes, challenger, baselines, plan), stop)
    tuned = found(
        settings.training, first, second, share=share, images=settings.effective_images, measure=settings.measure
    )
    print(f"tuned     {tuned.words()}", flush=True)
    training = recipes[tuned.chosen]
    return replace(settings, training=training, tuning=tuned)


def _plan(place: Path, settings: StudySettings, arguments: argparse.Namespace) -> tuple[float, TuningPlan]:
    """Of the run that began, if there was one under these settings; else of these options, and kept."""
    from igcnas.search.settings import settings_of
    from igcnas.search.tuning.plan import TuningPlan, tuning_plan
    from igcnas.system.files import write_text
    from igcnas.system.reading import as_kind, read_json

    path = place / _PLAN
    if path.is_file():
        advice = "remove the folder, and the recipe is tuned anew"
        kept = read_json(path, dict[str, Any], advice=advice)
        begun = settings_of(kept.get("settings"), path, advice=advice)
        if differences := begun.differences(settings):
            raise StudyError(
                f"study {place.parent.name!r} began to tune its recipe under other settings ({differences[0]}); go "
                "back to those, or start another with --study NAME"
            )
        return float(kept["share"]), as_kind(kept.get("plan"), TuningPlan, where=str(path), advice=advice)
    share = float(arguments.tune_recipe)
    plan = tuning_plan(settings.training, share=share, networks=arguments.networks)
    plain = {"share": share, "plan": {"epochs": plan.epochs, "pairs": plan.pairs}, "settings": settings.to_dict()}
    write_text(path, json.dumps(plain, indent=2) + "\n")
    return share, plan


def _words(plan: TuningPlan, recipes: int, settings: StudySettings, share: float) -> str:
    every = counted(plan.trained(recipes, settings.training.epochs), "epoch")
    return (
        f"{counted(recipes, 'recipe')} for {counted(plan.epochs, 'epoch')} each on a baseline, then the best of the "
        f"others beside the present one in {counted(plan.pairs, 'pair')} of full trainings: {every}, within "
        f"{share:.0%} of the study"
    )


def _run(
    arguments: argparse.Namespace, settings: StudySettings, trainings: Sequence[RecipeTraining], stop: Stop
) -> list[Tried]:
    from igcnas.cli.campaign import slots_of, train
    from igcnas.cli.progress.campaign import CampaignProgress
    from igcnas.cli.ray_options import asked_ray
    from igcnas.search.campaign import Campaign
    from igcnas.search.worker import WorkerSetup

    notes: list[str] = []
    campaign = Campaign(trainings, note=notes.append)
    missing = campaign.missing()
    slots = slots_of(arguments, missing, settings.training)
    progress = CampaignProgress(sys.stdout, campaign, workers=len(slots))
    for text in notes:
        progress.note(text)
    setup = WorkerSetup(data=settings.data, training=settings.training, device=arguments.device)
    return train(campaign, setup, slots, stop=stop, progress=progress, ray=asked_ray(arguments))
