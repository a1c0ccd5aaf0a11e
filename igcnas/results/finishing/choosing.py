"""What is asked of a finish, put into its settings: which networks of the study, by which recipe, taught by whom."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from igcnas.errors import IgcnasError
from igcnas.results.finishing.plan import (
    FinishSettings,
    long_recipe,
    members_of,
    network_of,
    some_of_the_front,
    usual_epochs,
)
from igcnas.results.finishing.teacher import NONE, TAUGHT_SHARE, USUAL, teachers_of, usual_teacher
from igcnas.search.records import Network
from igcnas.search.study import Study
from igcnas.training.recipes import Recipe, choose_recipe


def chosen(
    study: Study,
    *,
    trials: Sequence[int] | None,
    front: int | None,
    epochs: int | None,
    recipe: str | None,
    seeds: int,
    teacher: str,
) -> FinishSettings:
    """The settings of a finish of this study.

    Args:
        study: whose networks are finished.
        trials: numbers of networks; None for the leader.
        front: so many networks of the front instead.
        epochs: None for as many as suit the number of images.
        recipe: a name or a file; None for the recipe of the study, longer.
        seeds: trainings of each network.
        teacher: as `--teacher` gives it; usual: as measured for the recipe of the study, none for another recipe.

    Raises:
        IgcnasError: there is no such network, recipe or teacher.
    """
    asked, words = _networks(study, trials=trials, front=front)
    if teacher == USUAL:
        teacher = usual_teacher(study, asked) if recipe is None else NONE
    by, teachers = _recipe(study, recipe, epochs=epochs), teachers_of(study, asked, teacher)
    if teachers and not by.distillation:
        by = dataclasses.replace(by, distillation=TAUGHT_SHARE)
    settings = study.settings
    return FinishSettings(
        data_name=settings.data.name,
        data_fingerprint=settings.data.fingerprint,
        chosen=words,
        taught=teacher if teachers else NONE,
        recipe=by,
        training=settings.training,
        seeds=seeds,
        members=members_of(asked, teachers),
    )


def _networks(study: Study, *, trials: Sequence[int] | None, front: int | None) -> tuple[list[Network], str]:
    """Those asked for, each once, and how they were chosen."""
    if front is not None:
        asked, words = some_of_the_front(study, front), f"--front {front}"
    else:
        numbers: Sequence[int | None] = [None] if trials is None else list(dict.fromkeys(trials))
        found = [network_of(study, study.trained_record(number)) for number in numbers]
        asked = list({one.record.number: one for one in found}.values())
        words = "the leader" if trials is None else f"--trial {' '.join(map(str, numbers))}"
    if not asked:
        raise IgcnasError(f"the front of study {study.name!r} is empty; run the search first")
    return asked, words


def _recipe(study: Study, name: str | None, *, epochs: int | None) -> Recipe:
    images = len(study.data.train.labels)
    if name is None:
        return long_recipe(study.settings.training, epochs=epochs or usual_epochs(images))
    family = "" if study.leader is None else study.leader.architecture.family
    height = study.settings.data.input_shape[1]
    return choose_recipe(name, family=family, height=height, images=images).adapted(epochs=epochs)
