"""Importance and effects find what was put into made-up results, at equal MACs, and admit what they cannot say."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from igcnas.cli import main
from igcnas.cli.importance import _EVALUATORS
from igcnas.data.loading import load_dataset
from igcnas.errors import StudyError
from igcnas.network.budget import macs_budget
from igcnas.results.importance import EVALUATORS, Report, Sample, analyse, analysis, samples_of
from igcnas.results.importance.effects import additive
from igcnas.results.importance.evaluators import importances
from igcnas.results.importance.figure import _ticks, compute_rows, position
from igcnas.results.importance.samples import better_than_equals, fewer_percent
from igcnas.search.folder import guard_settings, open_study
from igcnas.search.records import proposal_attributes
from igcnas.search.settings import DataSettings, StudySettings
from igcnas.search.space import InvertedFamily, SearchSpace
from igcnas.search.study import Study
from igcnas.training.settings import TrainingSettings

SPACE = SearchSpace(
    name="two",
    families=(
        InvertedFamily(name="mobilenetv2", expansion=(2, 4), expand_activation=True),
        InvertedFamily(name="igcv3", expansion=(2, 4), G1=(2, 4), G2=(2, 4), expand_activation=False),
    ),
    stages=2,
    depths=(1, 2),
    growths=(1.0, 2.0),
    final_sizes=(4,),
)
TRAINING = TrainingSettings(epochs=1)
DATA = DataSettings.of(load_dataset("digits"), TRAINING, spec="digits", data_dir=None, image_size=None)
SETTINGS = StudySettings(
    space=SPACE.to_dict(),
    space_path="two",
    budget_macs=200_000,
    objective="front",
    sampler="random",
    baselines=False,
    seed=0,
    data=DATA,
    training=TRAINING,
)


def made_up(number: int, log_errors: Callable[[Mapping[str, Any], float], float]) -> list[Sample]:
    """Random choices of the space with these log errors of (choices, MACs), and a little noise."""
    draws = random.Random(0)
    found = []
    for _ in range(number):
        family = draws.choice(SPACE.families)
        axes = SPACE.axes(family).items()
        chosen = {"block": family.name} | {axis: draws.choice(options) for axis, options in axes}
        macs = math.exp(draws.uniform(math.log(20_000), math.log(200_000)))
        errors = log_errors(chosen, macs) + draws.gauss(0, 0.05)
        found.append(Sample(parameters=chosen, macs=macs, log_errors=errors))
    return found


def truth(chosen: Mapping[str, Any], macs: float) -> float:
    """More MACs help; a deep second stage makes half as many errors; G1 = 2 is better than 4; nothing else matters."""
    better = math.log(2) * (chosen["depth2"] == 2) + 0.5 * (chosen.get("igcv3.G1") == 2)
    return -0.6 * math.log(macs) - better


def analysed(samples: list[Sample], evaluator: str = "mdi") -> Report:
    return analyse(samples, evaluator=evaluator, resamplings=20, judged=6)


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_what_matters_comes_first_and_above_chance(evaluator):
    report = analysed(made_up(80, truth), evaluator)
    common = [choice for choice in report.choices if not choice.scope]
    inside = [choice for choice in report.choices if choice.scope == "igcv3"]
    assert common[0].name == "depth2"
    assert common[0].shown
    assert inside[0].name == "igcv3.G1"
    assert inside[0].shown
    assert sum(choice.share for choice in common) == pytest.approx(1)


def test_a_choice_of_which_all_but_two_networks_had_one_value_is_not_shown_to_matter():
    common = [sample for sample in made_up(200, truth) if sample.parameters["depth2"] != 2]
    rare = [sample for sample in made_up(200, truth) if sample.parameters["depth2"] == 2][:3]
    values = {sample.parameters["depth2"] for sample in common}
    only = [sample for sample in common if sample.parameters["depth2"] == min(values)][:60]
    for count, shown in ((2, False), (3, True)):
        report = analysed([*only, *rare[:count]])
        choice = next(choice for choice in report.choices if choice.name == "depth2")
        assert choice.share > choice.chance
        assert (choice.comparable, choice.shown) == (shown, shown)


def test_where_nothing_matters_little_is_shown():
    report = analysed(made_up(80, lambda chosen, macs: -0.6 * math.log(macs)))
    assert sum(choice.shown for choice in report.choices) <= 3
    numbers = [effect.fewer_percent for choice in report.choices for effect in choice.effects]
    assert max(map(abs, numbers)) < 6


def test_effects_are_what_was_put_in():
    report = analysed(made_up(200, truth))
    by_name = {choice.name: {effect.value: effect for effect in choice.effects} for choice in report.choices}
    deep, flat = by_name["depth2"]["2"], by_name["depth2"]["1"]
    ratio = (1 - deep.fewer_percent / 100) / (1 - flat.fewer_percent / 100)
    assert ratio == pytest.approx(0.5, abs=0.03)
    assert deep.low > 0 > flat.high
    assert deep.low <= deep.fewer_percent <= deep.high
    own = by_name["igcv3.G1"]
    assert (1 - own["2"].fewer_percent / 100) / (1 - own["4"].fewer_percent / 100) == pytest.approx(
        math.exp(-0.5), abs=0.05
    )


def test_macs_are_no_choice():
    """A choice that only goes with more MACs has no effect."""
    draws = random.Random(1)
    samples = []
    for _ in range(200):
        wide = draws.random() < 0.5
        macs = math.exp(draws.uniform(10, 11) + wide * 0.7)
        chosen = {"block": "a", "growth": 2.0 if wide else 1.0, "depth1": draws.choice((1, 2))}
        samples.append(Sample(parameters=chosen, macs=macs, log_errors=-math.log(macs) + draws.gauss(0, 0.05)))
    effects, _ = additive(
        [sample.parameters for sample in samples],
        np.array([sample.macs for sample in samples]),
        better_than_equals(samples),
        ["growth", "depth1"],
    )
    assert max(abs(number) for numbers in effects.values() for number in numbers.values()) < 0.03


def test_networks_of_one_cost_are_compared_as_they_are():
    samples = [Sample(parameters={"block": "a"}, macs=100, log_errors=value) for value in (-1.0, -2.0, -3.0)]
    assert better_than_equals(samples) == pytest.approx([-1, 0, 1])


def test_importance_is_of_good_networks_not_of_bad_ones():
    """With Optuna's target=, ped-anova tells what makes a value low: here a choice that only ruins networks."""
    draws = random.Random(0)
    choices = [{"ruins": draws.random() < 0.1, "helps": draws.random() < 0.3} for _ in range(300)]
    better = [-5.0 * chosen["ruins"] + chosen["helps"] + draws.gauss(0, 0.1) for chosen in choices]
    found = importances(choices, better, ["ruins", "helps"], evaluator="ped-anova", seed=0)
    assert found["helps"] > found["ruins"]


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_the_order_of_names_does_not_matter(evaluator):
    draws = random.Random(0)
    choices = [{name: draws.choice((2, 4)) for name in "xbc"} for _ in range(60)]
    better = [(chosen["b"] == 2) + draws.gauss(0, 0.1) for chosen in choices]
    for names in ("xbc", "bcx", "cxb"):
        found = importances(choices, better, list(names), evaluator=evaluator, seed=0)
        assert max(found, key=lambda name: found[name]) == "b"


