"""Which steps a GPU takes: verdicts of the proof, kept and asked for. The GPU is made up, the processes are real."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from igcnas.cli.engine import before_training, engine_in_words
from igcnas.system import again, folders, gpu
from igcnas.training import trust
from igcnas.training.trust import Identity, Verdict, captured_here, keep, kept, known, proved

GPU = torch.device("cuda")
Proofs = Callable[[str], None]


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with one GPU, of which nothing is known yet."""
    monkeypatch.setenv("IGCNAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("IGCNAS_STEP_BY_STEP", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device=None: "H200")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(gpu, "driver_version", lambda: "580.1")
    new_process()
    yield
    new_process()


def new_process() -> None:
    """Forget what one process remembers."""
    trust._told.clear()
    trust._identity.cache_clear()


@pytest.fixture
def proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Proofs:
    """Sets what the process of the proof does: Python, with the verdicts YES and NO; it counts its runs."""

    def set_(code: str) -> None:
        verdicts = {
            "YES": Verdict(
                captured=True, why="right, and 3.2 times as fast as eager", identity=Identity.of(GPU), speedup=3.2
            ),
            "NO": Verdict(captured=False, why="evaluation is off by 0.4", identity=Identity.of(GPU)),
        }
        said = "".join(f"{name} = {json.dumps(dataclasses.asdict(verdict))!r}\n" for name, verdict in verdicts.items())
        begin = f"import os, sys, signal, time\nopen({str(tmp_path / 'runs')!r}, 'a').write('1\\n')\n"
        command = [sys.executable, "-c", begin + said + code]
        monkeypatch.setattr(trust, "proof_command", lambda _device: command)

    return set_


def runs(tmp_path: Path) -> int:
    """How often the proof was run."""
    path = tmp_path / "runs"
    return len(path.read_text().splitlines()) if path.exists() else 0


def test_what_is_unknown_runs_eagerly_and_a_cpu_captures_nothing() -> None:
    assert known(GPU) is None
    assert not captured_here(GPU)
    assert not captured_here(torch.device("cpu"))


@pytest.mark.parametrize("name", ["YES", "NO"])
def test_a_verdict_is_asked_for_once_and_kept_for_other_processes(name: str, proof: Proofs, tmp_path: Path) -> None:
    proof(f"print('what a library prints'); print({name})")
    first = proved(GPU)
    new_process()
    assert proved(GPU) == first
    assert captured_here(GPU) is (name == "YES")
    assert runs(tmp_path) == 1
    assert proved(GPU, repeat=True) == first
    assert runs(tmp_path) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr(gpu, "driver_version", lambda: "590.2"),
        lambda patch: patch.setattr(torch.cuda, "get_device_name", lambda _device=None: "H100"),
        lambda patch: patch.setattr(torch, "__version__", "9.9"),
        lambda patch: patch.setattr(torch.version, "cuda", "14.0"),
        lambda patch: patch.setattr(torch.backends.cudnn, "version", lambda: 99999),
        lambda patch: patch.setattr(folders, "sources_hash", lambda _folder: "another"),
    ],
    ids=["driver", "GPU", "torch", "CUDA", "cuDNN", "source"],
)
def test_where_anything_has_changed_it_is_asked_for_again(
    change: Callable[[pytest.MonkeyPatch], None], proof: Proofs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof("print(YES)")
    proved(GPU)
    assert captured_here(GPU)
    change(monkeypatch)
    new_process()
    assert not captured_here(GPU)
    proved(GPU)
    assert runs(tmp_path) == 2


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "the check was ended by SIGSEGV"),
        ("os.abort()", "the check was ended by SIGABRT"),
        ("print('junk')", "the check ended without a verdict"),
        ("pass", "the check ended without a verdict"),
        ("print('{\"captured\": 7}')", "the check ended without a verdict"),
    ],
)
def test_a_proof_that_crashes_or_talks_nonsense_is_a_verdict(
    code: str, why: str, proof: Proofs, tmp_path: Path
) -> None:
    proof(code)
    assert proved(GPU).why == why
    new_process()
    assert not captured_here(GPU)
    assert proved(GPU).why == why
    assert runs(tmp_path) == 1


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("time.sleep(600)", "the check gave no answer in 2 s"),
        ("os.kill(os.getpid(), signal.SIGINT)", "the check was ended by SIGINT"),
        ("sys.exit('ImportError: no torch')", "the check ended with status 1 (ImportError: no torch)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "the check was ended by SIGKILL"),
        (
            f"sys.stderr.write('OutOfMemoryError: CUDA out of memory\\n'); sys.exit({trust.NOT_NOW})",
            "could not be made",
        ),
    ],
)
def test_one_that_could_find_nothing_out_is_asked_again_by_the_next_command(code: str, why: str, proof: Proofs) -> None:
    proof("signal.signal(signal.SIGINT, signal.SIG_DFL)\n" + code)
    verdict = proved(GPU, seconds=2 if "sleep" in code else 60)
    assert not verdict.captured
    assert why in verdict.why
    assert proved(GPU) is verdict  # not by this one: it would take as long again
    new_process()
    assert known(GPU) is None
    proof("print(YES)")
    assert proved(GPU).captured


