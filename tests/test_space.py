"""Search spaces: every structure is a network, and the budget decides its width."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igcnas.errors import SpaceError
from igcnas.modules.build import build
from igcnas.network.blocks import Bottleneck
from igcnas.network.budget import macs_budget
from igcnas.network.cost import count
from igcnas.network.grouping import SparseProduct
from igcnas.network.plan import plan
from igcnas.network.primitives import GlobalPool
from igcnas.search.space import (
    BasicFamily,
    GroupableFamily,
    InterleavedFamily,
    InvertedFamily,
    ProductFamily,
    SearchSpace,
    Structure,
    known_spaces,
    load_space,
)
from igcnas.search.space.space import _strides

SHAPES = ((1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 64, 64))
SPACES = {name: load_space(name) for name in known_spaces()}

TINY = SearchSpace(
    name="tiny",
    families=(
        BasicFamily(residual=(True, False)),
        InterleavedFamily(M=(1, 3), learned=(False, True)),
        InvertedFamily(name="igcv3", expansion=(1, 2), G1=(1, 2), G2=(2,), expand_activation=False),
    ),
    stages=2,
    depths=(1, 2),
    final_sizes=(2, 4),
    head_ratios=(0, 1),
    max_width=6,
)


@st.composite
def structures(draw: st.DrawFn) -> Structure:
    space = SPACES[draw(st.sampled_from(sorted(SPACES)))]
    family = draw(st.sampled_from(space.families))
    values = {axis: draw(st.sampled_from(options)) for axis, options in space.axes(family).items()}
    return space.decode(
        {"block": family.name} | values, draw(st.sampled_from(SHAPES)), draw(st.sampled_from((2, 10, 100)))
    )


def macs(structure: Structure, n: int) -> int:
    return count(structure.at(n)).macs


@given(structures(), st.data())
@settings(max_examples=200)
def test_macs_never_fall_as_n_grows(structure, data):
    n = data.draw(st.integers(1, min(structure.most - 1, 400)))
    assert macs(structure, n) <= macs(structure, n + 1)


@pytest.mark.parametrize("growth", [1.5, 2.0])
@pytest.mark.parametrize("M", [1, 2, 8])
def test_macs_never_fall_as_n_grows_where_l_carries_the_growth(M, growth):
    space = SPACES["igcv1"]
    chosen = {"igcv1.M": M, "igcv1.grows": "L", "growth": growth}
    first = {axis: options[0] for axis, options in space.axes(space.families[0]).items()}
    structure = space.decode({"block": "igcv1"} | first | chosen, (3, 32, 32), 10)
    costs = [macs(structure, n) for n in range(1, 200)]
    assert costs == sorted(costs)


@given(structures(), st.floats(4, 9))
@settings(max_examples=200)
def test_fit_is_the_widest_network_at_or_under_the_target(structure, exponent):
    target = int(10**exponent)
    fit = structure.fit(macs_budget(target))
    if fit is None:
        assert macs(structure, 1) > target
    else:
        assert fit.architecture == structure.at(fit.n)
        assert count(fit.architecture).macs == fit.used <= target
        assert fit.n == structure.most or macs(structure, fit.n + 1) > target


@given(structures(), st.floats(4, 9))
@settings(max_examples=100)
def test_fit_is_never_over_the_target(structure, exponent):
    target = int(10**exponent)
    fit = structure.fit(macs_budget(target))
    assert macs(structure, 1) > target if fit is None else count(fit.architecture).macs == fit.used <= target


@given(structures(), st.integers(1, 30))
@settings(max_examples=60)
def test_every_structure_is_a_network_that_torch_can_build(structure, n):
    n = min(n, structure.most)
    architecture = structure.at(n)
    assert sum(p.numel() for p in build(plan(architecture)).parameters()) >= count(architecture).params


@given(structures())
@settings(max_examples=100)
def test_limit_is_the_widest_first_stage_that_the_space_allows(structure):
    unit = structure.family.unit(structure.values)
    assert structure.max_width - unit < structure.at(structure.most).stages[0].width <= structure.max_width


def draw(space: SearchSpace, seed: int) -> tuple[optuna.Trial, dict[str, object]]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()
    return trial, space.suggest(trial)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("seed", range(10))
def test_what_a_trial_remembers_decodes_to_what_was_suggested(space, seed):
    trial, suggested = draw(space, seed)
    assert trial.params == suggested
    structure = space.decode(trial.params, (3, 32, 32), 10)
    assert structure.family.name == suggested["block"]
    assert structure.depths == tuple(suggested[f"depth{stage}"] for stage in (1, 2, 3))
    assert structure.growth == suggested["growth"]
    assert structure.head_ratio == suggested["head_ratio"]
    for axis, value in structure.values.items():
        assert suggested[f"{structure.family.name}.{axis}"] == value


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_only_choices_of_the_space_are_suggested(space):
    for seed in range(20):
        _, suggested = draw(space, seed)
        block = suggested.pop("block")
        axes = space.axes(next(family for family in space.families if family.name == block))
        assert set(suggested) == set(axes)
        assert all(value in axes[axis] for axis, value in suggested.items())


def test_whole_numbers_in_equal_steps_keep_their_order_for_optuna():
    trial, _ = draw(dataclasses.replace(TINY, depths=(2, 4, 6)), 0)
    assert trial.distributions["depth1"] == optuna.distributions.IntDistribution(2, 6, step=2)


def test_whole_numbers_in_unequal_steps_are_categories_for_optuna():
    trial, _ = draw(dataclasses.replace(TINY, depths=(1, 2, 4)), 0)
    assert trial.distributions["depth1"] == optuna.distributions.CategoricalDistribution((1, 2, 4))


def test_a_single_choice_is_always_taken():
    _, suggested = draw(dataclasses.replace(TINY, depths=(3,)), 0)
    assert suggested["depth1"] == suggested["depth2"] == 3


def all_costs(space: SearchSpace, shape: tuple[int, int, int]) -> Iterator[int]:
    for family in space.families:
        axes = space.axes(family)
        for values in itertools.product(*axes.values()):
            structure = space.decode({"block": family.name} | dict(zip(axes, values, strict=True)), shape, 3)
            for n in range(1, structure.most + 1):
                yield macs(structure, n)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 12)])
def test_smallest_and_largest_network_are_those_of_the_whole_space(shape):
    costs = list(all_costs(TINY, shape))
    assert count(TINY.smallest(shape, 3)).macs == min(costs)
    assert count(TINY.largest(shape, 3)).macs == max(costs)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_smallest_network_is_far_below_the_largest(space, shape):
    assert 100 * count(space.smallest(shape, 10)).macs < count(space.largest(shape, 10)).macs


@given(size=st.integers(4, 300), final=st.sampled_from((2, 4, 8)), stages=st.integers(1, 5))
def test_strides_bring_the_image_to_about_the_final_size(size, final, stages):
    strides = _strides(size, final, stages)
    assert len(strides) == stages + 1
    product = 1
    for stride in strides:
        product *= stride
    assert product == 1 or final / 1.5 < size / product < final * 1.5


@given(size=st.integers(4, 300), final=st.sampled_from((2, 4, 8)), stages=st.integers(1, 5))
def test_later_stages_shrink_at_least_as_much_as_earlier_ones(size, final, stages):
    strides = _strides(size, final, stages)
    assert list(strides) == sorted(strides)
    assert strides[-1] <= 2 * strides[0]


@pytest.mark.parametrize(
    ("size", "final", "stages", "strides"),
    [
        (32, 4, 3, (1, 2, 2, 2)),
        (32, 8, 3, (1, 1, 2, 2)),
        (28, 4, 3, (1, 2, 2, 2)),
        (3, 8, 2, (1, 1, 1)),
        (64, 4, 1, (4, 4)),
    ],
)
def test_strides_of_common_images(size, final, stages, strides):
    assert _strides(size, final, stages) == strides


def test_final_map_of_a_network_has_the_size_that_was_chosen():
    family = TINY.families[0]
    values = {axis: options[0] for axis, options in TINY.axes(family).items()} | {"final_size": 4}
    network = TINY.decode({"block": family.name} | values, (3, 32, 64), 10).at(8)
    pool = next(layer for _, layer in plan(network).layers() if isinstance(layer, GlobalPool))
    assert pool.size == (4, 8)


def test_head_has_the_chosen_multiple_of_the_last_width():
    space = dataclasses.replace(TINY, head_ratios=(0, 1, 3))
    family = space.families[0]
    values = {axis: options[-1] for axis, options in space.axes(family).items()} | {"head_ratio": 3}
    network = space.decode({"block": family.name} | values, (3, 32, 32), 10).at(40)
    assert [stage.width for stage in network.stages] == [5, 10]
    assert network.head_channels == 30


def test_widths_are_multiples_of_both_numbers_of_groups():
    family = InvertedFamily(name="uneven", expansion=(2,), G1=(2, 4), G2=(3, 6), expand_activation=False)
    space = SearchSpace(name="uneven", families=(family,))
    values = {axis: options[-1] for axis, options in space.axes(family).items()}
    network = space.decode({"block": "uneven"} | values, (3, 32, 32), 10).at(8)
    assert [stage.width for stage in network.stages] == [12, 24, 48]


@pytest.mark.parametrize("name", sorted(SPACES))
def test_space_carries_the_name_it_is_found_by(name):
    assert SPACES[name].name == name


def test_fingerprints_of_all_spaces_differ():
    assert len({space.fingerprint() for space in SPACES.values()}) == len(SPACES)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"families": TINY.families[:2]},
        {"families": (BasicFamily(), *TINY.families[1:])},
        {"families": (dataclasses.replace(TINY.families[0], activation="relu6"), *TINY.families[1:])},
        {"stages": 3},
        {"depths": (1, 2, 3)},
        {"depths": (2, 1)},
        {"growths": (1.0, 2.0)},
        {"final_sizes": (2,)},
        {"head_ratios": (0, 2)},
        {"max_width": 7},
    ],
    ids=str,
)
def test_fingerprint_changes_when_a_choice_does(changes):
    assert dataclasses.replace(TINY, **changes).fingerprint() != TINY.fingerprint()


def test_fingerprint_is_the_same_for_an_equal_space():
    assert dataclasses.replace(TINY).fingerprint() == TINY.fingerprint()


def test_one_secondary_partition_has_nothing_to_learn():
    family = InterleavedFamily(M=(1, 2), learned=(True,))
    values = {"M": 1, "grows": "L", "residual": True, "learned": True}
    block, _ = family.stage(values, 4.0, 1.0)
    plain, _ = family.stage(values | {"learned": False}, 4.0, 1.0)
    assert block == plain


@pytest.mark.parametrize("groups", [1, 4])
def test_kronecker_gates_with_nothing_to_choose_are_fixed_groups(groups):
    values = {"groups": groups, "ratio": 1, "learned": True}
    learned, _ = GroupableFamily().stage(values, 4.0, 1.0)
    fixed, _ = GroupableFamily().stage(values | {"learned": False}, 4.0, 1.0)
    assert learned == fixed


@pytest.mark.parametrize("scale", [1.0, 5.0, 31.0, 100.0])
def test_middle_of_a_groupable_bottleneck_is_a_power_of_two_that_the_groups_divide(scale):
    block, width = GroupableFamily().stage({"groups": 8, "ratio": 2, "learned": True}, scale, 1.0)
    assert isinstance(block, Bottleneck)
    assert block.mid == max(8, 2 ** int(math.log2(max(1, width // 2))))


@pytest.mark.parametrize("scale", [1.0, 4.0, 9.0])
@pytest.mark.parametrize(("K", "kernels"), [(2, 3), (4, 2), (8, 1)])
def test_igcv2_of_the_space_is_strict_at_every_width(K, kernels, scale):
    block, width = ProductFamily().stage({"K": K, "kernels": kernels, "residual": True}, scale, 1.0)
    assert isinstance(block.grouping, SparseProduct)
    assert math.prod(block.grouping.K) == width
    assert min(block.grouping.K[1:]) > 1


def test_every_condensing_layer_of_a_network_drops_whole_parts():
    space = SPACES["condensing"]
    family = space.families[0]
    values = {axis: options[-1] for axis, options in space.axes(family).items()} | {"condensenet.reduce": "condensing"}
    network = space.decode({"block": family.name} | values, (3, 32, 32), 10).at(13)
    learned = [layer for _, layer in plan(network).layers() if getattr(layer, "learned", None) is not None]
    assert len(learned) == network.depth > 0
    for layer in learned:
        assert layer.learned.kept_inputs(layer.in_channels) * 8 == layer.in_channels


USER_SPACE = """
from igcnas.search.space import BasicFamily, SearchSpace
SPACE = SearchSpace(name="mine", families=(BasicFamily(),), depths=(1,))
"""


def write(folder: Path, text: str) -> str:
    path = folder / "mine.py"
    path.write_text(text)
    return str(path)


def test_space_of_a_users_file_is_loaded_by_its_path(tmp_path):
    space = load_space(write(tmp_path, USER_SPACE))
    assert (space.name, space.depths) == ("mine", (1,))


def test_relative_path_is_enough(tmp_path, monkeypatch):
    write(tmp_path, USER_SPACE)
    monkeypatch.chdir(tmp_path)
    assert load_space("mine.py").name == "mine"


def refused(make, fragment: str) -> None:
    with pytest.raises(SpaceError) as error:
        make()
    assert fragment in str(error.value)
    assert "\n" not in str(error.value)


def test_unknown_space_names_the_nearest_and_all():
    refused(lambda: load_space("igcv4"), "did you mean 'igcv")
    refused(lambda: load_space("igcv4"), "known: all, condensing, dgconv, igcv1, igcv2, igcv3, learned, msgc")


def test_missing_file_names_the_known_spaces(tmp_path):
    refused(lambda: load_space(str(tmp_path / "none.py")), "known by name: all, condensing")


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "must define SPACE = SearchSpace(...)"),
        ("SPACE = 5", "must define SPACE = SearchSpace(...)"),
        ("SPACE = (", "cannot be read: SyntaxError"),
        ("import no_such_module", "cannot be read: ModuleNotFoundError"),
        ("raise ValueError('two\\nlines')", "cannot be read: ValueError"),
        (USER_SPACE.replace("depths=(1,)", "depth=(1,)"), "cannot be read: TypeError"),
        (USER_SPACE.replace("depths=(1,)", "depths=()"), "has no choice for depth1"),
    ],
)
def test_file_that_is_no_space_is_refused_in_one_line(tmp_path, text, fragment):
    path = write(tmp_path, text)
    refused(lambda: load_space(path), fragment)


def test_only_m_or_l_can_grow():
    refused(lambda: InterleavedFamily(grows=("C",)), "grows of family 'igcv1' offers M, L or both")


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"families": ()}, "has no block family"),
        ({"families": (BasicFamily(), BasicFamily())}, "names a block family twice"),
        ({"stages": 0}, "has 0 stages"),
        ({"max_width": 0}, "has max_width 0"),
        ({"growths": (0.5, 1.0)}, "lets a stage be narrower"),
        ({"growths": ()}, "has no choice for growth"),
        ({"depths": (1, 1)}, "offers a choice of depth1 twice"),
        ({"depths": 3}, "has no choice for depth1; give a tuple"),
        ({"depths": [1, 2]}, "has no choice for depth1; give a tuple"),
        ({"depths": (0, 1)}, "depth"),
        ({"final_sizes": (0,)}, "final_size"),
        ({"head_ratios": (-1,)}, "head_ratio"),
        ({"families": (InterleavedFamily(M=()),)}, "has no choice for igcv1.M"),
        ({"families": (InterleavedFamily(M=(0,)),)}, "M"),
        ({"families": (InvertedFamily(name="x", G1=(2, 2), expand_activation=True),)}, "offers a choice of x.G1 twice"),
        ({"families": (InvertedFamily(name="x", expansion=(0,), expand_activation=True),)}, "expansion"),
        ({"families": (BasicFamily(activation="gelu"),)}, "activation"),
        ({"families": ("resnet",)}, "famil"),
    ],
    ids=str,
)
def test_malformed_space_is_refused_in_one_line(changes, fragment):
    refused(lambda: dataclasses.replace(TINY, **changes), fragment)
