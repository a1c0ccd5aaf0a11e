"""Imports go one way, and what needs no torch loads no torch."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import warnings
from functools import cache

import pytest

import igcnas
from igcnas.moved import MODULES, today
from tools.imports import ROOT, Imports, circles, imports, modules

# Each wing, and what it may import beside itself. All of them may import the ground: errors, units and moved.
SENTENCES = """
system imports nothing
statistics imports nothing
network imports system
data imports system
modules imports system network
execution imports system network modules
drawing imports system network modules
export imports system network data modules
runtime imports export
training imports system statistics network data modules execution drawing
search imports system statistics network data modules export training
results imports system statistics network data modules drawing export training search
cli imports system statistics network data modules execution drawing export training search results
api imports system drawing export training search results cli
"""
GROUND = {"igcnas", "errors", "units", "moved"}
RULES = {line.split()[0]: set(line.split()[2:]) - {"nothing"} for line in SENTENCES.strip().splitlines()}
# The folders beside igcnas: what is not named here may import igcnas alone.
OUTSIDE = {"search_spaces": set(), "tools": set(), "analysis": set(), "benchmarks": {"analysis"}}
# Where `search_spaces/` and `analysis/` are in a wheel: found by name, never imported.
INSTALLED = {"search_spaces", "analysis"}

MODULES_HERE = modules()


@cache
def graph() -> Imports:
    """Each module, and what it imports."""
    return imports(MODULES_HERE)


def wing(module: str) -> str:
    """The wing of a module of igcnas; the folder of any other."""
    top, _, inner = module.partition(".")
    return inner.partition(".")[0] or top if top == "igcnas" else top


def test_each_wing_imports_what_its_sentence_says():
    wrong = [
        f"{name} imports {other}"
        for name, others in graph().items()
        if name.startswith("igcnas.") and wing(name) in RULES
        for other in others
        if wing(other) not in {wing(name), *RULES[wing(name)], *GROUND}
    ]
    assert wrong == []


def test_the_ground_imports_no_wing():
    inside = {"igcnas": {"network"}}  # the public names
    allowed = {name: GROUND | inside.get(name, set()) for name in GROUND}
    wrong = [
        (name, other)
        for name, others in graph().items()
        if name.startswith("igcnas") and wing(name) in GROUND
        for other in others
        if wing(other) not in allowed[wing(name)]
    ]
    assert wrong == []


def test_the_wings_stand_in_the_order_of_imports():
    order = [*RULES]
    assert all(order.index(below) < order.index(name) for name, rule in RULES.items() for below in rule)


def test_every_module_belongs_to_a_wing():
    known = {*RULES, *GROUND, *INSTALLED, "__main__"}
    assert [name for name in MODULES_HERE if name.startswith("igcnas") and wing(name) not in known] == []


def test_every_sentence_is_needed():
    used = {
        name: {wing(other) for module in graph() if wing(module) == name for other in graph()[module]} for name in RULES
    }
    needless = {name: rule - used[name] for name, rule in RULES.items()}
    assert {name: sorted(rule) for name, rule in needless.items() if rule} == {}


def test_what_lies_beside_igcnas_imports_igcnas_alone():
    wrong = [
        f"{name} imports {other}"
        for name, others in graph().items()
        if (top := name.partition(".")[0]) in OUTSIDE
        for other in others
        if other.partition(".")[0] not in {"igcnas", top, *OUTSIDE[top]}
    ]
    assert wrong == []


def test_igcnas_imports_nothing_that_lies_beside_it():
    wrong = [
        f"{name} imports {other}"
        for name, others in graph().items()
        if name.startswith("igcnas")
        for other in others
        if not other.startswith("igcnas") or wing(other) in INSTALLED
    ]
    assert wrong == []


def test_no_modules_import_each_other():
    assert circles(graph()) == []


def test_imports_are_absolute_and_of_modules_that_exist():
    wrong = []
    for name, path in MODULES_HERE.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and name.startswith("igcnas"):
                wrong += [name] if node.level else []
                source = node.module or ""
                wrong += [f"{name}: {source}"] if source.startswith("igcnas") and source not in MODULES_HERE else []
    assert wrong == []


def test_the_test_sees_circles_and_imports_for_the_type_checker(tmp_path):
    files = {
        "igcnas/__init__.py": "",
        "igcnas/one.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from igcnas.two import Two\n",
        "igcnas/two.py": "def later():\n    from . import three\n",
        "igcnas/three.py": "import igcnas.one\n",
        "igcnas/four.py": "from igcnas import one\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    graph = imports(modules(tmp_path, ["igcnas"]))
    assert graph["igcnas.four"] == {"igcnas.one"}
    assert circles(graph) == [["igcnas.one", "igcnas.three", "igcnas.two"]]


def test_an_earlier_import_path_still_works_and_says_where_its_module_is_now():
    code = """if True:
        import importlib, sys, warnings
        from igcnas.moved import today
        for name in sys.argv[1:]:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                old = importlib.import_module(name)
            new = importlib.import_module(today(name))
            assert all(getattr(old, own) is value for own, value in vars(new).items() if not own.startswith("_"))
            print(said[-1].message)
        """
    names = [*MODULES, "igcnas.grouping.product", "igcnas.runs.run"]
    command = [sys.executable, "-c", code, *names]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.stdout.splitlines() == [f"{name} is now {today(name)}" for name in names], run.stderr


@pytest.mark.parametrize(
    ("package", "name"), [("igcnas.data", "load_dataset"), ("igcnas.training", "Engine"), ("igcnas.search", "replay")]
)
def test_a_name_that_moved_is_still_lent_by_its_package(package, name):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        lent = getattr(sys.modules.get(package) or __import__(package, fromlist=["_"]), name)
    assert lent.__name__ == name
    assert str(said[-1].message) == f"{package}.{name} is now {lent.__module__}.{name}"


def test_what_a_package_never_had_is_refused_as_python_refuses_it():
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from igcnas.data import nothing  # noqa: F401
    with pytest.raises(ModuleNotFoundError, match=r"igcnas\.grouping\.nothing"):
        __import__("igcnas.grouping.nothing")


def test_the_function_plan_answers_although_plan_was_a_module():
    code = "from igcnas.plan import plan\nimport igcnas\nassert igcnas.plan is not plan and callable(igcnas.plan)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120)


@pytest.mark.parametrize("module", [name for name in MODULES_HERE if name.startswith("search_spaces")])
def test_a_search_space_is_one_value_and_no_function(module):
    tree = ast.parse(MODULES_HERE[module].read_text(encoding="utf-8"))
    assert not any(isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Lambda)) for node in ast.walk(tree))
    names = [ast.unparse(node.targets[0]) for node in tree.body if isinstance(node, ast.Assign)]
    assert names == ([] if module == "search_spaces" else ["SPACE"])


def test_the_script_knows_the_command_line_alone():
    script = imports({**MODULES_HERE, "run_search": ROOT / "run_search.py"})["run_search"]
    assert script == {"igcnas.cli"}


def loaded(*arguments: str) -> set[str]:
    """Top-level modules that a fresh Python loads; `-X importtime` reports every one to stderr."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-X", "importtime", *arguments]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=True)
    lines = [line for line in run.stderr.splitlines() if line.startswith("import time:")]
    assert len(lines) > 50
    return {line.rpartition("|")[2].strip().split(".")[0] for line in lines}


