"""What samplers ask for, given what is known."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.toy import BUDGET, Toy, knowledge, trained

from igcnas.search.proposals import Judge, Proposer
from igcnas.search.proposals.choices import Asked, is_ordered, mutation, neighbours, recall
from igcnas.search.proposals.mirror import TARGET, Mirror
from igcnas.search.proposals.samplers import bayesian, evolution, of_optuna
from igcnas.search.proposals.samplers.knowledge import Knowledge


def test_draws_differ_by_seed_number_and_purpose_and_by_nothing_else() -> None:
    assert knowledge().draw_seed("a") == knowledge(1.0, target=200).draw_seed("a")
    seeds = {
        knowledge().draw_seed("a"),
        knowledge(seed=1).draw_seed("a"),
        knowledge(number=8).draw_seed("a"),
        knowledge().draw_seed("b"),
        knowledge().draw_seed("a", 1),
    }
    assert len(seeds) == 5
    assert knowledge(seed=1, number=12).draw_seed() != knowledge(seed=11, number=2).draw_seed()
    assert all(0 <= seed < 2**32 for seed in seeds)  # what numpy and Optuna take
    assert max(knowledge(seed=seed).draw_seed() for seed in range(50)) > 2**31


def test_the_best_come_first_without_the_pruned_and_of_equal_ones_the_earlier() -> None:
    known = knowledge(1.0, None, 3.0, 1.0, -2.0)
    assert [known.scored.index(one) for one in known.best_first()] == [2, 0, 3, 4]


def test_of_very_many_networks_the_latest_are_told_and_the_best_of_those_before() -> None:
    most = bayesian._MOST
    few = [SimpleNamespace(score=score) for score in range(most)]
    assert bayesian._told(few) == few  # type: ignore[arg-type]
    many = [SimpleNamespace(score=(7 * place) % (3 * most)) for place in range(3 * most)]
    told = bayesian._told(many)  # type: ignore[arg-type]
    latest = many[-most // 2 :]
    assert told[-len(latest) :] == latest
    assert len({id(one) for one in told}) == len(told) == most
    left_out = [one for one in many[: -most // 2] if one not in told]
    assert min(one.score for one in told[: -len(latest)]) >= max(one.score for one in left_out)


def model(known: Knowledge, pool: list[Asked]) -> Any:
    asked = [recall(known.domain, scored.network.parameters) for scored in known.scored]
    running = [recall(known.domain, network.parameters) for network in known.pending]
    return bayesian._Model(known, known.scored, asked, running, pool)


def some_pool() -> list[Asked]:
    return [recall(Toy(), trained(number).parameters) for number in range(40, 60)]


def test_expected_improvement_is_the_mean_of_what_lies_above_the_best_known_network() -> None:
    known = knowledge(*(math.sin(number) for number in range(14)))
    process = model(known, pool := some_pool())
    mean, spread = process._at_target(pool)
    best = process._at_target([recall(Toy(), scored.network.parameters) for scored in known.scored])[0].max()
    drawn = mean + spread * np.random.default_rng(0).normal(size=(200_000, len(pool)))
    assert process.improvement() == pytest.approx(np.maximum(drawn - best, 0).mean(0), abs=0.005)


def test_scores_count_by_their_ranks_and_those_of_pruned_networks_less() -> None:
    scores = [1.0, 2.0, None, 5.0, -3.0, 4.0]  # a pruned one scored 0
    ranks = model(knowledge(*scores), some_pool())._process
    far = model(knowledge(*scores[:-3], 1e9, -1e9, 4.0), some_pool())._process
    assert ranks.scores == pytest.approx(far.scores)  # how far away a diverged training is does not matter
    assert ranks.scores.argsort().tolist() == [4, 2, 0, 1, 5, 3]
    assert (ranks.scores.mean(), ranks.scores.std()) == pytest.approx((0, 1))
    assert ranks.uncertainty.tolist() == [1, 1, 4, 1, 1, 1]


def test_a_structure_in_training_promises_less_than_before() -> None:
    known = knowledge(*(math.sin(number) for number in range(14)))
    pool = some_pool()
    before = model(known, pool).improvement()
    best = int(before.argmax())
    pending = replace(trained(40 + best, complete=False, pending=True), target=known.target)
    assert model(replace(known, pending=(pending,)), pool).improvement()[best] < 0.9 * before[best]


def test_targets_are_an_axis_from_the_lowest_to_the_budget_on_a_log_scale() -> None:
    process = model(knowledge(*range(6)), pool := some_pool()[:3])
    middle = round(math.sqrt(150 * BUDGET))
    encoded = process._encode(pool, [150, middle, BUDGET])
    assert encoded.values[:, -1] == pytest.approx([0, 0.5, 1], abs=0.002)
    assert encoded.ordered[-1]
    one = model(replace(knowledge(*range(6)), targets=(BUDGET, BUDGET)), pool)
    assert one._encode(pool, [BUDGET] * 3).values[:, -1].tolist() == [0, 0, 0]


def test_numbers_in_order_have_places_and_names_single_values_and_the_target_have_none() -> None:
    options = {"depth": (1, 2, 4), "kind": ("a", "b"), "mixed": (2, 1), "fixed": (3,), TARGET: (1, 2)}
    places = dict(bayesian._axes([Asked({}, options)]))
    assert places == {"depth": {1: 0, 2: 0.5, 4: 1}, "kind": None, "mixed": None, "fixed": None, TARGET: None}


def test_the_process_begins_after_ten_networks_or_one_of_every_kind() -> None:
    assert bayesian.gp_starts(knowledge(*range(9)))
    assert not bayesian.gp_starts(knowledge(*range(10)))


def test_the_pool_has_every_neighbour_of_the_best_five_and_random_structures() -> None:
    known = knowledge(*range(12))
    pool = [asked.parameters for asked in bayesian._pool(known)]
    for scored in known.scored[-5:]:
        parent = scored.network.parameters
        for name, value in neighbours(recall(Toy(), parent)):
            assert any(
                one.get(name) == value
                and all(one[other] == parent[other] for other in one.keys() & parent.keys() - {name})
                for one in pool
            )
    parents = [recall(Toy(), scored.network.parameters) for scored in known.scored[-5:]]
    assert len(pool) == 200 + sum(len(list(neighbours(parent))) for parent in parents)
    kinds = [one["kind"] for one in pool[-200:]]
    assert 60 < kinds.count("a") < 140


def test_pruned_networks_are_no_parents() -> None:
    known = knowledge(*([None] * 30), *([1.0] * 20))
    finished = [scored.network.parameters for scored in known.scored[30:]]
    assert not evolution.evolution_starts(known)
    assert evolution.evolution_starts(replace(known, scored=known.scored[:-1]))
    for sampler in (evolution.regularized_evolution, evolution.best_few):
        for child in itertools.islice(sampler(known), 30):
            assert any(_is_mutation(child, parent) for parent in finished)


def _is_mutation(child: dict[str, Any], parent: Any) -> bool:
    return sum(child[name] != parent[name] for name in child.keys() & parent.keys()) == 1


def test_better_networks_have_more_children() -> None:
    known = knowledge(*range(20))
    best = [scored.network.parameters for scored in known.scored[-10:]]
    worst = [scored.network.parameters for scored in known.scored[:3]]
    children = list(itertools.islice(evolution.regularized_evolution(known), 200))

    def share(parents: list[Any]) -> float:
        return sum(any(_is_mutation(child, parent) for parent in parents) for child in children) / len(children)

    assert share(best) > 0.9
    few = list(itertools.islice(evolution.best_few(known), 100))
    assert all(any(_is_mutation(child, parent) for parent in best[-5:]) for child in few)
    assert share(worst) < 1


def test_local_search_stands_nowhere_before_a_training_has_ended() -> None:
    assert evolution.local_search_starts(knowledge(None, None))
    assert not evolution.local_search_starts(knowledge(None, 1.0))


def test_local_search_goes_through_all_neighbours_in_an_order_of_its_seed_and_then_starts_anew() -> None:
    parent = knowledge(1.0).scored[0].network.parameters
    around = len(list(neighbours(recall(Toy(), parent))))
    asked = [
        list(itertools.islice(evolution.local_search(knowledge(1.0, seed=seed)), around + 50)) for seed in range(6)
    ]
    assert all(all(_is_mutation(child, parent) for child in each[:around]) for each in asked)
    assert all(not all(_is_mutation(child, parent) for child in each[around:]) for each in asked)
    first_changes = {
        name for child, *_ in asked for name in child.keys() & parent.keys() if child[name] != parent[name]
    }
    assert len(first_changes) > 1


def test_local_search_stays_where_it_is_until_a_neighbour_is_better() -> None:
    here = knowledge(1.0).scored[0]
    beside = dict(here.network.parameters) | {"tail": "x" if here.network.parameters["tail"] == "y" else "y"}
    for score, moves in ((0.5, False), (1.0, False), (1.5, True)):
        other = replace(here, network=replace(here.network, parameters=beside), score=score)
        assert evolution._standing(replace(knowledge(), scored=[here, other])) is (other if moves else here)


def test_optuna_draws_at_random_as_long_as_is_said() -> None:
    assert of_optuna.tpe_starts(knowledge(*range(9)))
    assert not of_optuna.tpe_starts(knowledge(*range(10)))
    mirror = Mirror(Toy(), targets=(150, BUDGET))
    known = replace(knowledge(), mirror=lambda: mirror)
    for count, starts in ((19, True), (20, False), (41, False)):
        mirror.update([trained(number, 50.0) for number in range(count)], Judge.of([], images=10))
        assert of_optuna.nsga2_starts(known) is starts


@pytest.mark.parametrize(
    ("options", "ordered"),
    [
        ((1, 2, 4), True),
        ((1, 2.5), True),
        ((2, 1), False),
        (("a", "b"), False),
        ((False, True), False),
        ((1, "a"), False),
    ],
)
def test_numbers_in_rising_order_are_ordered_and_nothing_else_is(options: tuple[Any, ...], ordered: bool) -> None:
    assert is_ordered(options) is ordered


def test_whole_numbers_are_asked_for_in_their_steps() -> None:
    class Stepped(Toy):
        def suggest(self, trial: Any) -> dict[str, Any]:
            return {"depth": trial.suggest_int("depth", 2, 8, step=3), "one": trial.suggest_int("one", 5, 5)}

    asked = recall(Stepped(), {"depth": 5, "one": 5})
    assert asked.options == {"depth": (2, 5, 8), "one": (5,)}
    assert set(neighbours(asked)) == {("depth", 2), ("depth", 8)}


def test_a_space_of_one_network_has_no_mutation_and_gives_that_network() -> None:
    class One(Toy):
        def suggest(self, trial: Any) -> dict[str, Any]:
            return {"kind": trial.suggest_categorical("kind", ("a",))}

    assert mutation(One(), {"kind": "a"}, random.Random(0)).parameters == {"kind": "a"}


def test_the_default_sampler_gives_its_pool_the_most_promising_first_and_before_that_random_ones_without_end() -> None:
    known = knowledge(*(math.sin(number) for number in range(14)))
    pool = list(bayesian._pool(known))
    improvement = model(known, pool).improvement()
    asked = list(bayesian.gp(known))
    assert len(asked) == len(pool)
    assert asked[0] == pool[int(improvement.argmax())].parameters
    assert asked[-1] == pool[int(improvement.argmin())].parameters
    assert len(list(itertools.islice(bayesian.gp(knowledge()), 300))) == 300


@pytest.mark.parametrize(("name", "objectives"), [("nsga2", 2), ("tpe-mo", 2), ("tpe", 1)])
def test_samplers_of_a_front_hear_of_accuracy_and_cost_and_choose_the_target(name: str, objectives: int) -> None:
    asked = Proposer(Toy(), budget=1_000, lowest_target=150, spread=True, sampler=name, seed=0, images=10)
    assert len(asked._knowledge([]).mirror().study.directions) == objectives
