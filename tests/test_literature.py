"""The published networks have the published figures, in every quantity and convention that was published."""

from __future__ import annotations

import pytest
import torch

from analysis import networks_page
from analysis.published import FORMULAS, Published, formulas, published
from igcnas.errors import ArchitectureError
from igcnas.modules.build import build
from igcnas.modules.layers import LEARNED
from igcnas.network.blocks import BasicBlock
from igcnas.network.cost import count, count_plan, parameter_parts, training_params
from igcnas.network.grouping import MultiSpectral
from igcnas.network.literature import FAMILIES, family
from igcnas.network.plan import plan
from igcnas.network.primitives import Convolution, GlobalPool, Norm

ROWS = published()
UNMET = published("unmet.csv")


def one_line(error: pytest.ExceptionInfo[ArchitectureError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.family} {row.parameters} {row.quantity}" for row in ROWS])
def test_published_network_has_its_published_figure(row: Published):
    computed = row.computed()
    assert row.equals(computed), f"{row.network}: {computed:,}"


@pytest.mark.parametrize("row", formulas(), ids=[f"{row.formula} {row.arguments}" for row in formulas()])
def test_formula_of_a_paper_gives_its_published_value(row):
    assert FORMULAS[row.formula](**row.values()) == row.value


@pytest.mark.parametrize("row", UNMET, ids=[f"{row.family} {row.parameters} {row.quantity}" for row in UNMET])
def test_what_is_listed_as_not_reproduced_is_not_reproduced(row: Published):
    assert row.why
    assert not row.equals(row.computed()), "met: it belongs in literature.csv"


def test_value_of_few_digits_is_compared_to_its_digits():
    row = Published("", "", "igc", "", "params", "0.16M")
    assert row.equals(155_962)
    assert not row.equals(165_000)
    assert not row._replace(value="0.160M").equals(155_962)


def test_every_family_is_in_the_table():
    assert {row.family for row in ROWS} == set(FAMILIES)


def test_page_of_networks_is_current(tmp_path, capsys):
    assert networks_page.main(["--check"]) == 0, capsys.readouterr().out
    other = tmp_path / "networks.md"
    assert networks_page.main(["--check"], path=other) == 1
    assert networks_page.main([], path=other) == 0
    assert other.read_text() == networks_page.PAGE.read_text()


def test_page_of_networks_names_every_row():
    text = networks_page.PAGE.read_text()
    assert all(row.network in text for row in (*ROWS, *UNMET))
    assert all(row.why in text for row in UNMET)


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_parts_of_the_parameters_are_all_of_them(name):
    network = plan(family(name).build())
    assert sum(parameter_parts(network)) == count_plan(network).params


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_module_has_the_parameters_that_are_counted_in_training(name):
    network = plan(family(name).build())
    learned = {layer.learned.kind for _, layer in network.layers() if isinstance(layer, Convolution) and layer.learned}
    if not learned <= set(LEARNED):
        pytest.skip(f"no module trains {learned - set(LEARNED)}")
    with torch.device("meta"):  # shapes without memory
        module = build(network)
    assert sum(parameter.numel() for parameter in module.parameters()) == training_params(network)


def test_igcv2_is_strict_where_the_product_of_its_branches_is_the_width():
    strict = family("igcv2").build(width=64, K="8-8", strict=True)
    assert [stage.block.grouping.K for stage in strict.stages] == [(1, 8, 8), (1, 8, 16), (1, 8, 32)]


def test_one_branch_size_holds_for_all_pointwise_kernels_of_igcv2():
    assert family("igcv2").build(K="8", kernels=3) == family("igcv2").build(K="8-8")
    assert family("igcv2").build(width=64, K="4", kernels=4, strict=True).stages[1].block.grouping.K == (1, 4, 4, 8)


def test_dynamic_resnet_has_a_norm_within_each_convolution_and_a_dynamic_shortcut():
    network = plan(family("dgc").build(host="resnet18"))
    dynamic = {name for name, layer in network.layers() if isinstance(layer, Convolution) and layer.learned}
    assert len(dynamic) == 2 * 8 + 3
    norms = {name for name, layer in network.layers() if isinstance(layer, Norm)}
    assert {f"{name}_norm" for name in dynamic} < norms


def test_widths_rounded_to_eight_are_those_of_torchvision():
    """A multiple of eight, the next one where the nearest takes more than a tenth off: 18 becomes 24, not 16."""
    network = family("mobilenetv2").build(width=0.75, rounding="eight")
    assert [network.stem_channels, *(stage.width for stage in network.stages)] == [24, 16, 24, 24, 48, 72, 120, 240]


def test_shortcut_alike_cannot_be_masked_for_each_image():
    with pytest.raises(ArchitectureError) as error:
        BasicBlock(grouping=MultiSpectral(heads=2), shortcut="alike")
    assert "cannot be masked for each image" in one_line(error)


def test_width_that_the_cifar_ports_of_igcv3_cannot_build_fails_as_in_them():
    with pytest.raises(ArchitectureError) as error:
        family("igcv3").build(width=0.7, rounding="exact")
    assert "2 groups do not divide the 11 channels" in one_line(error)
    assert count(family("igcv3").build(width=0.7)).params < count(family("igcv3").build()).params


def test_downsampling_that_is_asked_for_is_kept_on_small_images():
    pools = [plan(family("igcv3").build(downsampling=d)).layers() for d in (4, 8, 16, 32)]
    sizes = [next(layer for _, layer in pool if isinstance(layer, GlobalPool)).size for pool in pools]
    assert sizes == [(8, 8), (4, 4), (2, 2), (1, 1)]


def test_every_parameter_of_every_family_has_a_meaning():
    for known in FAMILIES.values():
        assert all(known.meanings.values()), known.meanings


@pytest.mark.parametrize("c", [24, 32, 64, 96, 160])
def test_stride_one_block_of_igcv3_has_6cc_plus_80c_parameters(c):
    def params(repeats: str) -> int:
        return count(family("igcv3").build(repeats=repeats)).params

    stage = [16, 24, 32, 64, 96, 160, 320].index(c)
    repeats = ["2"] * 7
    fewer = params("-".join(repeats))
    repeats[stage] = "3"
    assert params("-".join(repeats)) - fewer == 6 * c * c + 80 * c


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_listed_defaults_build_the_network_that_no_parameters_build(name):
    assert family(name).from_text(family(name).words) == family(name).from_text([])


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_family_says_what_it_is(name):
    assert "et al." in family(name).summary


@pytest.mark.parametrize("name", sorted(FAMILIES))
@pytest.mark.parametrize("size", [4, 6, 8, 28, 64])
def test_small_images_are_not_shrunk_below_four_pixels(name, size):
    network = family(name).build(size=size, channels=1)
    pool = next(layer for _, layer in plan(network).layers() if isinstance(layer, GlobalPool))
    assert min(pool.size) >= 4


def test_unknown_family_names_the_nearest():
    with pytest.raises(ArchitectureError) as error:
        family("mobilenet2")
    assert "did you mean 'mobilenetv2'?" in one_line(error)


def test_unknown_parameter_names_the_nearest_and_all():
    with pytest.raises(ArchitectureError) as error:
        family("igc").from_text(["depht=20"])
    message = one_line(error)
    assert "did you mean 'depth'?" in message
    assert "known: L, M, channels, classes, dataset, depth, doubles, residual, size, transition" in message


@pytest.mark.parametrize(
    ("name", "word", "fragment"),
    [
        ("igc", "depth", "key=value"),
        ("igc", "depth=twenty", "a whole number is expected"),
        ("igc", "depth=21", "depth must be 2 plus a multiple of 3"),
        ("igc", "depth=2", "depth must be 2 plus a multiple of 3"),
        ("igc", "residual=maybe", "true or false is expected"),
        ("igc", "L=0", "L must be a positive integer"),
        ("igc", "classes=0", "classes must be a positive integer"),
        ("igc", "size=0", "size must be a positive integer"),
        ("resnet", "width=-1", "width must be a positive integer"),
        ("mobilenetv2", "width=wide", "a number is expected"),
        ("mobilenetv2", "width=0", "width must be positive"),
        ("mobilenetv2", "width=nan", "width must be"),
        ("mobilenetv2", "width=inf", "width must be"),
        ("mobilenetv2", "shortcut=none", "shortcut must be one of"),
        ("mobilenetv2", "activation=gelu", "activation must be one of"),
        ("mobilenetv2", "size=0", "must be a positive integer"),
        ("mobilenetv2", "classes=0", "must be a positive integer"),
        ("igcv3", "repeats=1-2", "seven positive numbers"),
        ("igcv3", "repeats=1-2-3-4-3-3-0", "seven positive numbers"),
        ("igcv3", "G1=0", "G1 must be a positive integer"),
        ("flgc-mobilenetv2", "groups=0", "groups must be a positive integer"),
        ("igc", "dataset=mnist", "dataset must be one of ('cifar', 'imagenet')"),
        ("igc", "depth=20 dataset=imagenet", "depth must be 18 for dataset=imagenet"),
        ("igc", "residual=false dataset=imagenet", "residual=false is not defined there"),
        ("igc", "doubles=L dataset=imagenet M=3", "doubles=L needs an even M"),
        ("igcv2", "kernels=1", "kernels must be 2 or more"),
        ("igcv2", "kernels=2", "K='8-8' has 2 numbers, but 2 kernels have 1"),
        ("igc", "doubles=L", "doubles=L is defined for dataset=imagenet alone"),
        ("igc", "transition=old", "transition must be one of"),
        ("igc", "classes=many", "a whole number is expected"),
        ("regconv", "depth=19", "depth must be 2 plus a multiple of 3"),
        ("igcv2", "K=8-x", "K='8-x': positive numbers joined by dashes are expected"),
        ("igcv2", "strict=true", "the product of K must be the width"),
        ("igcv2", "width=100", "branches of 8 channels do not divide the 100"),
        ("igcv3", "downsampling=5", "downsampling must be one of (4, 8, 16, 32)"),
        ("igcv3", "rounding=up", "rounding must be one of"),
        ("mobilenetv2", "head=big", "head must be one of"),
        ("resnext", "depth=18", "depth must be one of (50, 101, 152)"),
        ("resnext", "groups=0", "groups must be a positive integer"),
        ("dg-resnext", "gates=3", "gates must be on, off, learned, or a power of two"),
        ("dg-resnext", "groups=24", "groups must be a power of two"),
        ("dg-resnext", "base=3", "a power of two"),
        ("msgc", "host=mobilenetv2-cifar dataset=imagenet", "host=mobilenetv2-cifar is for dataset=cifar alone"),
        ("mobilenetv2", "msgc_strides=true downsampling=4", "leave downsampling out"),
        ("igcv3", "wider=true repeats=1-2-3-4-3-3-2", "repeats cannot be given with it"),
        ("resnet", "skeleton=wide depth=50 shortcut=pad", "shortcut=pad is defined for basic blocks"),
        ("msgc", "host=vgg", "host must be one of"),
        ("msgc", "keep=0", "keep must be in (0, 1]"),
        ("msgc", "heads=5", "5 groups do not divide"),
        ("dgc", "keep=1.5", "keep must be in (0, 1]"),
        ("condensenet", "stages=14-14", "stages and growth must be as many"),
        ("condensenet", "C=0", "C must be a positive integer"),
        ("condensenet", "classifier=half", "classifier must be one of"),
        ("resnet", "skeleton=fat", "skeleton must be one of"),
        ("resnet", "dataset=imagenet2", "dataset must be one of"),
        ("resnet", "shortcut=none", "shortcut must be one of"),
    ],
)
def test_impossible_parameter_is_refused_in_one_line(name, word, fragment):
    with pytest.raises(ArchitectureError) as error:
        family(name).from_text(word.split())
    assert fragment in one_line(error)


def test_a_parameter_that_is_given_twice_is_refused() -> None:
    with pytest.raises(ArchitectureError, match=r"^L is given twice; give it once$"):
        family("igc").from_text(["L=24", "L=12"])
