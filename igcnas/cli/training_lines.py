"""What is said of how a study trains its networks, and of what it compares them by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from igcnas.training.settings import TrainingSettings


def training_lines(training: TrainingSettings) -> list[str]:
    """The recipe, and the metric where it is not plain accuracy."""
    from igcnas.training.recipes import recipe_for
    from igcnas.training.recipes.choosing import recipe_words
    from igcnas.training.settings import BALANCED

    lines = [f"recipe    {recipe_words(recipe_for(training))}"]
    if training.metric == BALANCED:
        lines.append("metric    balanced accuracy: the mean over classes of the share of their images that is right")
    return lines


def training_json(training: TrainingSettings) -> dict[str, Any]:
    """The same as data: the whole recipe."""
    from igcnas.training.recipes import recipe_for

    return {"recipe": recipe_for(training).to_dict(), "metric": training.metric}