def test_a_block_type_of_few_networks_is_not_looked_into():
    samples = [s for s in made_up(80, truth) if s.parameters["block"] == "igcv3"]
    samples += [s for s in made_up(80, truth) if s.parameters["block"] == "mobilenetv2"][:5]
    report = analysed(samples)
    assert report.too_few == {"mobilenetv2": 5}
    assert {choice.scope for choice in report.choices} == {"", "igcv3"}


def test_a_value_of_two_networks_has_no_interval():
    samples = made_up(60, truth)
    samples[0] = dataclasses.replace(samples[0], parameters={**samples[0].parameters, "growth": 3.0})
    report = analysed(samples, "ped-anova")
    (rare,) = [effect for choice in report.choices for effect in choice.effects if effect.value == "3"]
    assert rare.n == 1
    assert math.isnan(rare.low)


def test_a_seed_makes_the_same_report():
    samples = made_up(40, truth)
    assert analysed(samples, "mdi") == analysed(samples, "mdi")


def test_percent_fewer_errors_and_their_place_in_the_picture_agree():
    for better in (-1.0, -0.1, 0.0, 0.3, 2.0):
        assert position(fewer_percent(better)) == pytest.approx(better)


def test_every_value_has_a_row_of_its_own():
    report = analysed(made_up(60, truth), "ped-anova")
    rows = compute_rows(report)
    assert sum(row.effect is not None for row in rows) == sum(len(choice.effects) for choice in report.choices)
    heights = [row.y for row in rows]
    assert heights == sorted(set(heights))


