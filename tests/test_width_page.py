"""docs/width.md: its tables are what the code computes, and so are the numbers in its words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scipy.stats import spearmanr

from analysis.width.igcv2 import widest_of_any
from analysis.width.igcv3 import Question
from analysis.width.igcv3_rows import published_rows
from analysis.width.lattice import FIG3, share
from analysis.width.subject import Subject
from analysis.width.tables import markdown
from analysis.width_page import PAGE, TABLES, filled, main

TEXT = PAGE.read_text(encoding="utf-8")
WORDS = re.sub(r"\s+", " ", re.sub(r"<!-- table.*?<!-- end -->", "", TEXT, flags=re.DOTALL))


def test_the_tables_of_the_page_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0
    assert "is current" in capsys.readouterr().out


def test_a_page_that_is_not_current_is_seen_and_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "width.md"
    page.write_text(TEXT.replace("| 155,962 |", "| 155,963 |"), encoding="utf-8")
    assert main(["--check"], path=page) == 1
    assert "not current" in capsys.readouterr().out
    assert main([], path=page) == 0
    assert page.read_text(encoding="utf-8") == TEXT


def test_a_table_that_is_missing_or_unknown_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the page has the tables"):
        filled(TEXT.replace("<!-- table blocks -->", "<!-- table squares -->"))
    with pytest.raises(SystemExit):
        main(["--check"], path=tmp_path / "none.md")


def test_every_figure_of_the_page_exists() -> None:
    names = re.findall(r"\]\((figures/[\w-]+\.png)\)", TEXT)
    assert len(names) == 5
    assert all((PAGE.parent / name).is_file() for name in names)
    assert len(TABLES) == 12


def test_numbers_and_words_stand_in_markdown_as_people_read_them() -> None:
    rows = [{"a": 12345, "b": 1234.5, "c": 0.12345, "d": "x"}]
    assert markdown(rows, {"a": "A", "b": "B", "c": "C", "d": "D"}).splitlines() == [
        "| A | B | C | D |",
        "| ---: | ---: | ---: | --- |",
        "| 12,345 | 1,234.50 | 0.123 | x |",
    ]


def test_the_shares_in_the_words_are_those_of_the_formula() -> None:
    said = {4 / 3: "99.3 % at r = 4/3", 2: "96 % at r = 2 or 1/2", 12: "66 % at r = 12 or 1/12"}
    for ratio, words in said.items():
        assert words in WORDS
        assert share(ratio) == pytest.approx(share(1 / ratio))
        assert f"{100 * share(ratio):.{1 if '.' in words.split()[0] else 0}f} %" == words[: words.index("%") + 1]


def test_the_correlations_in_the_words_are_those_of_the_papers_points() -> None:
    found = [spearmanr([L * M for L, M, _ in points], [a for *_, a in points]).statistic for points in FIG3.values()]
    assert f"Spearman's rank correlation of the two is {found[0]:.2f} and {found[1]:.2f}" in WORDS
    best = [max(points, key=lambda point: point[2]) for points in FIG3.values()]
    ratios = [L / (9 * M) for L, M, _ in best]
    assert f"at r = {ratios[0]:.1f} and {ratios[1]:.1f}" in WORDS
    assert f"with {100 * share(ratios[0]):.0f} % and {100 * share(ratios[1]):.0f} % of the bound" in WORDS
    accuracy = {(L, M): a for L, M, a in FIG3[17536]}
    assert accuracy[128, 1] == pytest.approx(accuracy[28, 7], abs=0.1)


def test_the_network_in_the_words_has_those_macs() -> None:
    network = Subject(kind="network")
    macs = [network.count(L, M).macs / 1e6 for L, M in ((48, 1), (24, 2))]
    assert f"{macs[0]:.1f} M against {macs[1]:.1f} M at 20 layers" in WORDS
    assert f"best at {network.params.best_ratio / 9:.2f} (depth 20" in WORDS
    assert f"it is {network.macs.best_ratio / 9:.2f} (tends to 12/7)" in WORDS


def test_the_bounds_in_the_words_are_those_of_the_published_network() -> None:
    first, last = widest_of_any(10_400, 9), widest_of_any(41_600, 9)
    assert f"at most {int(first[1])} channels in the first stage and {int(last[1]):,} in the last" in WORDS
    assert f"{int(first[0])} would be possible in the first" in WORDS


def test_the_shares_of_igcv3_in_the_words_are_those_of_the_table() -> None:
    deep = [row for row in published_rows() if row["network"] == "IGCV3-D"]
    narrow, wide = deep[0], deep[-1]
    words = f"IGCV3-D at c = 24 has {narrow['paths']} paths a pair, and {narrow['percent_one_path']:.0f} % of the width"
    assert words in WORDS
    assert f"at c = 160 it has {wide['paths']}, and {wide['percent_one_path']:.0f} %" in WORDS
    other = [float(row["percent_same_paths"]) for row in published_rows() if row["G2"] == 4]
    assert "3 to 4 % narrower" in WORDS
    assert 96 < min(other) <= max(other) < 97.5


def test_igcv3_d_is_wider_than_regular_above_18_channels() -> None:
    for c in range(2, 60, 2):
        assert (Question().cost(c, 2, 2) < 9 * c * c) == (c > 18)