def test_a_proof_that_cannot_be_started_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "proof_command", lambda _device: ["/nowhere/python"])
    assert proved(GPU).why == "the check could not be started (No such file or directory)"
    new_process()
    assert known(GPU) is None


def test_without_a_folder_to_keep_it_a_verdict_holds_for_this_command(
    proof: Proofs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(folders, "caches", lambda: [tmp_path / "file" / "cache"])
    proof("print(YES)")
    assert before_training("fast", asked="cuda", device="cuda") is True
    assert captured_here(GPU)
    new_process()
    assert known(GPU) is None


def test_a_kept_verdict_that_is_damaged_is_none() -> None:
    verdict = Verdict(captured=True, why="right", identity=Identity.of(GPU))
    assert keep(verdict)
    (path,) = folders.caches()[0].glob("captured-steps-*.json")
    assert kept(verdict.identity) == verdict
    path.write_text(path.read_text()[:-9])
    assert kept(verdict.identity) is None


def test_the_real_proof_is_started_with_the_modules_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process that sees no GPU: it can find nothing out, and says so in one line."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.chdir("/")
    why = proved(GPU).why
    assert why.startswith("the check could not be made: ")
    assert "device 'cuda' was asked for, but " in why


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_what_is_chosen_is_said_in_one_line_and_beforehand_that_it_takes_a_while(
    proof: Proofs, capsys: pytest.CaptureFixture[str]
) -> None:
    proof("print(YES)")
    assert before_training("fast", asked="auto", device="cuda") is True
    chosen = "engine    captured steps on H200: right, and 3.2 times as fast as eager"
    assert said(capsys) == ["engine    checking captured steps on H200, once, some seconds", chosen]
    new_process()
    assert before_training("fast", asked="auto", device="cuda") is True
    assert said(capsys) == [chosen]
    assert engine_in_words("fast", [GPU]) == "fast, captured steps"


def test_what_is_not_trusted_is_said_with_its_reason(proof: Proofs, capsys: pytest.CaptureFixture[str]) -> None:
    proof("print(NO)")
    assert before_training("fast", asked="auto", device="cuda") is False
    assert said(capsys)[1:] == [
        "engine    eager steps on H200; captured ones: evaluation is off by 0.4 (igcnas doctor --check-gpu tries again)"
    ]
    assert engine_in_words("fast", [GPU]) == "fast, eager steps"


@pytest.mark.parametrize(("engine", "processes"), [("eager", 1), ("fast", 2)])
def test_eager_steps_need_no_proof(
    engine: str, processes: int, proof: Proofs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proof("print(YES)")
    assert before_training(engine, asked="auto", device="cuda", processes=processes) is None
    assert said(capsys) == []
    assert runs(tmp_path) == 0


def test_of_unlike_gpus_each_kind_is_checked_and_all_train_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"cuda:0": "H200", "cuda:1": "H200", "cuda:2": "A100"}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device=None: names[str(device)])
    for device, captured in (("cuda:0", True), ("cuda:2", False)):
        keep(Verdict(captured=captured, why="as it is", identity=Identity.of(torch.device(device))))
    assert before_training("fast", asked="cuda", device="cuda", devices=list(names)) is False
    lines = said(capsys)
    assert [line.split(":")[0] for line in lines] == [
        "engine    captured steps on H200",
        "engine    eager steps on A100; captured ones",
        "engine    eager steps on all of them, so that networks are trained alike",
    ]


def test_a_command_that_took_the_place_of_one_whose_capture_failed_is_eager(
    proof: Proofs, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(Verdict(captured=True, why="right", identity=Identity.of(GPU)))
    monkeypatch.setenv("IGCNAS_STEP_BY_STEP", "the first loss was off")
    assert again.reason() == "the first loss was off"
    assert not captured_here(GPU)
    assert before_training("fast", asked="auto", device="cuda") is False
    assert said(capsys) == ["engine    eager steps, because the first loss was off"]