def study_of(folder: Path, samples: list[Sample]) -> None:
    """A study whose searched networks had these choices; their accuracies follow from the log errors."""
    folder.mkdir(parents=True)
    guard_settings(folder, SETTINGS)
    study = open_study(folder, create_for=SETTINGS)
    for number, sample in enumerate(samples):
        fit = SPACE.decode(sample.parameters, (1, 8, 8), 10).fit(macs_budget(int(sample.macs)))
        if fit is None:
            continue
        attributes = proposal_attributes(
            fit.architecture,
            macs=fit.used,
            params=1,
            target=int(sample.macs),
            baseline=None,
            seed=0,
            epochs=1,
            canonical_id=str(number),
        )
        accuracy = max(0.0, 100.0 - 1000 * math.exp(truth(sample.parameters, fit.used)))
        options: dict[str, Any] = {"mac_target": optuna.distributions.IntDistribution(1, 10**9)}
        for name, value in sample.parameters.items():
            options[name] = optuna.distributions.CategoricalDistribution([value])
        study.add_trial(
            optuna.trial.create_trial(
                params={"mac_target": int(sample.macs), **sample.parameters},
                distributions=options,
                user_attrs=attributes | {"val_accuracy": accuracy, "curve": [(1, 0.0, accuracy)]},
                values=[accuracy, fit.used],
            )
        )


def test_the_command_writes_picture_and_table(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(analysis, "RESAMPLINGS", 5)
    study_of(tmp_path / "s", made_up(90, truth))
    words = ["importance", "s", "--studies-dir", str(tmp_path), "--evaluator", "ped-anova"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "blocks in stage 2" in shown
    assert "groups of the expansion, G1" in shown
    assert "mac_target" not in shown
    assert (tmp_path / "s" / "importance.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert (tmp_path / "s" / "importance.csv").read_text().startswith("choice,label,within,networks,importance")
    assert main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["choices"][0]["name"] == "depth2"
    assert report["choices"][0]["above_chance"] is True


def test_a_small_study_says_what_is_missing(tmp_path, capsys):
    study_of(tmp_path / "s", made_up(6, truth))
    assert main(["importance", "s", "--studies-dir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "searched networks that were trained to the end; what matters can be told from 20 on" in error


def test_known_networks_and_repeats_are_not_samples(tmp_path):
    study_of(tmp_path / "s", made_up(60, truth))
    study = open_study(tmp_path / "s")
    before = samples_of(Study.read(tmp_path / "s"))
    first = study.get_trials()[0]
    attributes = first.user_attrs | {"baseline": "ResNet-20"}
    study.add_trial(optuna.trial.create_trial(user_attrs=attributes, values=first.values))
    attributes = first.user_attrs | {"repeat": 1, "repeat_of": 0, "val_accuracy": 0.0}
    study.add_trial(optuna.trial.create_trial(user_attrs=attributes, values=first.values))
    after = samples_of(Study.read(tmp_path / "s"))
    assert len(after) == len(before)
    assert after[0].log_errors > before[0].log_errors  # the mean over its trainings
    assert after[1:] == before[1:]


def test_the_command_knows_the_evaluators():
    assert _EVALUATORS == EVALUATORS
    with pytest.raises(StudyError, match="did you mean 'fanova'"):
        analyse(made_up(30, truth), evaluator="fanov")


@pytest.mark.parametrize("extent", [0.1, 0.2, 0.5, 1.2])
def test_words_on_the_axis_of_effects_do_not_overlap(extent):
    places = sorted(position(tick) for tick in _ticks(extent))
    assert 0.0 in places
    assert len(places) >= 3
    assert min(b - a for a, b in itertools.pairwise(places)) >= 2 * extent / 7
