"""How much each choice matters, by Optuna's evaluators, on an in-memory study whose value is what is to be explained.

ped-anova (Watanabe et al., IJCAI 2023): how much the values of a choice differ between the best networks and all.
fanova (Hutter et al., ICML 2014): share of the variance that a forest explains by a choice alone. mdi: how much a
forest's splits on a choice reduce the variance. Every value counts as a category. The study is maximized and has the
value itself: with `target=`, ped-anova would tell what makes it low.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from igcnas.errors import StudyError, unknown_name

EVALUATORS = ("fanova", "ped-anova", "mdi")
# From 60 networks of our table of 1,232, fanova ranks the choices as all do with a Spearman correlation of 0.7, mdi of
# 0.6, ped-anova of 0.5 with a quarter of the networks as the best, of 0.2 with a tenth, which is Optuna's default.
DEFAULT = "fanova"
_BEST = 0.25
_LEAST_BEST = 5  # Optuna asks for five
_TREES = 16


def importances(
    choices: Sequence[Mapping[str, Any]],
    better: Sequence[float],
    names: Sequence[str],
    *,
    evaluator: str,
    seed: int,
) -> dict[str, float]:
    """Importance of each name, at least 0, not normalized; every network must have all names, with two values each."""
    options = {name: sorted({repr(chosen[name]) for chosen in choices}) for name in names}
    spread = {name: optuna.distributions.CategoricalDistribution(words) for name, words in options.items()}
    # Sorted, because mdi of Optuna 5.0.0 gives names in another order each other's importance.
    varied = sorted(name for name in names if len(options[name]) > 1)
    if not varied:
        return dict.fromkeys(names, 0.0)
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: repr(chosen[name]) for name in varied},
                distributions={name: spread[name] for name in varied},
                value=float(value),
            )
            for chosen, value in zip(choices, better, strict=True)
        ]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = optuna.importance.get_param_importances(
            study, evaluator=_make(evaluator, len(choices), seed), params=varied, normalize=False
        )
    return {name: float(found.get(name, 0.0)) for name in names}


def check_evaluator(name: str) -> None:
    """Raise StudyError for a name that is none."""
    if name not in EVALUATORS:
        raise StudyError(unknown_name("evaluator", name, EVALUATORS))


def _make(name: str, networks: int, seed: int) -> optuna.importance.BaseImportanceEvaluator:
    check_evaluator(name)
    if name == "ped-anova":
        return optuna.importance.PedAnovaImportanceEvaluator(target_quantile=max(_BEST, _LEAST_BEST / networks))
    if name == "fanova":
        return optuna.importance.FanovaImportanceEvaluator(n_trees=_TREES, seed=seed)
    return optuna.importance.MeanDecreaseImpurityImportanceEvaluator(n_trees=_TREES, seed=seed)
