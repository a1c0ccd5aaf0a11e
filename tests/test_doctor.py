"""igcnas doctor: each thing is found, nothing that is broken ends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from igcnas.cli.doctor import examination as doctor
from igcnas.cli.doctor.examination import findings
from igcnas.cli.doctor.finding import Finding
from igcnas.cli.doctor.gpu import gpu_findings, steps_findings, steps_probe
from igcnas.system import gpu, resources

ROOT = Path(__file__).resolve().parent.parent


class Answered:
    """A probe that has ended."""

    def __init__(self, output: str = "", error: str = "") -> None:
        self.output, self.error = output, error

    def ended(self) -> Answered:
        return self


def called(tmp_path: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = os.environ | {"PYTHONPATH": str(ROOT), "IGCNAS_CACHE": str(tmp_path / "cache")} | environment
    command = [sys.executable, "-m", "igcnas", "doctor", "--studies-dir", str(tmp_path / "studies"), *words]
    return subprocess.run(
        command, cwd=tmp_path, env=variables, capture_output=True, encoding="utf-8", timeout=240, check=False
    )


def test_every_thing_has_a_line_and_nothing_is_made(tmp_path: Path) -> None:
    ended = called(tmp_path, "--json")
    assert ended.stderr == ""
    found = json.loads(ended.stdout)
    names = {finding["name"] for finding in found["findings"]}
    assert {
        "python",
        "igcnas",
        "cores",
        "memory",
        "cache",
        "numba",
        "kernels",
        "studies",
        "output",
        "user",
        "torch",
        "gpu",
    } <= names
    assert ended.returncode == int(found["problems"] > 0)
    assert {finding["state"] for finding in found["findings"]} <= {"ok", "note", "problem"}
    assert not (tmp_path / "studies").exists()


def test_broken_libraries_are_problems_with_a_way_out_and_no_end(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "torch.py").write_text(
        "raise OSError('libtorch_cpu.so: cannot open shared object file')", encoding="utf-8"
    )
    (broken / "numba.py").write_text("import os; os.abort()", encoding="utf-8")
    ended = called(tmp_path, PYTHONPATH=os.pathsep.join([str(broken), str(ROOT)]), PYTHONIOENCODING="ascii")
    assert ended.returncode == 1
    assert ended.stderr == ""
    assert (
        "problem  torch      cannot be loaded (OSError: libtorch_cpu.so: cannot open shared object file)"
        in ended.stdout
    )
    assert "problem  numba      cannot be loaded (ended with status -6)" in ended.stdout
    assert "--engine eager" in ended.stdout
    assert "note     output     ascii, no terminal" in ended.stdout


def state(found: list[Finding], name: str) -> str:
    return next(finding.state for finding in found if finding.name == name)


TORCH: dict[str, Any] = {"version": "2", "cuda": "13.0", "available": False, "devices": [], "threads": 1}


@pytest.mark.parametrize(
    ("torch", "driver", "expected", "words"),
    [
        (TORCH | {"available": True, "devices": ["H100"]}, "580.1", "ok", "H100"),
        (TORCH, "535.2", "problem", "needs driver 580 or newer"),
        (TORCH | {"cuda": None}, "580.1", "problem", "built for CPUs"),
        (TORCH, None, "ok", "on the CPU"),
        (None, None, "ok", "on the CPU"),
        (None, "580.1", "problem", "torch cannot be loaded"),
    ],
)
def test_a_gpu_that_is_there_and_cannot_be_used_is_a_problem(
    torch: dict[str, Any] | None, driver: str | None, expected: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "driver_version", lambda: driver)
    probe = Answered(json.dumps(torch)) if torch else Answered(error="broken")
    (found,) = gpu_findings(probe)  # type: ignore[arg-type]
    assert found.state == expected
    assert words in found.found + found.advice


def verdict(**fields: Any) -> Answered:
    """What the probe for captured steps answers."""
    found = {"captured": True, "why": "right, and 3.2 times as fast as eager", "seconds": 8.9} | fields
    return Answered(json.dumps([{"gpu": "H200", "verdict": found if fields.get("known", True) else None}]))


SEEN = TORCH | {"available": True, "devices": ["H200"]}


@pytest.mark.parametrize(
    ("steps", "expected", "found", "advice"),
    [
        (verdict(), "ok", "H200: captured; right, and 3.2 times as fast as eager (a check of 9 s)", ""),
        (verdict(known=False), "note", "H200: not checked yet", "igcnas doctor --check-gpu"),
        (
            verdict(captured=False, why="CUDA could not capture the step of this network (no)"),
            "note",
            "H200: not captured; CUDA could not capture the step of this network (no)",
            "trainings run step by step; igcnas doctor --check-gpu tries again",
        ),
        (Answered(error="ended with status -11"), "note", "cannot be told (ended with status -11)", ""),
    ],
)
def test_how_steps_are_computed_on_a_gpu_is_told_with_the_figures_of_the_check(
    steps: Answered, expected: str, found: str, advice: str
) -> None:
    (finding,) = steps_findings(Answered(json.dumps(SEEN)), steps)  # type: ignore[arg-type]
    assert finding.state == expected
    assert found in finding.found
    assert advice in finding.advice


@pytest.mark.parametrize("torch", [Answered(json.dumps(TORCH)), Answered(error="broken")])
def test_without_a_gpu_there_are_no_captured_steps_to_tell_of_unless_a_check_was_asked_for(torch: Answered) -> None:
    assert steps_findings(torch, verdict()) == []  # type: ignore[arg-type]
    (finding,) = steps_findings(torch, None, asked=True)  # type: ignore[arg-type]
    assert finding.state == "note"


def test_a_gpu_is_asked_about_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gpu, "driver_version", lambda: None)
    assert steps_probe(check=True) is None
    monkeypatch.setattr(gpu, "driver_version", lambda: "580.1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.chdir(tmp_path)  # where no igcnas lies
    probe = steps_probe(check=False)
    assert probe is not None
    assert (probe.ended().error, probe.output) == ("", "[]\n")


def test_one_finding_that_fails_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise ZeroDivisionError("what\nnobody expected")

    monkeypatch.setattr(doctor, "Probe", lambda _command: Answered(error="not here"))
    monkeypatch.setattr(resources, "granted_cores", broken)
    found = findings(tmp_path)
    assert (
        Finding(name="cores", state="note", found="cannot be told (ZeroDivisionError: what nobody expected)") in found
    )
    assert state(found, "memory") in ("ok", "problem")


def test_quota_memory_and_room_that_do_not_suffice_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "cpu_quota", lambda *_: 0.5)
    monkeypatch.setattr(
        resources, "memory", lambda: resources.Memory(available=10**8, limit=2 * 10**8, by="memory.max")
    )
    (cores,), (memory,) = doctor._cores(), doctor._memory()
    assert (cores.state, memory.state) == ("note", "problem")
    assert "a quota of 0.5 cores' time" in cores.found
    assert memory.found == "100 MB available, under a limit of 200 MB (memory.max)"
    file = tmp_path / "file"
    file.write_text("", encoding="utf-8")
    (studies,) = doctor._studies(file / "studies")
    assert studies.state == "problem"
    assert "--studies-dir" in studies.advice


def test_a_library_outside_its_range_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["numpy>=9999", "no-such-library>=1", "pytest>=1; extra == 'dev'", "other; python_version < '3'"]
    monkeypatch.setattr(doctor.metadata, "requires", lambda _name: wanted)
    found = doctor._libraries()
    assert [(finding.name, finding.state) for finding in found] == [
        ("numpy", "problem"),
        ("no-such-library", "problem"),
    ]
    assert [finding.found for finding in doctor._extras()] == ["dev: all there"]
