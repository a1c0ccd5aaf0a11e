"""The search with a stand-in for training: what it trains, what it records, and that it can stop at any point."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState
from support.searches import BUDGET, DATA, SMALL, TRAINING, Quiet, Trainings, raising, results_of, settings_of

from igcnas.errors import BudgetError, IgcnasError, TrainingError
from igcnas.network.architecture import Architecture
from igcnas.network.baselines import baselines
from igcnas.network.budget import macs_budget
from igcnas.network.cost import count
from igcnas.search.checks import check_budget
from igcnas.search.controller import Search
from igcnas.search.evaluation import Interrupted, InTurn, OnEpoch, Outcome
from igcnas.search.folder import open_study
from igcnas.search.objective import OBJECTIVES
from igcnas.search.observing import observations
from igcnas.search.proposals import Judge
from igcnas.search.records import RESULT_ATTRIBUTES, best, front, records
from igcnas.search.repeating import Repeating
from igcnas.search.report import Summary
from igcnas.search.settings import StudySettings
from igcnas.search.space import BasicFamily, SearchSpace, load_space

ONE = SearchSpace(
    name="one",
    families=(BasicFamily(),),
    stages=1,
    depths=(1,),
    growths=(1.0,),
    final_sizes=(4,),
    head_ratios=(0,),
    max_width=1,
)
NO_REPEATS = Repeating(budget=macs_budget(BUDGET), images=1)


def search(
    folder: Path, space: SearchSpace, settings: StudySettings, evaluate: Trainings, progress: Quiet | None = None
) -> Search:
    """Everything opened anew, as another process would."""
    folder.mkdir(exist_ok=True)
    study = open_study(folder, create_for=settings)
    return Search(study, folder, space, settings, InTurn(evaluate), progress or Quiet())


def run(folder: Path, networks: int, evaluate: Trainings | None = None, **settings: Any) -> Summary:
    return search(folder, SMALL, settings_of(SMALL, **settings), evaluate or Trainings()).run(networks)


def history(folder: Path) -> list[tuple[Any, ...]]:
    """What must not depend on interruptions."""
    return [
        (t.number, t.state, t.params, t.values, t.user_attrs["architecture_id"], t.user_attrs["target_macs"])
        for t in open_study(folder).trials
    ]


# The budget


@pytest.mark.parametrize("objective", ["front", "accuracy"])
@pytest.mark.parametrize(
    ("space", "budget"), [("all", 30_000), ("all", 200_000), ("learned", 30_000), ("igcv1", 6_000)]
)
def test_no_network_over_the_budget_is_ever_trained(tmp_path: Path, space: str, budget: int, objective: str) -> None:
    trainings = Trainings()
    settings = settings_of(load_space(space), budget, objective=objective, baselines=True)
    searched = search(tmp_path / "study", load_space(space), settings, trainings)
    searched.run(8)
    costs = [count(network).macs for network in trainings.networks]
    assert len(costs) == 8
    assert max(costs) <= budget


def test_a_front_is_searched_from_a_tenth_of_the_budget_to_the_budget(tmp_path: Path) -> None:
    run(tmp_path / "study", 20)
    targets = [record.target for record in records(open_study(tmp_path / "study"))]
    assert all(BUDGET // 10 <= target <= BUDGET for target in targets)
    assert min(targets) < 0.4 * BUDGET
    assert max(targets) > 0.6 * BUDGET


def test_networks_for_accuracy_are_as_wide_as_the_budget_lets_them(tmp_path: Path) -> None:
    run(tmp_path / "study", 6, objective="accuracy")
    for trial in open_study(tmp_path / "study").trials:
        structure = SMALL.decode(trial.params, DATA.input_shape, 10)
        fit = structure.fit(macs_budget(BUDGET))
        assert fit is not None
        assert fit.architecture.id == trial.user_attrs["architecture_id"]
        assert count(structure.at(fit.n + 1)).macs > BUDGET


def test_a_budget_below_the_smallest_network_is_refused_with_that_figure_before_any_training(tmp_path: Path) -> None:
    smallest = count(SMALL.smallest(DATA.input_shape, 10)).macs
    trainings = Trainings()
    with pytest.raises(BudgetError) as caught:
        search(tmp_path / "study", SMALL, settings_of(SMALL, smallest - 1), trainings)
    assert f"{smallest / 1e6:.12g} MFLOPs; raise --budget-mflops" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not trainings.networks


def test_a_budget_of_the_smallest_network_is_enough_for_one(tmp_path: Path) -> None:
    smallest = count(SMALL.smallest(DATA.input_shape, 10)).macs
    trainings = Trainings()
    summary = search(tmp_path / "study", SMALL, settings_of(SMALL, smallest), trainings).run(1)
    assert summary.trained == 1
    assert count(trainings.networks[0]).macs == smallest


def test_the_refused_budget_and_the_smallest_one_are_told_apart_on_large_images() -> None:
    space = load_space("all")
    data = dataclasses.replace(DATA, input_shape=(3, 645, 645))
    smallest = count(space.smallest(data.input_shape, 10)).macs
    assert smallest > 1_000_000  # seven digits: one more than %g shows
    settings = dataclasses.replace(settings_of(space, smallest - 1), data=data)
    with pytest.raises(BudgetError, match=f"images, {smallest / 1e6:.12g} MFLOPs;"):
        check_budget(space, settings)


def test_a_network_whose_learned_groups_came_out_over_the_budget_is_on_no_front(tmp_path: Path) -> None:
    class Unbalanced(Trainings):
        def __call__(self, architecture: Architecture, folder: Path, on_epoch: OnEpoch, repeat: int = 0) -> Outcome:
            over = {"measured_macs": BUDGET + 1, "val_accuracy": 99.0} if not self.networks else {}
            super().__call__(architecture, folder, on_epoch)
            return Outcome(results=results_of(architecture) | over)

    run(tmp_path / "study", 3, Unbalanced())
    study = open_study(tmp_path / "study")
    every = records(study)
    assert [trial.user_attrs["within_budget"] for trial in study.trials] == [False, True, True]
    assert every[0].val_accuracy == 99.0
    assert study.trials[0].values == [99.0, BUDGET + 1]
    assert every[0] not in front(every, macs_budget(BUDGET))
    champion = best(every, macs_budget(BUDGET))
    assert champion is not None
    assert champion.number != 0


# How many, and which


def test_the_number_of_networks_counts_those_of_earlier_runs(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    assert run(folder, 3).trained == 3
    later = Trainings()
    assert run(folder, 5, later).trained == 5
    assert len(later.networks) == 2
    assert run(folder, 4, nothing := Trainings()).trained == 5
    assert not nothing.networks


def test_no_network_is_trained_twice(tmp_path: Path) -> None:
    trainings = Trainings()
    space = dataclasses.replace(SMALL, families=(BasicFamily(),), growths=(1.0, 2.0), max_width=2)
    search(tmp_path / "study", space, settings_of(space, 10**9, objective="accuracy"), trainings).run(12)
    assert len(trainings.networks) == 12
    assert len({network.id for network in trainings.networks}) == 12


def test_a_space_without_further_networks_ends_the_search(tmp_path: Path) -> None:
    trainings, two = Trainings(), dataclasses.replace(ONE, name="two", depths=(1, 2))
    summary = search(tmp_path / "study", two, settings_of(two), trainings).run(5)
    assert summary.exhausted
    assert summary.trained == len(trainings.networks) == 2
    assert summary.tally.repeats >= 2000


def test_a_network_that_failed_is_not_tried_again(tmp_path: Path) -> None:
    trainings = Trainings(lambda _: Outcome(reason="diverged"))
    summary = search(tmp_path / "study", ONE, settings_of(ONE), trainings).run(5)
    assert summary.exhausted
    assert len(trainings.networks) == summary.failed == 1


def test_a_search_that_reached_its_number_is_not_exhausted(tmp_path: Path) -> None:
    assert not run(tmp_path / "study", 2).exhausted


def test_known_networks_are_trained_first_and_only_those_that_fit(tmp_path: Path) -> None:
    known = baselines(DATA.input_shape, 10, macs_budget(BUDGET))
    assert 1 < len(known) < 4
    trainings = Trainings()
    run(tmp_path / "study", len(known) + 2, trainings, baselines=True)
    every = records(open_study(tmp_path / "study"))
    assert [record.baseline for record in every] == [*known, None, None]
    assert [n.id for n in trainings.networks[: len(known)]] == [fit.architecture.id for fit in known.values()]
    assert all(record.target == BUDGET for record in every[: len(known)])


def test_samplers_and_seeds_propose_different_networks(tmp_path: Path) -> None:
    seen = set()
    for number, settings in enumerate(({}, {"seed": 1}, {"sampler": "random"}, {"objective": "accuracy"})):
        trainings = Trainings()
        run(tmp_path / str(number), 12, trainings, **settings)
        seen.add(tuple(network.id for network in trainings.networks))
    assert len(seen) == 4


def test_samples_fit_the_budget_and_are_the_same_for_the_same_seed(tmp_path: Path) -> None:
    searched = search(tmp_path / "study", SMALL, settings_of(SMALL), Trainings())
    samples = searched.samples(3)
    assert len(samples) == 3
    assert all(count(sample).macs <= BUDGET for sample in samples)
    assert searched.samples(3) == samples


def test_an_unknown_sampler_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(IgcnasError, match="did you mean 'tpe'"):
        search(tmp_path / "study", SMALL, settings_of(SMALL, sampler="tpee"), Trainings())


# Stopping and going on


@pytest.mark.parametrize("objective", ["front", "accuracy"])
def test_a_search_in_pieces_is_the_search_at_once(tmp_path: Path, objective: str) -> None:
    whole, pieces = tmp_path / "study", tmp_path / "pieces" / "study"
    pieces.parent.mkdir()
    run(whole, 16, objective=objective, baselines=True)
    run(pieces, 3, objective=objective, baselines=True)
    with pytest.raises(KeyboardInterrupt):  # as a kill in the middle of a training
        run(pieces, 16, Trainings(raising(KeyboardInterrupt(), 4)), objective=objective, baselines=True)
    assert run(pieces, 16, Trainings(raising(Interrupted(), 3)), objective=objective, baselines=True).interrupted
    run(pieces, 13, objective=objective, baselines=True)  # behind the sampler's ten random trials
    run(pieces, 16, objective=objective, baselines=True)
    assert history(pieces) == history(whole)
    assert len(history(whole)) == 16


def test_a_kill_between_the_queue_and_the_training_changes_nothing(tmp_path: Path) -> None:
    whole, killed = tmp_path / "study", tmp_path / "killed" / "study"
    killed.parent.mkdir()
    run(whole, 4)
    run(killed, 2)
    searched = search(killed, SMALL, settings_of(SMALL), Trainings())
    assert searched.agenda._add_proposal({record.canonical_id for record in records(searched.study)}, [])
    assert searched.study.trials[2].state is TrialState.WAITING
    run(killed, 3)
    searched = search(killed, SMALL, settings_of(SMALL), Trainings())
    assert searched.agenda.next(4, NO_REPEATS, {}) is not None  # asked for, but nothing of it is recorded yet
    assert searched.study.trials[3].state is TrialState.RUNNING
    run(killed, 4)
    assert history(killed) == history(whole)


def test_going_on_draws_anew_instead_of_repeating_the_first_draws(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    run(folder, 3, sampler="random")
    run(folder, 6, sampler="random")
    parameters = [json.dumps(trial.params, sort_keys=True) for trial in open_study(folder).trials]
    assert len(set(parameters)) == 6
    first = search(folder, SMALL, settings_of(SMALL, sampler="random"), Trainings())
    summary = first.run(8)
    assert summary.tally.repeats == 0


def test_a_network_left_by_a_killed_run_is_taken_up_under_its_number(tmp_path: Path) -> None:
    folder, killed, progress, later = tmp_path / "study", Trainings(raising(SystemExit(), 2)), Quiet(), Trainings()
    with pytest.raises(SystemExit):
        run(folder, 3, killed)
    assert [trial.state for trial in open_study(folder).trials] == [TrialState.COMPLETE, TrialState.RUNNING]
    search(folder, SMALL, settings_of(SMALL), later, progress).run(3)
    assert later.networks[0] == killed.networks[1]
    assert later.folders[0] == killed.folders[1] == folder / "trials" / "00001"
    assert [trial.number for trial in open_study(folder).trials] == [0, 1, 2]
    assert all(trial.state is TrialState.COMPLETE for trial in open_study(folder).trials)
    assert any("network 1" in note for note in progress.notes)


def test_a_network_that_kills_its_run_five_times_is_closed_as_failed(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    for _ in range(5):
        with pytest.raises(SystemExit):
            run(folder, 2, Trainings(raising(SystemExit(), 1)))
    trainings = Trainings()
    summary = run(folder, 2, trainings)
    every = records(open_study(folder))
    assert [record.state for record in every] == ["failed", "complete", "complete"]
    assert every[0].reason == "the run was killed 5 times while it trained"
    assert every[0].architecture.id not in {network.id for network in trainings.networks}
    assert (summary.trained, summary.failed) == (2, 1)


def test_a_polite_stop_does_not_count_as_a_start(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    for _ in range(7):
        assert run(folder, 1, Trainings(raising(Interrupted(), 1))).interrupted
    assert run(folder, 1).trained == 1
    assert open_study(folder).trials[0].user_attrs["starts"] == 1


def test_a_stop_between_two_networks_leaves_none_unfinished(tmp_path: Path) -> None:
    settings, trainings = settings_of(SMALL), Trainings()
    folder = tmp_path / "study"
    folder.mkdir()
    study = open_study(folder, create_for=settings)
    stop = Search(study, folder, SMALL, settings, InTurn(trainings), Quiet(), stop=lambda: len(trainings.networks) == 2)
    summary = stop.run(5)
    assert (summary.interrupted, summary.exhausted, summary.trained) == (True, False, 2)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 2


# Failures and records


def test_a_failed_training_is_recorded_with_its_reason_and_the_search_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    summary = run(folder, 3, Trainings(lambda now: Outcome(reason="diverged") if now == 2 else None))
    every = records(open_study(folder))
    assert [record.state for record in every] == ["complete", "failed", "complete", "complete"]
    assert every[1].reason == "diverged"
    assert every[1].val_accuracy is None
    assert (summary.trained, summary.failed) == (3, 1)
    assert len({record.architecture.id for record in every}) == 4


def test_ten_failures_in_a_row_stop_the_search_in_one_line(tmp_path: Path) -> None:
    trainings = Trainings(lambda now: None if now == 5 else Outcome(reason="no space left on device"))
    with pytest.raises(TrainingError, match=r"^10 trainings in a row failed, .*no space left on device; ") as caught:
        run(tmp_path / "study", 60, trainings)
    assert "\n" not in str(caught.value)
    assert len(trainings.networks) == 15  # the fifth, which did not fail, started the count anew


def test_the_record_of_a_network_is_all_that_training_it_again_needs(tmp_path: Path) -> None:
    folder, trainings = tmp_path / "study", Trainings()
    run(folder, 3, trainings, baselines=True)
    study = open_study(folder)
    for trial, network in zip(study.trials, trainings.networks, strict=True):
        attributes, cost = trial.user_attrs, count(network)
        assert Architecture.from_json(attributes["architecture"]) == network
        assert attributes["architecture_id"] == network.id
        assert (attributes["macs"], attributes["params"]) == (cost.macs, cost.params)
        assert attributes["seed"] == TRAINING.network_seed(network.id)
        assert attributes["epochs"] == 2
        assert {key: attributes[key] for key in RESULT_ATTRIBUTES} == results_of(network)
        assert trial.values == [attributes["val_accuracy"], attributes["measured_macs"]]
    proposed = [trial for trial in study.trials if trial.user_attrs["baseline"] is None]
    assert proposed
    for trial in proposed:  # Optuna's parameters are those the network was made from
        structure = SMALL.decode(trial.params, DATA.input_shape, 10)
        fit = structure.fit(macs_budget(trial.user_attrs["target_macs"]))
        assert fit is not None
        assert fit.architecture.id == trial.user_attrs["architecture_id"]


def test_optuna_opens_the_study_with_its_own_journal(tmp_path: Path) -> None:
    run(tmp_path / "study", 2)
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "study" / "journal.log")))
    study = optuna.load_study(study_name="study", storage=storage)
    assert study.metric_names == ["val_accuracy", "macs"]
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.user_attrs["budget_macs"] == BUDGET
    assert len(study.best_trials) >= 1
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 2


def test_the_dashboard_opens_the_study(tmp_path: Path) -> None:
    from optuna_dashboard import wsgi

    run(tmp_path / "study", 2)
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "study" / "journal.log")))
    status: list[str] = []
    environ: dict[str, Any] = {"PATH_INFO": "/api/studies"}
    setup_testing_defaults(environ)
    body = wsgi(storage)(
        environ,
        lambda line, _headers, _error=None: status.append(line),
    )
    answer = json.loads(b"".join(body))
    assert status == ["200 OK"]
    assert [entry["study_name"] for entry in answer["study_summaries"]] == ["study"]


def test_where_only_accuracy_counts_no_network_gains_by_being_cheap(tmp_path: Path) -> None:
    run(tmp_path / "accuracy", 8, objective="accuracy", baselines=True)
    run(tmp_path / "front", 8, objective="front", baselines=True)
    at_budget = observations(open_study(tmp_path / "accuracy"), OBJECTIVES["accuracy"])
    on_front = observations(open_study(tmp_path / "front"), OBJECTIVES["front"])
    assert len({network.cost for network in at_budget}) == 1
    assert len({network.cost for network in on_front}) > 1
    judge = Judge.of(at_budget, images=362)
    assert len({judge.score(90.0, network.cost) for network in at_budget}) == 1