HEAVY = {"torch", "optuna", "numpy", "pandas", "matplotlib"}
LIGHT = (
    "igcnas",
    "igcnas.system",
    "igcnas.statistics.pareto",
    "igcnas.statistics.intervals",
    "igcnas.network.baselines",
    "igcnas.network.canonical",
    "igcnas.network.conventions",
    "igcnas.network.paths",
    "igcnas.training.recipes",
    "igcnas.search.records",
    "igcnas.search.space",
)


def test_the_core_loads_neither_torch_nor_optuna():
    assert loaded("-c", "import " + ", ".join(LIGHT)) & HEAVY == set()


def test_spaces_load_without_torch_and_optuna():
    code = "from igcnas.search.space import load_space; load_space('all')"
    assert loaded("-c", code).isdisjoint({"torch", "optuna", "numpy"})


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["search", "--help"], ["count", "--help"], ["explain", "--help"], ["draw", "--help"], ["--version"]],
    ids=" ".join,
)
def test_help_answers_without_loading_anything_heavy(arguments):
    assert loaded("-m", "igcnas", *arguments) & {*HEAVY, "onnx", "onnxruntime", "sklearn", "PIL"} == set()


def test_counting_a_published_network_loads_no_torch():
    assert "torch" not in loaded("-m", "igcnas", "count", "igc")


def test_explaining_a_block_loads_no_torch_and_without_a_picture_no_matplotlib():
    assert loaded("-m", "igcnas", "explain", "igcv1", "--no-picture").isdisjoint({"torch", "matplotlib", "optuna"})


def test_public_names_exist():
    assert igcnas.__all__ == sorted(igcnas.__all__)
    assert all(hasattr(igcnas, name) for name in igcnas.__all__)
