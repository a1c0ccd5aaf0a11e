"""A search that keeps several slots busy, with a stand-in for training: its proposals, decisions, repeats, resumes."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from support.pruned import EPOCHS, Curves, history, settings_of
from support.searches import BUDGET, SMALL, Quiet, raising

from igcnas.errors import IgcnasError
from igcnas.network.architecture import Architecture
from igcnas.network.budget import macs_budget
from igcnas.search.controller import Search
from igcnas.search.evaluation import Interrupted, InTurn, Outcome, Told
from igcnas.search.folder import open_study
from igcnas.search.objective import FRONT
from igcnas.search.observing import observations, replay
from igcnas.search.proposals import SAMPLERS
from igcnas.search.pruning import rule_for
from igcnas.search.records import TrialRecord, counted, records, repeats
from igcnas.search.repeating import Repeating
from igcnas.search.report import Summary
from igcnas.search.settings import StudySettings

pytestmark = pytest.mark.usefixtures("forked_workers")


class AtOnce(InTurn):
    """Trainings that end in any order, as those of several workers do; `most` that were in training at once."""

    def __init__(self, evaluate: Any, *, slots: int = 3, seed: int = 0) -> None:
        super().__init__(evaluate, slots=slots)
        self.draws, self.most = random.Random(seed), 0

    def submit(self, number: int, architecture: Architecture, folder: Path, repeat: int = 0) -> None:
        super().submit(number, architecture, folder, repeat)
        self.most = max(self.most, len(self._queue))

    def wait(self, told: Told) -> tuple[int, Outcome]:
        self._queue.rotate(self.draws.randrange(len(self._queue)))
        return super().wait(told)


def make(folder: Path, evaluator: InTurn, **other: Any) -> Search:
    folder.mkdir(exist_ok=True, parents=True)
    settings: StudySettings = settings_of(**({"pruner": "none", "min_epochs": 0} | other))
    return Search(open_study(folder, create_for=settings), folder, SMALL, settings, evaluator, Quiet())


def run(
    folder: Path, networks: int, evaluator: InTurn, *, allowed: Mapping[str, int] | None = None, **other: Any
) -> Summary:
    return make(folder, evaluator, **other).run(networks, **(allowed or {}))


def found(folder: Path) -> list[TrialRecord]:
    return records(open_study(folder))


# Proposals


@pytest.mark.parametrize("sampler", sorted(SAMPLERS.keys() - {"tpe-mo"}))  # as tpe
def test_every_proposal_of_three_workers_can_be_replayed_from_the_records(tmp_path: Path, sampler: str) -> None:
    evaluator = AtOnce(Curves())
    run(tmp_path / "s", 20, evaluator, sampler=sampler, baselines=True)
    assert evaluator.most == 3
    assert any(len(record.pending) == 2 for record in found(tmp_path / "s"))
    search = make(tmp_path / "s", AtOnce(Curves()), sampler=sampler, baselines=True)  # everything opened anew
    again = list(replay(search.study, search.proposer, search.settings.compares))
    assert len(again) == 20 - len(search.known_networks())
    for record, proposal in again:
        assert proposal is not None
        assert proposal.candidate.network == record.architecture
        assert proposal.target == record.target
        assert proposal.origin == record.origin != ""


def test_networks_in_training_are_neither_proposed_again_nor_what_is_like_them_first(tmp_path: Path) -> None:
    evaluator = AtOnce(Curves(), slots=8)
    run(tmp_path / "s", 30, evaluator, sampler="gp")
    every = found(tmp_path / "s")
    assert len({record.canonical_id for record in every}) == len(every) == 30
    # The same knowledge, with and without those in training: other proposals, because they are believed to be known.
    search = make(tmp_path / "s", AtOnce(Curves()), sampler="gp")
    last = every[-1]
    assert last.pending
    known = observations(search.study, FRONT, known_to=last)
    assert sum(network.pending for network in known) == len(last.pending)
    asked = []
    for told in (known, [network for network in known if not network.pending]):
        knowledge = search.proposer._knowledge(told)
        asked.append(next(search.proposer.sampler.asks(knowledge)))
    assert asked[0] != asked[1]


def test_with_one_worker_the_records_say_nothing_of_pending_networks(tmp_path: Path) -> None:
    run(tmp_path / "s", 12, InTurn(Curves()), sampler="tpe")
    assert all("pending" not in trial.user_attrs for trial in open_study(tmp_path / "s").trials)


def test_no_more_networks_are_begun_than_asked_for_and_failed_ones_are_replaced(tmp_path: Path) -> None:
    class Failing(Curves):
        def __call__(self, architecture: Architecture, *others: Any, **more: Any) -> Outcome:
            outcome = super().__call__(architecture, *others, **more)
            return Outcome(reason="diverged") if len(self.trained) == 4 else outcome

    evaluator = AtOnce(Failing())
    summary = run(tmp_path / "s", 10, evaluator)
    assert (summary.trained, summary.failed) == (10, 1)
    assert len(found(tmp_path / "s")) == 11


# Phases


@pytest.mark.parametrize("pruner", [{"pruner": "none", "min_epochs": 0}, {"pruner": "halving", "min_epochs": 1}])
def test_known_networks_come_first_and_before_pruning_have_ended(tmp_path: Path, pruner: dict[str, Any]) -> None:
    run(tmp_path / "s", 16, AtOnce(Curves()), baselines=True, **pruner)
    every = found(tmp_path / "s")
    known = [record.number for record in every if record.baseline is not None]
    assert known == list(range(len(known)))
    overlaps = any(set(record.pending) & set(known) for record in every if record.searched)
    assert overlaps == (pruner["pruner"] == "none")


def test_repeats_wait_for_every_first_training_and_then_keep_the_slots_busy(tmp_path: Path) -> None:
    class Watched(AtOnce):
        def wait(self, told: Told) -> tuple[int, Outcome]:
            kinds.append(sorted(repeat > 0 for _, _, _, repeat in self._queue))
            return super().wait(told)

    kinds: list[list[bool]] = []
    summary = run(tmp_path / "s", 12, Watched(Curves()), allowed={"seeds": 4, "repeats": 9})
    again = repeats(found(tmp_path / "s"))
    assert 0 < len(again) == summary.repeats <= 9
    assert not any(len(set(kind)) == 2 for kind in kinds)
    assert [True, True] in [kind[:2] for kind in kinds]
    assert len({(record.repeat_of, record.repeat) for record in again}) == len(again)


def test_a_repeat_in_training_counts_as_if_it_had_its_expected_accuracy(tmp_path: Path) -> None:
    run(tmp_path / "s", 12, AtOnce(Curves()))
    every = found(tmp_path / "s")
    racing = Repeating(budget=macs_budget(BUDGET), images=362, seeds=2, allowance=9)
    chosen = []
    while (found_next := racing.next(every)) is not None:
        first, repeat = found_next
        chosen.append(first.number)
        number = len(every)
        every.append(TrialRecord(**{
            **{name: getattr(first, name) for name in TrialRecord.__slots__},
            "number": number, "state": "running", "repeat": repeat, "repeat_of": first.number, "val_accuracy": None,
        }))  # fmt: skip
    assert len(chosen) > 1
    assert len(set(chosen)) == len(chosen)  # with two seeds at most, each is chosen once although none has ended


# Pruning


def test_a_decision_to_prune_follows_from_what_was_known_when_the_network_was_proposed(tmp_path: Path) -> None:
    settings = settings_of()
    run(tmp_path / "s", 40, AtOnce(Curves()), pruner="halving", min_epochs=1, baselines=True)
    search = make(tmp_path / "s", AtOnce(Curves()), pruner="halving", min_epochs=1, baselines=True)
    every = found(tmp_path / "s")
    assert sum(record.state == "pruned" for record in every) > 5
    for record in every:
        judge = search.proposer.judge(observations(search.study, FRONT, known_to=record))
        rule = rule_for(record, every, judge, settings)
        ends = [epoch for epoch, accuracy in enumerate(record.accuracies, 1) if rule.ends(epoch, accuracy)]
        if record.state == "pruned":
            assert ends == [record.pruned_at]
        else:
            assert [epoch for epoch in ends if epoch < EPOCHS] == []
        if record.searched:
            assert all(len(scores) <= record.number - len(record.pending) for scores in rule.others.values())


# Stopping and going on


@pytest.mark.parametrize("slots", [1, 2, 3, 5])
def test_three_networks_left_in_training_are_all_taken_up_under_their_numbers(tmp_path: Path, slots: int) -> None:
    folder, killed = tmp_path / "s", Curves(raising(SystemExit(), 5))
    with pytest.raises(SystemExit):
        run(folder, 12, AtOnce(killed))
    left = [t.number for t in open_study(folder).trials if t.state is TrialState.RUNNING]
    assert len(left) == 3
    architectures = {record.number: record.architecture for record in found(folder)}
    later = Curves()
    assert run(folder, 12, InTurn(later, slots=slots)).trained == 12
    assert [ident for ident, _ in later.trained[:3]] == [architectures[number].id for number in left]
    every = found(folder)
    assert [record.number for record in every] == list(range(12))
    assert all(record.state == "complete" for record in every)


def test_a_stop_is_no_fault_of_any_network_in_training(tmp_path: Path) -> None:
    for error in (Interrupted(), IgcnasError("no worker can start")):
        for _ in range(4):
            with suppress(IgcnasError):
                assert run(tmp_path / "s", 6, AtOnce(Curves(raising(error, 1)))).interrupted
    assert run(tmp_path / "s", 6, AtOnce(Curves())).trained == 6
    assert {trial.user_attrs["starts"] for trial in open_study(tmp_path / "s").trials} == {1}


def test_a_study_goes_on_with_another_number_of_workers(tmp_path: Path) -> None:
    for networks, slots in ((5, 3), (9, 1), (16, 4)):
        assert run(tmp_path / "s", networks, AtOnce(Curves(), slots=slots), sampler="tpe").trained == networks
    search = make(tmp_path / "s", AtOnce(Curves()), sampler="tpe")
    assert all(
        proposal is not None and proposal.candidate.network == record.architecture
        for record, proposal in replay(search.study, search.proposer, FRONT)
    )
    assert counted(found(tmp_path / "s")) == 16


def test_one_slot_of_whatever_kind_is_the_search_of_before(tmp_path: Path) -> None:
    other: dict[str, Any] = {"allowed": {"seeds": 3, "repeats": 4}, "baselines": True, "sampler": "gp"}
    run(tmp_path / "a" / "s", 14, InTurn(Curves()), **other)
    run(tmp_path / "b" / "s", 14, AtOnce(Curves(), slots=1), **other)
    assert history(tmp_path / "a" / "s") == history(tmp_path / "b" / "s")
