"""What another package adds: a small one is built and installed in an environment of its own, and everything uses it.

tests/support/addition is that package; docs/extending.md explains it with its own files.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from igcnas.cli import main
from igcnas.errors import AdditionError, DataError, ExportError, IgcnasError, SpaceError
from igcnas.system import additions

ROOT = Path(__file__).resolve().parents[1]
SOURCE = Path(__file__).parent / "support" / "addition"
BUILD = "import setuptools.build_meta as build, sys; build.build_wheel(sys.argv[1])"
SEVERAL = """if True:
    import json, sys
    from igcnas.cli import main
    for words in json.loads(sys.argv[1]):
        status = main(words)
        print(f"== {words[0]} {status}", flush=True)
"""


class Environment(NamedTuple):
    """An interpreter of its own, and the folder in which commands run."""

    python: str
    folder: Path

    def run(self, *commands: list[str]) -> str:
        """Commands of igcnas, one after the other in one process; what they print. Each must end well."""
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        words = [self.python, "-c", SEVERAL, json.dumps(commands)]
        done = subprocess.run(words, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=280)
        ended = [line for line in done.stdout.splitlines() if line.startswith("== ")]
        assert ended == [f"== {command[0]} 0" for command in commands], done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A fresh virtual environment that sees the present packages, with the wheel of the small one installed in it."""
    folder = tmp_path_factory.mktemp("addition")
    builder = venv.EnvBuilder(symlinks=os.name != "nt")
    python = builder.ensure_directories(folder / "env").env_exe
    builder.create(folder / "env")
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]
    site = Path(subprocess.run(ask, capture_output=True, text=True, check=True, timeout=60).stdout.strip())
    present = sysconfig.get_paths()["purelib"]
    (site / "present.pth").write_text(f"import site; site.addsitedir({present!r})\n", encoding="utf-8")
    shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    build = [sys.executable, "-c", BUILD, str(folder)]
    subprocess.run(build, cwd=folder / "source", check=True, capture_output=True, timeout=120)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(site)
    return Environment(python, folder)


@pytest.fixture(scope="module")
def study(environment: Environment) -> Path:
    """A study in which two workers have trained networks of the added family, proposed by the added sampler."""
    search = ["search", "--budget-mflops", "0.03", "--data", "bars", "--space", "strongest", "--sampler", "greedy"]
    search += ["--networks", "4", "--epochs", "1", "--seeds", "1", "--no-baselines", "--workers", "2", "--no-export"]
    search += ["--limit", "map=600"]
    environment.run([*search, "--study", "mine"])
    return environment.folder / "studies" / "mine"


def test_a_search_with_an_added_family_grouping_sampler_and_data_set_trains_in_worker_processes(study: Path):
    table = (study / "trials.csv").read_text(encoding="utf-8")
    assert table.count("S2-S2") + table.count("S4-S4") >= 4
    assert all((study / "trials" / f"{number:05d}" / "result.json").is_file() for number in range(4))


def test_a_study_says_which_additions_it_used(study: Path):
    used = json.loads((study / "additions.json").read_text(encoding="utf-8"))
    assert {(one["group"], one["name"]) for one in used} == {
        ("igcnas.families", "strongest"),
        ("igcnas.groupings", "strongest"),
        ("igcnas.samplers", "greedy"),
        ("igcnas.data", "bars"),
        ("igcnas.limits", "map"),
    }
    assert {(one["package"], one["version"]) for one in used} == {("igcnas-example", "0.1.0")}


