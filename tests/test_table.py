"""A table says the same in every medium: each value once, unknown ones as unknown, text of others harmless."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igcnas.results.plain import plain
from igcnas.results.table import Column, Table, p_value, span


@dataclass(frozen=True)
class Found:
    name: str
    accuracy: float | None
    seeds: int


COLUMNS = (
    Column.words("network", lambda one: one.name),
    Column.numbers("test", lambda one: one.accuracy, ".2f", unit="%"),
    Column.numbers("seeds", lambda one: one.seeds, ","),
)
FOUND = Table.of(COLUMNS, [Found("a", 97.126, 1200), Found("longer", None, 1), Found("c", math.nan, 2)])


def test_words_stand_to_the_left_and_numbers_to_the_right():
    assert FOUND.text().splitlines() == [
        "network  test %  seeds",
        "a         97.13  1,200",
        "longer        -      1",
        "c             -      2",
    ]
    assert FOUND.markdown().splitlines()[:3] == [
        "| network | test % | seeds |",
        "| --- | ---: | ---: |",
        "| a | 97.13 | 1,200 |",
    ]


def test_csv_and_json_hold_the_values_themselves_and_nothing_for_what_is_unknown():
    assert FOUND.csv() == "network,test %,seeds\na,97.126,1200\nlonger,,1\nc,,2\n"
    assert json.loads(json.dumps(FOUND.data(), allow_nan=False)) == [
        {"network": "a", "test %": 97.126, "seeds": 1200},
        {"network": "longer", "test %": None, "seeds": 1},
        {"network": "c", "test %": None, "seeds": 2},
    ]


def test_records_need_not_hold_the_same():
    table = Table.of_data([{"a": 1}, {"b": 2.5, "a": 3}])
    assert table.csv() == "a,b\n1,\n3,2.5\n"


@given(st.lists(st.tuples(st.text(max_size=9), st.integers() | st.none() | st.floats()), min_size=1, max_size=5))
def test_every_medium_has_every_row_whatever_it_holds(rows):
    table = Table(columns=(Column.words("w"), Column.numbers("n")), rows=tuple(rows))
    assert len(table.text().split("\n")) == len(rows) + 1
    assert len(table.markdown().split("\n")) == len(rows) + 2
    assert len(list(csv.reader(io.StringIO(table.csv())))) == len(rows) + 1
    json.dumps(table.data(), allow_nan=False)


def test_a_row_that_does_not_fit_its_columns_is_refused():
    with pytest.raises(ValueError, match="zip"):
        Table(columns=(Column.words("a"),), rows=(("x", "y"),)).cells()


def test_reworded_a_table_holds_what_it_said():
    table = FOUND.reworded(str.upper)
    assert table.cells() == [["A", "97.13", "1,200"], ["LONGER", "-", "1"], ["C", "-", "2"]]
    assert table.heads == FOUND.heads


def test_intervals_and_p_values_are_said_alike_everywhere():
    assert span("+.1f")((-1.04, 2.0)) == "-1.0 to +2.0"
    assert span()((-math.inf, math.inf)) == "-"
    assert [p_value(p) for p in (0.0, 0.00099, 0.001, 1.0)] == ["<0.001", "<0.001", "0.001", "1.000"]


def test_nothing_in_plain_data_is_infinite():
    found = plain({"found": Found("a", math.inf, 1), "ends": (-math.inf, 1.0), "path": Path("x")})
    assert found == {"found": {"name": "a", "accuracy": None, "seeds": 1}, "ends": [None, 1.0], "path": "x"}
