"""What is said of how a study trains its networks, and of what it compares them by."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from igcnas.search.settings import StudySettings


def training_lines(settings: StudySettings) -> list[str]:
    """The recipe, how it was found where it was tuned, and the metric where it is not plain accuracy."""
    from igcnas.training.recipes import recipe_for
    from igcnas.training.recipes.choosing import recipe_words
    from igcnas.training.settings import BALANCED

    training = settings.training
    lines = [f"recipe    {recipe_words(recipe_for(training))}"]
    if settings.tuning is not None:
        lines.append(f"tuned     {settings.tuning.words()}")
    if training.metric == BALANCED:
        lines.append("metric    balanced accuracy: the mean over classes of the share of their images that is right")
    return lines


def training_json(settings: StudySettings) -> dict[str, Any]:
    """The same as data: the whole recipe."""
    from igcnas.training.recipes import recipe_for

    tuning = settings.tuning
    tuned = None if tuning is None else asdict(tuning) | {"chosen": tuning.chosen, "words": tuning.words()}
    training = settings.training
    return {"recipe": recipe_for(training).to_dict(), "metric": training.metric, "tuning": tuned}
