"""Pruning, repeats and baselines in a search with a stand-in for training."""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from optuna.trial import TrialState
from support.pruned import EPOCHS, Curves, history, settings_of
from support.searches import BUDGET, DATA, SMALL, TRAINING, Quiet, raising, results_of

from igcnas.errors import IgcnasError
from igcnas.network.architecture import Architecture
from igcnas.network.baselines import known_networks
from igcnas.network.budget import LIMITS, PARAMS, macs_budget
from igcnas.network.cost import count, count_plan
from igcnas.search.checks import check_pruner
from igcnas.search.controller import Search
from igcnas.search.evaluation import Interrupted, InTurn, OnEpoch, Outcome
from igcnas.search.folder import open_study
from igcnas.search.objective import OBJECTIVES, CostAxis, Objective
from igcnas.search.proposals import Judge, is_spared
from igcnas.search.pruning import rule_for
from igcnas.search.records import TrialRecord, best, champions, counted, networks, records, repeats
from igcnas.search.repeating import standing
from igcnas.search.report import Summary
from igcnas.search.settings import StudySettings
from igcnas.search.spared import count_spared
from igcnas.search.storage import JournalBackend
from igcnas.search.study import Study
from igcnas.training.reports import EpochReport


def opened(folder: Path, settings: StudySettings) -> Study:
    """The study of a folder that holds a journal alone."""
    return Study.of(folder, settings, open_study(folder).get_trials(deepcopy=False))


def run(
    folder: Path,
    networks: int,
    evaluate: Curves | None = None,
    *,
    allowed: Mapping[str, int] | None = None,
    **other: Any,
) -> Summary:
    folder.mkdir(exist_ok=True, parents=True)
    settings = settings_of(**other)
    study = open_study(folder, create_for=settings)
    return Search(study, folder, SMALL, settings, InTurn(evaluate or Curves()), Quiet()).run(
        networks, **(allowed or {})
    )


# Pruning


class Weighed(Curves):
    """The same, with what it measures of an added limit: a tenth more than was planned."""

    def __call__(self, architecture: Architecture, folder: Path, on_epoch: OnEpoch, repeat: int = 0) -> Outcome:
        outcome = super().__call__(architecture, folder, on_epoch, repeat)
        assert outcome.results is not None
        if outcome.pruned:
            return outcome
        measured = {"measured_limits": {"bytes": round(4.4 * count(architecture).params)}}
        return Outcome(results=outcome.results | measured)


def test_an_objective_may_be_any_limit_of_a_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = dataclasses.replace(PARAMS, name="bytes", option="bytes", of=lambda network: 4 * count_plan(network).params)
    against = Objective(
        name="accuracy,bytes",
        words="compared at equal bytes of weights",
        axis=CostAxis(size=1e3, title="kB of weights", unit="kB", equal="bytes", limit="bytes"),
        metric="bytes",
        result="bytes",
        planned=lambda record: float(record.planned("bytes")),
        measured=lambda record: float(record.used("bytes")),
    )
    monkeypatch.setitem(LIMITS, "bytes", limit)
    monkeypatch.setitem(OBJECTIVES, "accuracy,bytes", against)
    assert settings_of(objective="front").measured_limits == ()
    assert settings_of(objective="accuracy,bytes").measured_limits == ("bytes",)
    assert settings_of(objective="front", limits={"bytes": 10**6}).measured_limits == ("bytes",)
    run(tmp_path / "s", 15, Weighed(), objective="accuracy,bytes")
    study = open_study(tmp_path / "s")
    assert study.metric_names == ["val_accuracy", "bytes"]
    every = records(study)
    for record, trial in zip(every, study.trials, strict=True):
        assert against.planned_cost(record) == 4 * record.params
        if record.state == "complete":
            assert trial.values[1] == against.cost(record) == round(4.4 * record.params)
        else:
            assert record.state == "pruned"
            assert against.cost(record) == 4 * record.params
    costs = [against.cost(one.record) for one in champions(every, macs_budget(BUDGET), against)]
    assert costs == sorted(set(costs))
    assert len(costs) > 1


