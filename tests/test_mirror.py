"""What Optuna's samplers are told: the study in memory."""

from __future__ import annotations

import logging
from dataclasses import replace

import optuna
from optuna.distributions import IntDistribution
from optuna.study import StudyDirection
from optuna.trial import TrialState
from support.toy import Toy, known, trained

from igcnas.search.proposals import Judge, Proposer
from igcnas.search.proposals.mirror import GENERATION, Mirror


def test_with_one_objective_the_mirror_tells_scores_and_of_pruned_networks_those_of_each_epoch() -> None:
    judge = Judge.of([known(100, 50.0, 80.0), known(400, 60.0, 90.0)], images=1_000)
    told = [trained(0, 70.0, 85.0), trained(1, 55.0, complete=False), trained(2, complete=False)]
    (mirror := Mirror(Toy(), targets=None)).update(told, judge)
    assert mirror.study.directions == [StudyDirection.MAXIMIZE]
    finished, pruned = mirror.study.get_trials()  # the failed one has nothing to tell
    assert finished.values == [judge.score(85.0, 400.0)]
    assert finished.params == told[0].parameters
    assert finished.intermediate_values == {}
    assert (pruned.state, pruned.values) == (TrialState.PRUNED, None)
    assert pruned.intermediate_values == {1: judge.score(55.0, 401.0, epoch=1)}


def test_with_a_front_the_mirror_tells_accuracy_cost_and_target() -> None:
    told = [trained(0, 70.0, 85.0), trained(1, 55.0, complete=False)]
    (mirror := Mirror(Toy(), targets=(150, 1_000))).update(told, Judge.of([], images=10))
    assert mirror.study.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    finished, pruned = mirror.study.get_trials()
    assert finished.values == [85.0, 400.0]
    assert finished.params == {**told[0].parameters, "mac_target": 500}
    assert finished.distributions["mac_target"] == IntDistribution(150, 1_000, log=True)
    assert pruned.intermediate_values == {}
    asked = mirror.ask(optuna.samplers.RandomSampler(seed=0))
    assert 150 <= asked["mac_target"] <= 1_000
    assert mirror.study.get_trials(states=[TrialState.RUNNING, TrialState.COMPLETE]) == [finished]
    assert Mirror(Toy(), targets=None).ask(optuna.samplers.RandomSampler(seed=0)).keys() <= asked.keys() - {
        "mac_target"
    }


def test_twenty_networks_that_were_trained_to_the_end_are_a_generation() -> None:
    told = [trained(number, 50.0, complete=number % 3 != 2) for number in range(45)]
    mirror, judge = Mirror(Toy(), targets=(150, 1_000)), Judge.of([], images=10)
    assert mirror.generations == 0
    for count in (7, 33, 45):  # told in pieces
        mirror.update(told[:count], judge)
    assert mirror.generations == 1
    generations = [trial.system_attrs[GENERATION] for trial in mirror.study.get_trials()]
    assert generations == [sum(network.complete for network in told[:number]) // 20 for number in range(45)]
    assert (generations[28], generations[29]) == (0, 1)


def test_networks_in_training_run_in_the_mirror_until_the_next_update() -> None:
    mirror, judge = Mirror(Toy(), targets=None), Judge.of([], images=10)
    for pending in ((8, 9), (9, 10), ()):
        mirror.update([trained(0, 50.0), *(trained(number, complete=False, pending=True) for number in pending)], judge)
        running = mirror.study.get_trials(states=[TrialState.RUNNING])
        assert [trial.params for trial in running] == [trained(number).parameters for number in pending]
        assert len(mirror.study.get_trials(states=[TrialState.COMPLETE])) == 1


def test_the_mirror_begins_anew_where_more_changed_than_that_networks_were_added() -> None:
    mirror, judge = Mirror(Toy(), targets=None), Judge.of([], images=10)
    told = [trained(number, 50.0) for number in range(6)]
    mirror.update(told[:3], judge)
    before = mirror.study
    mirror.update(told[:5], judge)
    assert mirror.study is before
    mirror.update([replace(told[0], accuracies=(51.0,)), *told[1:5]], judge)
    assert mirror.study is not before
    before = mirror.study
    mirror.update([replace(told[0], accuracies=(51.0,)), *told[1:]], Judge.of([], images=11))
    assert mirror.study is not before
    assert len(mirror.study.get_trials()) == 6


def test_dropped_asks_do_not_stay_in_memory_for_ever() -> None:
    mirror, judge, told = Mirror(Toy(), targets=None), Judge.of([], images=10), [trained(0, 50.0)]
    sampler = optuna.samplers.RandomSampler(seed=0)
    for _ in range(30):
        mirror.update(told, judge)
        for _ in range(20):
            mirror.ask(sampler)
    assert len(mirror.study.get_trials()) < 300


def test_the_words_of_optuna_are_as_loud_after_a_search_as_before() -> None:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.DEBUG)
    logging.getLogger("optuna").addHandler(heard := _Heard())
    try:
        Mirror(Toy(), targets=None)
        assert optuna.logging.get_verbosity() == optuna.logging.DEBUG
        assert heard.said == []  # nobody asked for a study in memory
    finally:
        optuna.logging.set_verbosity(before)
        logging.getLogger("optuna").removeHandler(heard)


class _Heard(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def test_a_proposer_tells_its_mirror_before_anybody_asks_it() -> None:
    asked = Proposer(Toy(), budget=1_000, lowest_target=150, spread=True, sampler="nsga2", seed=0, images=10)
    knowing = asked._knowledge([trained(number, 50.0) for number in range(41)])
    assert knowing.mirror().generations == 2