def test_its_best_network_is_exported_also_in_the_added_form_and_counted_drawn_and_reported(
    environment: Environment, study: Path
):
    best = study / "best"
    said = environment.run(
        ["export", "mine", "--also", "exported-program"],
        ["count", str(best / "architecture.json"), "--json"],
        ["draw", "mine", "--out", "mine.svg"],
        ["draw", str(best / "architecture.json"), "--what", "block", "--out", "block.svg"],
        ["report", "mine"],
        ["status", "mine"],
        ["doctor"],
    )
    record = json.loads((best / "architecture.json").read_text(encoding="utf-8"))
    assert record["also"] == {"exported-program": "model.pt2"}
    assert record["parity"]["model.pt2"] <= 1e-4
    assert record["test_accuracy"]["model.pt2"] == record["test_accuracy"]["lowered"]
    assert (best / "model.pt2").stat().st_size > 0
    assert f'"macs": {record["counts"]["macs"]}' in said
    first = record["architecture"]["stages"][0]  # its images have 64 pixels: no map has more values than --limit allows
    assert first["width"] * first["block"]["expansion"] * 64 <= 600
    assert record["measured"]["macs"] == record["counts"]["macs"]  # its mask was lowered to what was planned
    assert "twice" in (environment.folder / "block.svg").read_text(encoding="utf-8")
    assert "S2" in (environment.folder / "mine.svg").read_text(encoding="utf-8") + said
    assert "strongest" in (study / "report.html").read_text(encoding="utf-8")
    assert "exporter 'exported-program' of igcnas-example 0.1.0" in " ".join(said.split())