@pytest.mark.parametrize("objective", ["front", "accuracy", "accuracy,params"])
def test_networks_behind_the_best_third_are_pruned_at_a_rung_and_count(tmp_path: Path, objective: str) -> None:
    summary = run(tmp_path / "s", 30, objective=objective)
    study = open_study(tmp_path / "s")
    every = records(study)
    assert summary.trained + summary.pruned == counted(every) == len(every) == 30
    assert summary.pruned > 10
    for record, trial in zip(every, study.trials, strict=True):
        if record.state == "pruned":
            assert trial.state is TrialState.PRUNED
            assert record.pruned_at in (1, 3)
            assert len(record.curve) == record.pruned_at
            assert record.val_accuracy == record.accuracies[-1]
    assert not {r.number for r in every if r.state == "pruned"} & {n.record.number for n in networks(every)}


def test_a_tenth_of_those_behind_is_finished_and_marked(tmp_path: Path) -> None:
    run(tmp_path / "s", 60)
    every = records(open_study(tmp_path / "s"))
    spared = [record for record in every if record.spared_at is not None]
    assert spared
    for record in every:
        if record.state == "pruned":
            assert not is_spared(0, record.canonical_id)
        if record.spared_at is not None:
            assert is_spared(0, record.canonical_id)
            assert len(record.curve) == EPOCHS
    audit = count_spared(opened(tmp_path / "s", settings_of()))
    assert audit is not None
    assert (audit.pruned, audit.spared) == (sum(r.state == "pruned" for r in every), len(spared))
    front = {one.record.number for one in champions(every, macs_budget(BUDGET))}
    assert audit.on_front == sum(record.number in front for record in spared)
    assert audit.above_median_interval is not None
    low, high = audit.above_median_interval
    assert 0 <= low <= audit.above_median / audit.spared <= high <= 1


def test_known_networks_are_never_pruned_and_nothing_is_without_a_pruner(tmp_path: Path) -> None:
    run(tmp_path / "s", 20, baselines=True)
    assert all(r.state == "complete" for r in records(open_study(tmp_path / "s")) if r.baseline is not None)
    run(tmp_path / "t", 20, pruner="none", min_epochs=0)
    every = records(open_study(tmp_path / "t"))
    assert all(record.state == "complete" and record.spared_at is None for record in every)
    assert count_spared(opened(tmp_path / "t", settings_of(pruner="none", min_epochs=0))) is None


def test_a_decision_knows_only_networks_of_lower_numbers(tmp_path: Path) -> None:
    run(tmp_path / "s", 20)
    every = records(open_study(tmp_path / "s"))
    judge = Judge.of((), images=100)
    for record in every:
        full = rule_for(record, every, judge, settings_of())
        assert full == rule_for(record, every[: record.number], judge, settings_of())
        assert full.others.keys() == {1, 3}
        assert len(full.others[1]) == record.number
    for never in ({"baseline": "ResNet-20"}, {"repeat": 1, "repeat_of": 0}):
        rule = rule_for(dataclasses.replace(every[-1], **never), every, judge, settings_of())
        assert not any(rule.ends(epoch, 0.0) for epoch in range(1, EPOCHS))


def test_a_search_with_pruning_and_repeats_in_pieces_is_the_search_at_once(tmp_path: Path) -> None:
    other: dict[str, Any] = {"allowed": {"seeds": 4, "repeats": 8}, "baselines": True, "sampler": "tpe"}
    whole, pieces = tmp_path / "s", tmp_path / "pieces" / "s"
    run(whole, 24, **other)
    for position in (1, 2, 7, 3):  # killed in the middle of a training, then politely
        with pytest.raises(KeyboardInterrupt):
            run(pieces, 24, Curves(raising(KeyboardInterrupt(), position)), **other)
    for _ in range(30):
        if not run(pieces, 24, Curves(raising(Interrupted(), 2)), **other).interrupted:
            break
    assert history(pieces) == history(whole)
    assert any(record.repeat for record in records(open_study(whole)))
    assert any(record.state == "pruned" for record in records(open_study(whole)))


class Killed(BaseException):
    """Everything ends here, and nothing can be put away."""


