"""Imports go one way, and what needs no torch loads no torch."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import igcnas

ROOT = Path(__file__).resolve().parent.parent

# Lowest first: a module imports from lines above its own, or from its own package; nothing from its own line.
LAYERS = """
errors search_spaces analysis
again bounds finding harmless
checks files folders gpu limits names reading streams style
program
columns extras keywords settings statistics units
noise
recipes
primitives
grouping
blocks
architecture
exported plan
canonical cost paths
upstream
conventions width
literature
baselines explanation pareto permutation space
hypervolume
layers
usage
network
composition
lowering latency
reorganised
execution
data
training
scores
provenance storage racing
study
records
proposals
worker
evaluation
search
figures
drawing export importance runs
audit comparison retraining
dashboard
doctor_gpu report
doctor
cli
__main__
"""
RANK = {name: rank for rank, line in enumerate(LAYERS.split("\n")) for name in line.split()}


def modules(*folders: str) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[str]:
    """Every module imported anywhere in the file, also inside functions, but not for the type checker alone."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def layer(module: str) -> str | None:
    """The name in LAYERS of an igcnas module; None for the package itself and for what is not a module."""
    parts = module.split(".")[1:]
    two, one = ".".join(parts[:2]), ".".join(parts[:1])
    return two if two in RANK else one if one in RANK else None


IGCNAS = dict(modules("igcnas"))


def test_every_module_has_a_place_in_the_order():
    assert [name for name in IGCNAS if name != "igcnas" and layer(name) is None] == []


@pytest.mark.parametrize("module", [name for name in IGCNAS if name != "igcnas"])
def test_imports_go_one_way(module):
    own = layer(module)
    assert own is not None
    for imported in imports(IGCNAS[module]):
        if not imported.startswith("igcnas.") or (other := layer(imported)) in (None, own):
            continue
        inside = other.split(".")[0] == own.split(".")[0]
        assert inside or RANK[other] < RANK[own], f"{module} imports {imported}"


@pytest.mark.parametrize("module", IGCNAS)
def test_igcnas_imports_neither_analysis_nor_scripts(module):
    above = {"analysis", "benchmarks", "run_search", "tests"}
    assert above.isdisjoint(imported.split(".")[0] for imported in imports(IGCNAS[module]))


@pytest.mark.parametrize("module", IGCNAS)
def test_igcnas_names_no_search_space(module):
    assert not any(imported.startswith("search_spaces") for imported in imports(IGCNAS[module]))


@pytest.mark.parametrize(("module", "path"), list(modules("search_spaces")))
def test_a_search_space_is_one_value_and_no_function(module, path):
    tree = ast.parse(path.read_text())
    assert not any(isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda)) for node in ast.walk(tree))
    names = [ast.unparse(node.targets[0]) for node in tree.body if isinstance(node, ast.Assign)]
    assert names == ([] if module == "search_spaces" else ["SPACE"])


def test_the_script_knows_the_command_line_alone():
    assert {i for i in imports(ROOT / "run_search.py") if not i.startswith(("sys", "__future__"))} == {
        "igcnas.cli.main"
    }


def loaded(*arguments: str) -> set[str]:
    """Top-level modules that a fresh Python loads; `-X importtime` reports every one to stderr."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-X", "importtime", *arguments]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=True)
    lines = [line for line in run.stderr.splitlines() if line.startswith("import time:")]
    assert len(lines) > 50
    return {line.rpartition("|")[2].strip().split(".")[0] for line in lines}


CORE = (
    "architecture",
    "baselines",
    "canonical",
    "conventions",
    "cost",
    "errors",
    "literature",
    "pareto",
    "paths",
    "plan",
    "recipes",
    "records",
    "space",
    "statistics",
    "width",
)


@pytest.mark.parametrize("name", ["", *CORE])
def test_core_loads_neither_torch_nor_optuna(name):
    heavy = loaded("-c", f"import igcnas.{name}".rstrip(".")) & {"torch", "optuna", "numpy", "pandas", "matplotlib"}
    assert heavy == set()


def test_spaces_load_without_torch_and_optuna():
    assert loaded("-c", "from igcnas.search.space import load_space; load_space('all')").isdisjoint(
        {"torch", "optuna", "numpy"}
    )


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["search", "--help"], ["count", "--help"], ["explain", "--help"], ["draw", "--help"], ["--version"]],
    ids=" ".join,
)
def test_help_answers_without_loading_anything_heavy(arguments):
    heavy = {"torch", "optuna", "numpy", "pandas", "matplotlib", "onnx", "onnxruntime", "sklearn", "PIL"}
    assert loaded("-m", "igcnas", *arguments) & heavy == set()


def test_counting_a_published_network_loads_no_torch():
    assert "torch" not in loaded("-m", "igcnas", "count", "igc")


def test_explaining_a_block_loads_no_torch_and_without_a_picture_no_matplotlib():
    assert loaded("-m", "igcnas", "explain", "igcv1", "--no-picture").isdisjoint({"torch", "matplotlib", "optuna"})


def test_public_names_exist():
    assert igcnas.__all__ == sorted(igcnas.__all__)
    assert all(hasattr(igcnas, name) for name in igcnas.__all__)
