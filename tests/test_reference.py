"""Networks compute what other people's code computes: not as many parameters and MACs, but the same numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.reference import ROWS, compute, numbers

_DIGITS = 1e-9  # the numbers of a row have ten significant digits
# The masks of that code are float32, and so is the gradient of its assignments.
_FLGC_GRADIENTS = 1e-5


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_outputs_gradients_and_statistics_are_those_of_the_authors_code(row: dict[str, Any]) -> None:
    found = compute(row)
    assert found.params == row["params"]
    filling = found.filling
    assert [filling.tensors, filling.numbers] == [row["fill"]["tensors"], row["fill"]["numbers"]]
    assert filling.sum == pytest.approx(row["fill"]["sum"], rel=_DIGITS)
    for mode, logits in (("eval", found.evaluated), ("train", found.trained)):
        wanted = np.array(row[mode])
        assert logits.flatten()[:10].numpy() == pytest.approx(wanted, abs=_DIGITS * np.abs(wanted).max()), mode
        assert float(logits.square().sum()) == pytest.approx(row[f"{mode}_square"], rel=2 * _DIGITS), mode
    assert found.running_square == pytest.approx(row["running_square"], rel=2 * _DIGITS)
    assert found.input_gradient_square == pytest.approx(row["input_gradient_square"], rel=2 * _DIGITS)
    tolerance = _FLGC_GRADIENTS if row["family"] == "flgc-mobilenetv2" else 2 * _DIGITS
    wanted = np.array(row["gradient_squares"])
    # A gradient that is zero but for rounding is compared with the largest one.
    assert found.gradient_squares == pytest.approx(wanted, rel=tolerance, abs=1e-13 * wanted.max())


def test_there_is_a_row_of_every_family_whose_authors_or_ports_published_code() -> None:
    known = {row["family"] for row in ROWS}
    assert known == {
        "igc", "regconv", "igcv3", "mobilenetv2", "resnet", "resnext",
        "flgc-mobilenetv2", "dg-resnext", "condensenet", "dgc", "msgc",
    }  # fmt: skip


def test_the_filling_is_splitmix64() -> None:
    # The first outputs of the generator for seed 0, from its published description: no test of ours against ours.
    first = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F)
    assert numbers(0, 3).tolist() == [(z >> 11) * 2.0**-52 - 1 for z in first]


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("igcv3-xxradon-x0.5-ds8", {"permute_back": False}),
        ("mobilenetv2-kuangliu", {"activation": "relu6"}),
        ("flgc-mobilenetv2-G4", {"width": 1.1}),
    ],
)
def test_numbers_of_a_row_tell_networks_apart_that_differ_in_one_option(name: str, option: dict[str, Any]) -> None:
    row = next(row for row in ROWS if row["name"] == name)
    other = compute({**row, "parameters": row["parameters"] | option}).trained.flatten()[:10]
    assert np.abs(other.numpy() - np.array(row["train"])).max() > 1e-3