def test_without_the_package_a_study_says_what_to_install(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(study.parents[1])
    missing = "of igcnas-example 0.1.0, which is not installed: pip install igcnas-example==0.1.0\n"
    assert main(["status", "mine"]) == 2
    assert capsys.readouterr().err == f"error: study 'mine' uses the grouping 'strongest' {missing}"
    assert main(["search", "--budget-mflops", "0.03", "--sampler", "greedy"]) == 2
    assert capsys.readouterr().err == f"error: study 'mine' uses the sampler 'greedy' {missing}"
    assert main(["search", "--limit", "map=600"]) == 2
    assert capsys.readouterr().err == f"error: study 'mine' uses the limit 'map' {missing}"
    assert main(["search", "--budget-mflops", "0.03", "--data", "bars"]) == 2
    assert capsys.readouterr().err == f"error: study 'mine' uses the data set 'bars' {missing}"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Make a package of one module with these entry points, in this process."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def installed(package: str, code: str, *entries: tuple[str, str, str]) -> None:
        (tmp_path / f"{package}.py").write_text(code, encoding="utf-8")
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
        lines = [f"[{group}]\n{name} = {package}:{place}\n" for group, name, place in entries]
        (info / "entry_points.txt").write_text("".join(lines), encoding="utf-8")
        additions._installed.cache_clear()

    yield installed
    additions._installed.cache_clear()


def test_a_broken_addition_is_one_line_that_names_its_package_and_how_to_remove_it(install):
    install("broken", "raise RuntimeError('no\\nsuch luck')", ("igcnas.samplers", "bad", "BAD"))
    from igcnas.search.proposals.samplers import sampler_named

    assert sampler_named("random").starts  # others are not loaded
    with pytest.raises(AdditionError) as error:
        sampler_named("bad")
    assert str(error.value) == (
        "the sampler 'bad' of broken 1.0 cannot be loaded (RuntimeError: no such luck); update that package, or remove "
        "it: pip uninstall broken"
    )


def test_an_addition_of_another_type_than_its_group_asks_for_is_refused(install):
    install("odd", "THING = 3", ("igcnas.samplers", "three", "THING"), ("igcnas.families", "four", "THING"))
    from igcnas.search.proposals.samplers import sampler_named
    from igcnas.search.space import load_space

    with pytest.raises(
        AdditionError, match=r"^the sampler 'three' of odd 1.0 must be a Sampler, but odd:THING is a int"
    ):
        sampler_named("three")
    with pytest.raises(AdditionError, match=r"^the block family 'four' of odd 1.0 must be a BlockFamily"):
        load_space("igcv3+four")


def test_a_name_that_is_taken_is_refused_by_name(install):
    install("first", "", ("igcnas.samplers", "gp", "A"), ("igcnas.data", "same", "A"), ("igcnas.data", "npz", "A"))
    install("second", "", ("igcnas.data", "same", "A"))
    from igcnas.data.loading import load_dataset
    from igcnas.search.proposals.samplers import sampler_named

    with pytest.raises(
        AdditionError, match=r"^the sampler 'gp' of first 1.0 bears the name of one of igcnas; remove it"
    ):
        sampler_named("gp")
    with pytest.raises(AdditionError, match=r"'same' of first 1\.0 and the data set 'same' of second 1\.0 bear"):
        load_dataset("same")
    with pytest.raises(AdditionError, match=r"data set 'npz' of first 1\.0 bears the name"):
        load_dataset("npz:file.npz")


def test_names_of_additions_are_among_the_known_ones(install):
    install("some", "", ("igcnas.samplers", "greedy", "A"), ("igcnas.data", "bars", "A"), ("igcnas.families", "f", "A"))
    from igcnas.data.loading import load_dataset
    from igcnas.export.exporters import exporters
    from igcnas.search.proposals.samplers import sampler_named
    from igcnas.search.space import load_space

    with pytest.raises(IgcnasError, match="unknown sampler 'gredy'; did you mean 'greedy'"):
        sampler_named("gredy")
    with pytest.raises(DataError, match="unknown data set 'bar'; did you mean 'bars'"):
        load_dataset("bar")
    with pytest.raises(SpaceError, match=r"unknown search space 'nothing'; known: .*, f, "):
        load_space("nothing")
    with pytest.raises(ExportError, match="no installed package adds a form of export"):
        exporters(["nothing"], taken=())


def test_code_of_others_that_fails_in_a_data_set_is_one_line(install):
    install("failing", "def load(place, *, data_dir):\n    return [1][2]", ("igcnas.data", "fails", "load"))
    from igcnas.data.loading import load_dataset

    with pytest.raises(
        DataError, match=r"^the data set 'fails' of failing 1.0 cannot be read \(IndexError: list index"
    ):
        load_dataset("fails")


def test_a_grouping_must_lead_back_to_its_class(install):
    code = "from igcnas.network.grouping import Dense\nclass Other(Dense):\n    kind = 'other'\n"
    install("named", code, ("igcnas.groupings", "another", "Other"), ("igcnas.groupings", "missing", "Nothing"))
    from igcnas.network.grouping import KINDS

    with pytest.raises(
        AdditionError, match=r"^the grouping 'another' of named 1.0 must be a class .* kind = 'another'"
    ):
        KINDS.get("another")
    with pytest.raises(AdditionError, match=r"'missing' of named 1\.0 cannot be loaded"):
        KINDS.get("missing")
    assert KINDS.get("nothing") is None
    assert not KINDS.holds(__import__("named").Other())


BLOCK = """
from dataclasses import dataclass
from igcnas.network.blocks.base import Block
from igcnas.network.grouping import DENSE, Grouping
from igcnas.network.primitives import Activation, Norm, halve

@dataclass(frozen=True, slots=True, kw_only=True)
class Unit(Block):
    kind = "unit"
    reduce: Grouping = DENSE

    def check(self, in_channels, out_channels):
        self.reduce.check(in_channels, out_channels)

    def layers(self, in_channels, out_channels, stride, in_size, activation):
        size = halve(in_size, stride)
        layers = self.reduce.layers("reduce", in_channels, out_channels, 1, stride, in_size)
        return (*layers, Norm("norm", out_channels, size), Activation("act", activation, out_channels, size))

    def label(self):
        return f"unit {self.reduce.label()}"
"""


def test_a_block_of_another_package_is_read_counted_and_named(install, tmp_path, capsys):
    install("block_package", BLOCK, ("igcnas.blocks", "unit", "Unit"))
    stage = {"block": {"kind": "unit", "reduce": {"kind": "group", "groups": 2}}, "width": 8, "repeats": 2}
    data = {"format": 1, "family": "units", "input_shape": [1, 8, 8], "num_classes": 3, "stem_channels": 4}
    (tmp_path / "units.json").write_text(json.dumps(data | {"stages": [stage]}), encoding="utf-8")
    assert main(["count", str(tmp_path / "units.json"), "--json"]) == 0
    pixels, stem, head = 64, 9 * 4, 8 * 3
    assert json.loads(capsys.readouterr().out)["macs"] == pixels * (stem + 4 * 8 // 2 + 8 * 8 // 2) + head
    assert main(["draw", str(tmp_path / "units.json"), "--out", str(tmp_path / "units.svg")]) == 0
    picture = (tmp_path / "units.svg").read_text(encoding="utf-8")
    assert "unit block, unit G2" in picture
    assert "reduction" in picture


def test_the_page_about_extending_shows_the_files_of_the_package():
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    files = [SOURCE / "pyproject.toml", *sorted((SOURCE / "igcnas_example").glob("[!_]*.py"))]
    assert [path.name for path in files if path.read_text(encoding="utf-8") not in page] == []
