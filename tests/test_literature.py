"""The published networks have the published numbers of parameters and multiply-accumulates."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from igcnas.cost import count
from igcnas.errors import ArchitectureError
from igcnas.literature import FAMILIES, family
from igcnas.plan import plan
from igcnas.primitives import GlobalPool

# Counted with the references' own code; shared/reference/literature.md. No macs: published for other strides than ours.
with (Path(__file__).parent / "data" / "literature.csv").open(newline="") as _file:
    ROWS = list(csv.DictReader(_file))


def one_line(error: pytest.ExceptionInfo[ArchitectureError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['family']} {row['parameters']}" for row in ROWS])
def test_published_network_has_its_published_counts(row):
    cost = count(family(row["family"]).from_text(row["parameters"].split()))
    assert cost.params == int(row["params"])
    assert not row["macs"] or cost.macs == int(row["macs"])


def test_every_family_is_in_the_table():
    assert {row["family"] for row in ROWS} == set(FAMILIES)


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
    defaults = [f"{key}={value}" for key, value in family(name).parameters.items()]
    assert family(name).from_text(defaults) == family(name).from_text([])


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_family_says_what_it_is(name):
    assert "et al." in family(name).summary


@pytest.mark.parametrize("name", sorted(FAMILIES))
@pytest.mark.parametrize("size", [4, 8, 28, 64])
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
    ],
)
def test_impossible_parameter_is_refused_in_one_line(name, word, fragment):
    with pytest.raises(ArchitectureError) as error:
        family(name).from_text([word])
    assert fragment in one_line(error)
