"""What a shell is told when somebody presses Tab, by the program itself and through a real bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.real_studies import unpack

from igcnas.cli import main, parser
from igcnas.cli.completion import _NAMES, SHELLS

ROOT = Path(__file__).resolve().parents[1]
installed = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import argcomplete"], capture_output=True, check=False).returncode != 0,
    reason="argcomplete is not installed",
)


def completed(line: str, folder: Path, **environment: str) -> list[str]:
    """What follows the line, as a shell asks for it."""
    answer = folder / "answer"
    answer.unlink(missing_ok=True)
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "COMP_LINE": line, "COMP_POINT": str(len(line))}
    asked |= {"_ARGCOMPLETE_STDOUT_FILENAME": str(answer), "COMP_TYPE": "9", "PYTHONPATH": here()} | environment
    code = "import sys; from igcnas.cli import main; sys.argv[0] = 'igcnas'; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=os.environ | asked, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    return sorted(word.strip() for word in answer.read_text(encoding="utf-8").split("\n"))


def here() -> str:
    return os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])


@installed
def test_commands_and_options_are_completed(tmp_path: Path) -> None:
    assert completed("igcnas re", tmp_path) == ["recipes", "report", "retrain"]
    assert completed("igcnas search --bud", tmp_path) == ["--budget-mflops", "--budget-ms", "--budget-params"]


@installed
def test_studies_are_completed_where_they_are(tmp_path: Path) -> None:
    for name in ("gp-4", "random-4"):
        unpack(tmp_path / "mine", name)
    (tmp_path / "mine" / "gp-5").mkdir()  # no study
    mine = {"IGCNAS_STUDIES": str(tmp_path / "mine")}
    assert completed("igcnas status g", tmp_path, **mine) == ["gp-4"]
    assert completed("igcnas report --studies-dir mine ", tmp_path)[-2:] == ["gp-4", "random-4"]
    assert completed("igcnas compare gp-4 r", tmp_path, **mine) == ["random-4"]
    assert "gp-4" not in completed("igcnas status g", tmp_path)


@installed
@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("igcnas count mob", ["mobilenetv2"]),
        ("igcnas search --space igcv", ["igcv1", "igcv2", "igcv3"]),
        ("igcnas search --sampler ra", ["random"]),
        ("igcnas search --objective accuracy,l", ["accuracy,latency"]),
        ("igcnas train igc --recipe igc-c", ["igc-cifar"]),
        ("igcnas explain igcv", ["igcv1", "igcv2", "igcv3"]),
        ("igcnas completion f", ["fish"]),
        ("igcnas init pho", ["photos/"]),
    ],
)
def test_names_and_files_are_completed(line: str, names: list[str], tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    found = completed(line, tmp_path)
    assert set(names) <= set(found)
    assert all(name.startswith(line.rpartition(" ")[2]) for name in found)


@installed
def test_a_completion_loads_no_library_that_takes_long(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nfor name in ('torch', 'optuna', 'scipy'):\n    sys.modules[name] = None\n", encoding="utf-8"
    )
    path = os.pathsep.join([str(tmp_path), here()])
    assert completed("igcnas search --sampler ra", tmp_path, PYTHONPATH=path) == ["random"]
    assert completed("igcnas status no", tmp_path, PYTHONPATH=path) == [""]


@installed
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_a_real_bash_completes_after_it_was_told(tmp_path: Path) -> None:
    program = tmp_path / "igcnas"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom igcnas.cli import main\nsys.exit(main())\n", encoding="utf-8"
    )
    program.chmod(0o755)
    unpack(tmp_path / "studies", "gp-4")
    script = """
    eval "$(igcnas completion bash)"
    COMP_LINE="igcnas status gp"; COMP_POINT=${#COMP_LINE}; COMP_WORDS=(igcnas status gp); COMP_CWORD=2; COMP_TYPE=9
    function=$(complete -p igcnas | sed 's/.*-F \\([^ ]*\\).*/\\1/')
    $function igcnas gp status
    echo "${COMPREPLY[@]}"
    """
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": here()}
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == ["gp-4"], done.stderr


@installed
@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_is_told_something_of_its_own(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert "igcnas" in text
    assert {"bash": "complete ", "zsh": "compdef", "fish": "complete --command igcnas"}[shell] in text


def test_without_the_package_the_command_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "argcomplete", None)
    assert main(["completion", "bash"]) == 2
    error = capsys.readouterr().err
    assert error == 'error: completion by a shell needs argcomplete: pip install "igcnas[completion]"\n'


def test_every_kind_of_name_that_is_completed_is_one_of_the_parser() -> None:
    known = set()
    for name, command in parser()._subparsers._group_actions[0].choices.items():  # type: ignore[union-attr, attr-defined]
        known |= {dest for action in command._actions for dest in (action.dest, f"{name} {action.dest}")}
    assert set(_NAMES) <= known
