"""The model of a controller keeps what any queue keeps; what is fitted to it goes through what was measured."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.scale import parts, studies
from benchmarks.scale.durations import duration
from benchmarks.scale.model import between, simulate
from benchmarks.scale.virtual import Virtual
from igcnas.search.observing import observations, observed
from igcnas.search.records import records


def constant(seconds: float):
    return lambda ended, training: seconds


@pytest.mark.parametrize("workers", [1, 3, 50])
def test_every_trial_ends_once_and_each_but_the_first_of_a_worker_has_waited(workers: int) -> None:
    found = simulate(constant(0.2), constant(0.1), workers=workers, trials=120, mean=1.0)
    assert found.trials == 120
    assert len(found.waits) == 120 - workers
    assert found.busy == pytest.approx(120 * 0.3)
    assert min(found.waits) >= 0.3 - 1e-9


def test_one_worker_and_a_controller_that_takes_no_time_take_as_long_as_the_trainings() -> None:
    found = simulate(constant(0), constant(0), workers=1, trials=40, mean=2.0, seed=3)
    assert found.seconds == pytest.approx(sum(duration(3, number, 2.0) for number in range(40)))
    assert found.mean_wait == 0


def test_one_worker_waits_for_every_service() -> None:
    found = simulate(constant(0.5), constant(0.25), workers=1, trials=40, mean=2.0)
    assert found.seconds == pytest.approx(sum(duration(0, number, 2.0) for number in range(40)) + 40 * 0.75)


def test_no_more_trials_a_second_than_the_workers_or_the_controller_can_do() -> None:
    draws = random.Random(0)
    for _ in range(30):
        workers, mean, service = draws.randrange(1, 200), draws.uniform(0.1, 20), draws.uniform(0.001, 1)
        found = simulate(constant(0.7 * service), constant(0.3 * service), workers=workers, trials=300, mean=mean)
        each = [duration(0, number, mean) for number in range(300)]
        assert found.per_second <= workers / (sum(each) / 300) + 1e-9
        assert found.per_second <= 1 / service + 1e-9


def test_a_busy_controller_is_the_limit_and_an_idle_one_is_not() -> None:
    busy = simulate(constant(0.2), constant(0.0), workers=100, trials=2000, mean=1.0)
    assert busy.per_second == pytest.approx(5, rel=0.02)
    idle = simulate(constant(0.0002), constant(0.0), workers=100, trials=20_000, mean=10.0)
    assert idle.per_second == pytest.approx(10, rel=0.02)


def test_the_fit_goes_through_what_was_measured_and_straight_on() -> None:
    at = between({(100, 1): 1.0, (100, 10): 2.0, (1000, 1): 4.0, (1000, 10): 6.0})
    assert [at(100, 1), at(100, 10), at(1000, 1), at(1000, 10)] == [1.0, 2.0, 4.0, 6.0]
    assert at(550, 5.5) == pytest.approx((1 + 2 + 4 + 6) / 4)
    assert at(1900, 1) == pytest.approx(7.0)
    assert at(1000, 19) == pytest.approx(8.0)
    assert at(3, 1) == 1.0


def test_trainings_take_the_mean_that_was_asked_for() -> None:
    assert sum(duration(0, number, 5.0) for number in range(4000)) / 4000 == pytest.approx(5.0, rel=0.03)


def test_a_filled_study_is_gone_on_with_by_the_real_search_and_every_second_has_its_part(tmp_path: Path) -> None:
    with parts.watched() as watched:
        evaluator = Virtual(4)
        search = studies.search(tmp_path / "study", evaluator, studies.settings("random"))
        studies.fill(search, ended=20, running=4)
        search.run(30)
        told = watched.told()
    every = records(search.study)
    objective = search.settings.compares
    anew = observed(every, {trial.number: trial.params for trial in search.study.get_trials()}, objective)
    assert observations(search.study, objective) == anew
    first, again = (observations(search.study, objective)[0] for _ in range(2))
    assert first is again  # it was read before the search began its last training
    known = observations(search.study, objective, known_to=replace(every[25], pending=(3,)))
    assert [one.pending for one in known] == [number == 3 for number in range(25)]
    assert observations(search.study, objective) == anew
    assert [record.state for record in every] == ["complete"] * 30
    assert len({record.canonical_id for record in every}) == 30
    assert all(told["core"][part] > 0 for part in parts.PARTS if part != "evaluator")
    assert sum(told["wall"].values()) == pytest.approx(watched.seconds, rel=0.01)