@pytest.mark.parametrize("seed", [0])
def test_a_search_killed_before_in_and_after_writes_of_the_journal_is_the_search_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    other: dict[str, Any] = {"allowed": {"seeds": 4, "repeats": 6}, "baselines": True, "sampler": "tpe"}
    whole, killed, draws = tmp_path / "s", tmp_path / "killed" / "s", random.Random(seed)
    run(whole, 14, **other)
    left, kills = [0], 0
    append = JournalBackend.append_logs

    def dying(self: JournalBackend, logs: list[dict[str, Any]]) -> None:
        left[0] -= 1
        if left[0] > 0:
            append(self, logs)
            return
        moment = draws.choice(("before", "in", "after"))
        if moment != "before":
            append(self, logs)
        if moment == "in":
            journal = killed / "journal.log"
            content = journal.read_bytes()
            last = content.rstrip(b"\n").rfind(b"\n") + 1
            journal.write_bytes(content[: draws.randrange(last, len(content))])
        raise Killed

    monkeypatch.setattr(JournalBackend, "append_logs", dying)
    while True:
        left[0] = draws.randint(1, 20)
        try:
            run(killed, 14, **other)
            break
        except Killed:
            kills += 1
    assert kills > 30
    assert history(killed) == history(whole)
    states = {record.state for record in records(open_study(whole))}
    assert states == {"complete", "pruned"}
    assert repeats(records(open_study(whole)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pruner": "halvin"}, "unknown pruner 'halvin'; did you mean 'halving'?"),
        ({"min_epochs": 9}, "below the 9 epochs"),
        ({"pruner": "none"}, "does nothing with --pruner none"),
        ({"sampler": "tpe-mo"}, "does not go with --sampler tpe-mo"),
        ({"objective": "accuracy,latency"}, "latency is measured after it"),
    ],
)
def test_a_pruner_that_cannot_compare_is_refused_in_one_line(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(IgcnasError, match=message.replace("?", r"\?")) as caught:
        check_pruner(settings_of(**settings))
    assert "\n" not in str(caught.value)


def test_a_training_that_gets_further_after_each_kill_is_never_given_up(tmp_path: Path) -> None:
    class Further(Curves):
        def __call__(self, architecture: Architecture, folder: Path, on_epoch: OnEpoch, repeat: int = 0) -> Outcome:
            runs.append(0)
            for epoch in range(1, len(runs) + 1):
                on_epoch(EpochReport(epoch=epoch, train_loss=1.0, val_accuracy=50.0))
            if len(runs) < EPOCHS:
                raise SystemExit
            return Outcome(results=results_of(architecture))

    runs: list[int] = []
    while len(runs) < EPOCHS - 1:
        with pytest.raises(SystemExit):
            run(tmp_path / "s", 1, Further(), pruner="none", min_epochs=0)
    assert run(tmp_path / "s", 1, Further(), pruner="none", min_epochs=0).trained == 1
    assert [record.state for record in records(open_study(tmp_path / "s"))] == ["complete"]


def test_a_training_that_leaves_a_new_checkpoint_before_each_kill_is_never_given_up(tmp_path: Path) -> None:
    class WithoutAnEpoch(Curves):
        def __call__(self, architecture: Architecture, folder: Path, on_epoch: OnEpoch, repeat: int = 0) -> Outcome:
            folder.mkdir(parents=True, exist_ok=True)
            if changes:
                (folder / "checkpoint.pt").touch()
                os.utime(folder / "checkpoint.pt", ns=(0, len(self.starts)))
            self.starts.append(0)
            raise SystemExit

        starts: ClassVar[list[int]] = []

    changes = True
    for _ in range(7):
        with pytest.raises(SystemExit):
            run(tmp_path / "s", 1, WithoutAnEpoch(), pruner="none", min_epochs=0)
    changes = False
    for _ in range(5):
        with pytest.raises(SystemExit):
            run(tmp_path / "s", 1, WithoutAnEpoch(), pruner="none", min_epochs=0)
    run(tmp_path / "s", 1, pruner="none", min_epochs=0)
    assert records(open_study(tmp_path / "s"))[0].reason == "the run was killed 5 times while it trained"


# Repeats


def test_contenders_are_repeated_with_other_seeds_within_the_allowance(tmp_path: Path) -> None:
    trainings = Curves()
    summary = run(tmp_path / "s", 12, trainings, allowed={"seeds": 3, "repeats": 4}, pruner="none", min_epochs=0)
    every = records(open_study(tmp_path / "s"))
    again = repeats(every)
    assert 0 < len(again) == summary.repeats <= 4
    assert summary.trained == 12
    firsts = {record.number: record for record in every if not record.repeat}
    for record in again:
        assert record.repeat_of is not None
        first = firsts[record.repeat_of]
        assert record.architecture == first.architecture
        assert record.seed == TRAINING.network_seed(first.architecture.id, record.repeat) != first.seed
        assert (first.architecture.id, record.repeat) in trainings.trained
        assert 0 < record.repeat < 3
        assert record.canonical_id == first.canonical_id
    assert all(not trial.params for trial in open_study(tmp_path / "s").trials[12:])
    assert len(set(trainings.trained)) == len(trainings.trained)
    for one in networks(every):
        assert one.accuracies[0] == one.record.val_accuracy
        assert one.n == 1 + sum(record.repeat_of == one.record.number for record in again)
        assert (one.sd is None) == (one.n == 1)
    leader = standing(every, budget=macs_budget(BUDGET), images=DATA.validation_images)
    assert leader is not None
    assert leader.race.trainings == len(every)


@pytest.mark.parametrize("allowed", [{"seeds": 1, "repeats": 9}, {"seeds": 5, "repeats": 0}])
def test_without_seeds_or_allowance_nothing_is_repeated(tmp_path: Path, allowed: dict[str, int]) -> None:
    assert run(tmp_path / "s", 6, allowed=allowed).repeats == 0


def test_a_study_with_repeats_grows_as_one_without(tmp_path: Path) -> None:
    run(tmp_path / "s", 12, allowed={"seeds": 4, "repeats": 6}, sampler="tpe")
    run(tmp_path / "s", 20, sampler="tpe")
    run(tmp_path / "t", 20, sampler="tpe")

    def searched(name: str) -> list[Any]:
        every = records(open_study(tmp_path / name))
        return [(r.architecture.id, r.target, r.state, r.curve) for r in every if r.repeat == 0]

    assert len(repeats(records(open_study(tmp_path / "s")))) > 0
    assert searched("s") == searched("t")


def test_a_network_whose_repeat_failed_is_not_repeated_again(tmp_path: Path) -> None:
    class Failing(Curves):
        def __call__(self, architecture: Architecture, folder: Path, on_epoch: OnEpoch, repeat: int = 0) -> Outcome:
            found = super().__call__(architecture, folder, on_epoch, repeat)
            return Outcome(reason="diverged") if repeat else found

    run(tmp_path / "s", 6, Failing(), allowed={"seeds": 5, "repeats": 20}, pruner="none", min_epochs=0)
    again = repeats(records(open_study(tmp_path / "s")))
    assert again
    assert all(record.state == "failed" for record in again)
    assert len({record.repeat_of for record in again}) == len(again)


def test_the_mean_over_seeds_decides_which_is_best() -> None:
    def record(number: int, accuracy: float, **other: Any) -> TrialRecord:
        values: dict[str, Any] = {
            "macs": 100,
            "params": 1,
            "target": 100,
            "baseline": None,
            "seed": 1,
            "epochs": 2,
        }
        return TrialRecord(
            number=number, state="complete", architecture=known[0].fit.architecture, val_accuracy=accuracy,
            **(values | other),
        )  # fmt: skip

    known = known_networks(DATA.input_shape, 10, macs_budget(BUDGET))
    lucky, steady = record(0, 95.0), record(1, 94.0, macs=101)
    every = [lucky, steady, record(2, 85.0, repeat=1, repeat_of=0), record(3, 94.0, macs=101, repeat=1, repeat_of=1)]
    assert best(every[:2], macs_budget(200)) == lucky
    assert best(every, macs_budget(200)) == steady
    found = {one.record.number: (one.mean, one.n) for one in networks(every)}
    assert found == {0: (90.0, 2), 1: (94.0, 2)}


# Baselines


def test_known_networks_lie_over_the_range_of_a_front_and_at_the_budget_of_one() -> None:
    wide = known_networks((3, 32, 32), 10, macs_budget(40_000_000), lowest_target=4_000_000)
    assert len(wide) == 8
    assert [known.target for known in wide] == [40_000_000] * 4 + [12_649_110] * 2 + [4_000_000] * 2
    assert {known.name for known in wide[4:]} == {known.name for known in wide[:4]}
    assert all(known.fit.used <= known.target for known in wide)
    assert [known.target for known in known_networks((3, 32, 32), 10, macs_budget(40_000_000))] == [40_000_000] * 4
    tiny = known_networks(DATA.input_shape, 10, macs_budget(25_000), lowest_target=21_000)
    assert len({known.fit.architecture.id for known in tiny}) == len(tiny)


def test_a_front_trains_the_known_networks_of_all_targets_first(tmp_path: Path) -> None:
    trainings = Curves()
    run(tmp_path / "s", 8, trainings, baselines=True)
    lowest = BUDGET // 10
    expected = known_networks(DATA.input_shape, 10, macs_budget(BUDGET), lowest_target=lowest)
    assert [ident for ident, _ in trainings.trained][: len(expected)] == [k.fit.architecture.id for k in expected]
