"""What is proposed: new networks within the target, the same ones after any interruption, until there are no more."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.toy import BUDGET, Toy, known, trained

from igcnas.errors import IgcnasError
from igcnas.network.budget import macs_budget
from igcnas.search import proposals
from igcnas.search.proposals import (
    SAMPLERS,
    Halving,
    Judge,
    Observation,
    Proposer,
    SpaceDomain,
    is_spared,
    resolve_sampler,
    samplers,
)
from igcnas.search.proposals.choices import draw, mutation, neighbours, recall
from igcnas.search.proposals.mirror import GENERATION
from igcnas.search.proposals.proposer import Stage
from igcnas.search.proposals.reference import LAYING, Line, log_errors
from igcnas.search.proposals.samplers.evolution import regularized_evolution
from igcnas.search.space import load_space

NAMES = tuple(SAMPLERS)


def networks(budget: int) -> set[str]:
    own = [{"kind": "a", "a.groups": groups} for groups in (1, 2, 4, 8)]
    own += [{"kind": "b", "b.learned": learned} for learned in (False, True)]
    every = [{**kind, "depth": depth, "tail": tail} for kind, depth, tail in itertools.product(own, (1, 2, 3), "xy")]
    return {found.key for one in every if (found := Toy().solve(one, budget)) is not None}


def proposer(
    sampler: str, *, budget: int = BUDGET, spread: bool = False, seed: int = 0, tails: str = "xy"
) -> Proposer[str]:
    return Proposer(
        Toy(tails), budget=budget, lowest_target=150, spread=spread, sampler=sampler, seed=seed, images=1_000
    )


def accuracy(key: str) -> float:
    """Two choices matter."""
    return 60.0 + 20.0 * ("tail=y" in key) + 5.0 * ("depth=2" in key) + len(key) / 100


def observed(proposal: Any, *, complete: bool = True) -> Observation:
    final = accuracy(proposal.candidate.key)
    return Observation(
        parameters=proposal.parameters,
        target=proposal.target,
        cost=proposal.candidate.macs,
        accuracies=(final / 2, final) if complete else (final / 2,),
        complete=complete,
        known=False,
    )


def run(sampler: str, count: int, *, fresh: bool = False, **options: Any) -> list[Any]:
    """Proposals, each told with a made-up accuracy, every fifth as pruned; `fresh`: a new proposer for each."""
    asked, told, seen = proposer(sampler, **options), [], set()
    proposals = []
    for number in range(count):
        if fresh:
            asked = proposer(sampler, **options)
        proposal = asked.propose(told, seen)
        if proposal is None:
            break
        proposals.append(proposal)
        seen.add(proposal.candidate.key)
        told.append(observed(proposal, complete=number % 5 != 4))
    return proposals


# The loop


@pytest.mark.parametrize("sampler", NAMES)
@pytest.mark.parametrize("spread", [False, True])
def test_every_proposal_is_new_and_keeps_its_target(sampler: str, spread: bool) -> None:
    proposals = run(sampler, 30, spread=spread)
    assert len({proposal.candidate.key for proposal in proposals}) == 30
    for proposal in proposals:
        assert proposal.candidate.macs <= proposal.target <= BUDGET
        assert spread or proposal.target == BUDGET
        assert "mac_target" not in proposal.parameters


@pytest.mark.parametrize("sampler", NAMES)
@pytest.mark.parametrize("budget", [BUDGET, 300])
def test_a_small_space_is_searched_to_its_last_network_and_then_ends(sampler: str, budget: int) -> None:
    proposals = run(sampler, 1_000, budget=budget)
    assert {proposal.candidate.key for proposal in proposals} == networks(budget)


@pytest.mark.parametrize("sampler", NAMES)
def test_a_proposer_made_anew_for_each_network_proposes_the_same(sampler: str) -> None:
    at_once, in_pieces = run(sampler, 28, spread=True), run(sampler, 28, spread=True, fresh=True)
    assert [(p.candidate.key, p.target) for p in at_once] == [(p.candidate.key, p.target) for p in in_pieces]


@pytest.mark.parametrize("sampler", NAMES)
def test_another_seed_proposes_other_networks(sampler: str) -> None:
    assert [p.candidate.key for p in run(sampler, 8)] != [p.candidate.key for p in run(sampler, 8, seed=1)]


def _upside_down(network: Observation) -> Observation:
    return replace(network, accuracies=tuple(100.0 - value for value in network.accuracies))


@pytest.mark.parametrize("sampler", NAMES)
@pytest.mark.parametrize("spread", [False, True])
def test_random_proposals_are_the_same_whatever_came_out_before_and_others_are_not(sampler: str, spread: bool) -> None:
    """Tells each proposer the truth and its opposite: that changes nothing as long as it draws at random."""
    told: list[Observation] = []
    seen: set[str] = set()
    differ = 0
    for number in range(30):
        asked, again = (proposer(sampler, spread=spread, tails="stuvwxyz") for _ in range(2))
        proposal = asked.propose(told, seen)
        other = again.propose([_upside_down(network) for network in told], seen)
        assert proposal is not None
        assert other is not None
        same = proposal.candidate.key == other.candidate.key
        if proposal.origin == "random":
            assert (same, other.origin) == (True, "random")
        differ += not same
        seen.add(proposal.candidate.key)
        told.append(observed(proposal, complete=number % 5 != 4))
    assert (differ > 0) == (sampler != "random")


def test_what_stands_in_for_a_sampler_that_repeats_itself_says_so() -> None:
    origins = [proposal.origin for proposal in run("tpe", 1_000)]
    assert origins[:10] == ["random"] * 10
    assert set(origins) >= {"random", "sampler", "changes"}


@pytest.mark.parametrize(
    ("passed_over", "origin"),
    [
        ((), "sampler"),
        (("_SAMPLER",), "changes"),
        (("_SAMPLER", "_CHANGES"), "random"),
        (("_SAMPLER", "_CHANGES", "_RANDOM"), "random"),
    ],
)
def test_a_proposal_says_whether_it_was_drawn_at_random_or_by_what_is_known(
    monkeypatch: pytest.MonkeyPatch, passed_over: tuple[str, ...], origin: str
) -> None:
    for who in passed_over:
        monkeypatch.setattr(proposals.proposer, who, 0)
    told = [trained(number, 50.0 + number) for number in range(20)]
    proposal = proposer("evolution").propose(told, set())
    assert proposal is not None
    assert proposal.origin == origin


def test_nothing_is_counted_before_anybody_asks() -> None:
    assert dataclasses.astuple(proposer("gp").tally) == (0, 0, 0, 0)


def test_only_what_is_said_to_be_in_training_counts_as_in_training() -> None:
    told = [seen_once(trained(number).parameters, 50.0) for number in range(3)]
    assert list(proposer("gp")._knowledge(told).pending) == []


def test_misfits_repeats_and_fallbacks_are_counted() -> None:
    asked = proposer("tpe", budget=300)  # draws with replacement: the last networks it hardly finds itself
    told, seen = [], set()
    while (proposal := asked.propose(told, seen)) is not None:
        told.append(observed(proposal))
        seen.add(proposal.candidate.key)
    tally = asked.tally
    assert tally.misfits > 0
    assert tally.repeats > 0
    assert 0 < tally.fallbacks < len(told)
    assert tally.asked == tally.misfits + tally.repeats + len(told)


def test_a_pruned_network_is_scored_at_the_epoch_that_it_reached() -> None:
    layers = [known(100, 50.0, 80.0), known(400, 60.0, 90.0)]
    asked = proposer("random")
    told = [*layers, trained(0, 55.0, complete=False), trained(1, 55.0, 85.0), trained(2, complete=False, pending=True)]
    knowing, judge = asked._knowledge(told), asked.judge(told)
    assert [scored.score for scored in knowing.scored] == [judge.score(55.0, 400.0, epoch=1), judge.score(85.0, 401.0)]
    assert (knowing.number, list(knowing.pending)) == (3, told[-1:])
    assert {proposal.origin for proposal in run("random", 5)} == {"random"}


def test_targets_are_spread_evenly_from_the_lowest_to_the_budget() -> None:
    asked = proposer("random", spread=True)
    shares = [math.log(asked.target(number) / 150) / math.log(BUDGET / 150) for number in range(100)]
    for begin in range(0, 100, 20):  # any twenty in a row, not only all of them
        counts, _ = np.histogram(shares[begin : begin + 20], bins=5, range=(0, 1))
        assert counts.min() >= 3


def test_targets_leave_no_stretch_of_cost_out_however_many_networks_are_searched() -> None:
    asked = Proposer(Toy(), budget=10**12, lowest_target=10**6, spread=True, sampler="random", seed=0, images=1_000)
    shares = [math.log(asked.target(number) / 10**6) / math.log(10**6) for number in range(100)]
    for count in range(2, 101):
        least, *others = sorted(shares[:count])
        gaps = [high - low for low, high in itertools.pairwise([least, *others, least + 1])]
        assert max(gaps) < 2.7 * min(gaps)


def test_samples_are_within_the_budget_and_the_same_for_the_same_seed() -> None:
    first, second = proposer("gp", spread=True).samples(5), proposer("tpe", spread=True).samples(5)
    assert [sample.key for sample in first] == [sample.key for sample in second]
    assert len(first) == 5
    assert all(sample.macs <= BUDGET for sample in first)


def test_an_unknown_sampler_is_named_with_the_nearest() -> None:
    with pytest.raises(IgcnasError, match="evolution") as error:
        resolve_sampler("evolutoin")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("sampler", ["gp", "tpe", "evolution", "local"])
def test_samplers_that_learn_find_good_networks_sooner_than_chance(sampler: str) -> None:
    def best_after(name: str, seed: int) -> float:
        return sum(accuracy(p.candidate.key) > 80 for p in run(name, 30, seed=seed, tails="xyzwuv")[10:])

    seeds = range(3)
    learned = sum(best_after(sampler, seed) for seed in seeds)
    assert learned > 1.3 * sum(best_after("random", seed) for seed in seeds)


def test_a_network_that_leaves_much_of_its_target_unused_is_proposed_only_where_nothing_else_is_left() -> None:
    space = dataclasses.replace(load_space("igcv1"), depths=(1,), growths=(1.0,), final_sizes=(8,))
    domain = SpaceDomain(space=space, input_shape=(1, 8, 8), num_classes=10, budget=macs_budget(BUDGET), fill=0.8)
    asked = Proposer(domain, budget=60_000, lowest_target=1, spread=False, sampler="random", seed=0, images=100)
    seen: dict[str, bool] = {}
    while (proposal := asked.propose([], seen.keys())) is not None:
        candidate = proposal.candidate
        seen[candidate.key] = candidate.fills
        assert candidate.fills == (candidate.macs >= 48_000)
    assert list(seen.values()) == sorted(seen.values(), reverse=True)
    assert set(seen.values()) == {False, True}


def test_a_network_as_wide_as_its_space_lets_it_be_fills_any_target() -> None:
    space = dataclasses.replace(load_space("igcv1"), max_width=8)
    domain = SpaceDomain(space=space, input_shape=(1, 8, 8), num_classes=10, budget=macs_budget(BUDGET), fill=0.8)
    candidate = domain.solve(draw(domain, random.Random(0)).parameters, 10**12)
    assert candidate is not None
    assert candidate.fills


def test_any_network_within_its_target_fills_it_where_no_share_is_asked_for() -> None:
    domain = SpaceDomain(space=load_space("igcv1"), input_shape=(1, 8, 8), num_classes=10, budget=macs_budget(BUDGET))
    candidate = domain.solve(draw(domain, random.Random(0)).parameters, 3_000_000)
    assert candidate is not None
    assert (candidate.macs < 3_000_000, candidate.fills) == (True, True)


def test_a_network_that_leaves_its_target_unused_comes_from_the_last_resort_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Roomy(Toy):
        def solve(self, parameters: Mapping[str, Any], target: int) -> Any:
            found = super().solve(parameters, target)
            return found and replace(found, fills=False)

    asked = Proposer(Roomy(), budget=BUDGET, lowest_target=150, spread=False, sampler="random", seed=0, images=10)
    assert asked.propose([], set()) is not None
    tally = asked.tally
    assert (tally.misfits, tally.fallbacks) == (tally.asked - 1, 1)  # whoever was asked before had misfits alone
    monkeypatch.setattr(proposals.proposer, "_ANYWHERE", 0)
    assert asked.propose([], set()) is None


def test_a_network_that_uses_just_the_share_of_its_target_that_is_asked_for_fills_it() -> None:
    domain = SpaceDomain(
        space=load_space("igcv1"), input_shape=(1, 8, 8), num_classes=10, budget=macs_budget(BUDGET), fill=1.0
    )
    parameters = draw(domain, random.Random(0)).parameters
    roomy = domain.solve(parameters, 3_000_000)
    assert roomy is not None
    assert roomy.fills == (roomy.macs == 3_000_000)
    exact = domain.solve(parameters, roomy.macs)
    assert exact is not None
    assert (exact.macs, exact.fills) == (roomy.macs, True)


def test_who_has_nothing_new_is_followed_by_changes_and_those_by_random_structures_here_and_elsewhere() -> None:
    asked = proposer("random", spread=True)
    told = [observed(proposal) for proposal in run("random", 12, spread=True)]
    known = asked._knowledge(told)
    stages = [(stage, set(targets)) for stage, _, targets in asked._asks(known)]
    order = [stage for stage, _ in itertools.groupby(stage for stage, _ in stages)]
    assert order == [Stage.SAMPLER, Stage.CHANGES, Stage.RANDOM, Stage.ANYWHERE]
    here = asked.target(12)
    assert known.target == here
    assert all(targets == {here} for stage, targets in stages if stage is not Stage.ANYWHERE)
    elsewhere = set().union(*(targets for stage, targets in stages if stage is Stage.ANYWHERE))
    assert min(elsewhere) < 200 < 800 < max(elsewhere)
    assert all(150 <= target <= BUDGET for target in elsewhere)
    at_once = proposer("random")
    assert all(set(targets) == {BUDGET} for _, _, targets in at_once._asks(at_once._knowledge([])))


def test_a_lowest_target_above_the_budget_is_the_budget() -> None:
    asked = Proposer(Toy(), budget=100, lowest_target=150, spread=True, sampler="random", seed=0, images=10)
    assert {asked.target(number) for number in range(20)} == {100}


# The reference


def test_the_score_is_the_log_of_how_many_fewer_errors_than_the_known_networks_make() -> None:
    judge = Judge.of([known(100, 50.0, 80.0), known(400, 60.0, 90.0)], images=100_000)
    assert judge.score(80.0, 100) == pytest.approx(0, abs=1e-3)
    assert judge.score(90.0, 400) == pytest.approx(0, abs=1e-3)
    assert judge.score(95.0, 400) == pytest.approx(math.log(2), abs=1e-3)
    assert judge.score(100 - math.sqrt(200), 200) == pytest.approx(0, abs=1e-3)  # between them, on a line of logs
    assert judge.score(60.0, 400, epoch=1) == pytest.approx(0, abs=1e-3)


def test_the_reference_never_says_that_more_macs_make_more_errors() -> None:
    assert Line.through([(100, -3.0), (400, -2.0)]).slope == 0.0


def test_the_reference_is_level_where_costs_are_alike_and_a_line_where_they_are_not() -> None:
    assert Line.through([(100, -1.0), (110, -2.0)]) == Line(level=-1.5, slope=0.0)
    line = Line.through([(100, -1.0), (200, -1.5), (400, -2.0)])
    assert [line.at(cost) for cost in (100, 200, 400)] == pytest.approx([-1.0, -1.5, -2.0])
    third = Line.through([(100, -1.0), (130, -1.5)])  # far enough apart to tell a slope
    assert [third.at(cost) for cost in (100, 130)] == pytest.approx([-1.0, -1.5])
    assert Line.through([]) == Line(level=0.0, slope=0.0)
    assert Line.through([]).at(1_000) == 0.0


def test_epochs_that_not_all_of_the_reference_reached_are_judged_by_the_last_that_all_did() -> None:
    judge = Judge.of([known(100, 50.0, 80.0, 81.0), known(110, 50.0, 80.0)], images=1_000)
    assert len(judge.lines) == 2
    assert judge.score(90.0, 100, epoch=3) == judge.score(90.0, 100) == judge.score(90.0, 100, epoch=2)
    assert judge.score(90.0, 100, epoch=1) > judge.score(90.0, 100)
    assert Judge.of([], images=1_000).score(90.0, 100) == -log_errors(90.0, 1_000)


def test_errors_are_counted_with_half_a_one_more() -> None:
    assert log_errors(50.0, 10) == pytest.approx(math.log(5.5 / 11))
    assert log_errors(100.0, 10) == pytest.approx(math.log(0.5 / 11))
    assert log_errors(90.0, 10**9) == pytest.approx(math.log(0.1))


def test_a_single_known_network_lays_no_reference() -> None:
    told = [observed(proposal) for proposal in run("random", 12)]
    assert Judge.of([known(100, 1.0, 2.0), *told], images=100) == Judge.of(told, images=100)
    unfinished = [trained(30, 55.0, complete=False), trained(31)]  # the second failed: it has no accuracy
    assert Judge.of([*unfinished, *told], images=100) == Judge.of(told, images=100)
    pair = [known(100, 1.0, 2.0), known(400, 1.0, 2.0)]
    assert Judge.of([*pair, *told], images=100) == Judge.of(pair, images=100)


def test_the_reference_is_fixed_once_the_known_networks_are_trained() -> None:
    layers = [known(100, 50.0, 80.0), known(400, 60.0, 90.0)]
    later = [observed(proposal) for proposal in run("random", 20)]
    assert Judge.of(layers, images=100) == Judge.of([*layers, *later], images=100)


def test_without_known_networks_the_first_searched_ones_lay_the_reference() -> None:
    told = [observed(proposal) for proposal in run("random", 30)]
    assert Judge.of(told[:LAYING], images=100) == Judge.of(told, images=100) != Judge.of(told[:5], images=100)


def test_no_errors_at_all_have_a_score() -> None:
    assert math.isfinite(log_errors(100.0, 10))
    assert math.isfinite(Judge.of([], images=10).score(100.0, 1.0))


# Pruning


def test_rungs_are_powers_of_the_factor_below_the_last_epoch() -> None:
    assert Halving(min_epochs=2, factor=3).rungs(15) == (2, 6)
    assert Halving(min_epochs=3, factor=3).rungs(9) == (3,)
    assert Halving(min_epochs=15).rungs(15) == ()
    assert Halving(min_epochs=1, factor=2).rungs(9) == (1, 2, 4, 8)
    assert Halving(min_epochs=1).rungs(30) == (1, 3, 9, 27)  # one in three goes on where nothing else is said


@given(st.lists(st.floats(-5, 5), max_size=30), st.floats(-5, 5))
def test_only_the_best_third_of_those_that_reached_a_rung_goes_on(others: list[float], score: float) -> None:
    better = sum(other >= score for other in others)
    assert Halving(min_epochs=1, factor=3).prunes(score, others) == (better >= max(1, (len(others) + 1) // 3))


def test_the_first_network_at_a_rung_goes_on() -> None:
    assert not Halving(min_epochs=1).prunes(-100.0, [])


def test_about_a_tenth_of_the_pruned_is_finished_and_always_the_same() -> None:
    spared = [is_spared(0, f"{number:x}") for number in range(5_000)]
    assert 0.08 < sum(spared) / 5_000 < 0.12
    assert spared[:50] == [is_spared(0, f"{number:x}") for number in range(50)]
    assert spared != [is_spared(1, f"{number:x}") for number in range(5_000)]


@pytest.mark.parametrize(("least", "factor"), [(0, 3), (1, 1)])
def test_a_halving_that_halves_nothing_is_refused(least: int, factor: int) -> None:
    with pytest.raises(IgcnasError, match="at least"):
        Halving(min_epochs=least, factor=factor)


# Moves


@given(st.integers(0, 1_000))
def test_a_mutation_changes_one_choice_and_what_hangs_on_it(seed: int) -> None:
    draws = random.Random(seed)
    parent = draw(Toy(), draws).parameters
    child = mutation(Toy(), parent, draws).parameters
    changed = [name for name in parent.keys() & child.keys() if parent[name] != child[name]]
    assert len(changed) == 1
    assert parent.keys() == child.keys() or changed == ["kind"]


def test_neighbours_of_ordered_choices_are_next_to_them() -> None:
    asked = recall(Toy(), {"kind": "a", "depth": 1, "a.groups": 4, "tail": "x"})
    found = set(neighbours(asked))
    assert {value for name, value in found if name == "depth"} == {2}
    assert {value for name, value in found if name == "a.groups"} == {2, 8}
    assert {value for name, value in found if name == "tail"} == {"y"}


def seen_once(parameters: Mapping[str, Any], accuracy: float) -> Observation:
    return Observation(parameters=parameters, target=1, cost=1, accuracies=(accuracy,), complete=True, known=False)


def test_local_search_tries_every_neighbour_before_it_starts_anew() -> None:
    start = {"kind": "b", "depth": 2, "b.learned": True, "tail": "y"}
    asked, seen, told = proposer("local"), set(), [seen_once(start, 99.0)]
    around = len(list(neighbours(recall(Toy(), start))))
    for _ in range(around):
        proposal = asked.propose(told, seen)
        assert proposal is not None
        common = start.keys() & proposal.parameters.keys()
        assert sum(start[name] != proposal.parameters[name] for name in common) == 1
        seen.add(proposal.candidate.key)
    assert asked.tally.fallbacks == 0
    assert asked.tally.repeats == sum(range(around))  # each time those of before are passed over
    assert asked.propose(told, seen) is not None


def test_local_search_goes_on_from_the_better_neighbour_only() -> None:
    start = {"kind": "b", "depth": 2, "b.learned": True, "tail": "y"}
    better, worse, far = (
        start | {"depth": 3},
        start | {"depth": 1},
        {"kind": "a", "depth": 1, "a.groups": 1, "tail": "x"},
    )

    def next_to(told: list[Observation]) -> dict[str, Any]:
        proposal = proposer("local").propose(told, set())
        assert proposal is not None
        return proposal.parameters

    def changes(parameters: Mapping[str, Any], parent: Mapping[str, Any]) -> int:
        return sum(parameters[name] != parent[name] for name in parameters.keys() & parent.keys())

    moved = next_to([seen_once(start, 50.0), seen_once(better, 60.0)])
    stayed = next_to([seen_once(start, 50.0), seen_once(worse, 40.0)])
    anew = next_to([seen_once(start, 50.0), seen_once(far, 10.0)])
    assert (changes(moved, better), changes(stayed, start), changes(anew, far)) == (1, 1, 1)


def test_evolution_forgets_the_best_network_once_it_is_old() -> None:
    asked = proposer("evolution")
    told = [observed(proposal) for proposal in run("random", 36)]
    best = max(range(36), key=lambda number: told[number].accuracies[-1])
    old = [told[best], *told[:best], *told[best + 1 :]]
    members = regularized_evolution(asked._knowledge([network for network in old if network.complete]))
    recent = [dict(network.parameters) for network in old if network.complete][-20:]
    for _ in range(20):
        child = next(members)
        assert any(sum(child.get(k) != v for k, v in parent.items()) <= 2 for parent in recent)


def test_nsga2_is_asked_after_more_generations_than_python_may_go_deep() -> None:
    told = [
        Observation(
            parameters=draw(Toy(), random.Random(number)).parameters,
            target=500,
            cost=100.0 + number % 7,
            accuracies=(float(number % 90),),
            complete=True,
            known=False,
        )
        for number in range(20 * 400)
    ]
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(500)
    try:
        assert proposer("nsga2", spread=True).propose(told, set()) is not None
    finally:
        sys.setrecursionlimit(limit)


def test_the_generation_of_a_trial_is_where_optuna_looks_for_it() -> None:
    assert optuna.samplers.NSGAIISampler._get_generation_key() == GENERATION


def test_the_default_sampler_begins_with_every_block_type_of_the_space() -> None:
    space = load_space("all")
    domain = SpaceDomain(space=space, input_shape=(1, 8, 8), num_classes=10, budget=macs_budget(BUDGET))
    for seed in range(3):
        asked = Proposer(
            domain, budget=400_000, lowest_target=200_000, spread=True, sampler="gp", seed=seed, images=100
        )
        told, seen = [], set()
        for _ in space.families:
            proposal = asked.propose(told, seen)
            assert proposal is not None
            seen.add(proposal.candidate.key)
            told.append(
                Observation(
                    parameters=proposal.parameters,
                    target=proposal.target,
                    cost=proposal.candidate.macs,
                    accuracies=(50.0,),
                    complete=True,
                    known=False,
                )
            )
        assert {network.parameters["block"] for network in told} == {family.name for family in space.families}


def test_a_sampler_keeps_its_name_auto_becomes_one_and_an_unknown_one_is_refused() -> None:
    assert [resolve_sampler(name) for name in ("gp", "tpe", "random")] == ["gp", "tpe", "random"]
    assert resolve_sampler("auto") == "gp"
    with pytest.raises(IgcnasError, match="did you mean 'tpe'"):
        resolve_sampler("tpee")


def test_everything_that_the_packages_offer_is_there() -> None:
    for package in (proposals, samplers):
        assert all(hasattr(package, name) for name in package.__all__)
