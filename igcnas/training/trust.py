"""Whether the captured step is trusted on this GPU: what the proof found here, kept for as long as nothing changes.

A verdict is for one kind of GPU, driver, torch, cuDNN and source of the steps; any other is unknown until the proof
(proof.py) was run, and what is unknown runs eagerly. The proof has a process of its own: what it does to the device, or
the driver to it, ends with it. One that crashes has given its verdict.
"""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

from igcnas.errors import IgcnasError, StudyError
from igcnas.system import again, folders, gpu
from igcnas.system.files import write_text
from igcnas.system.reading import parse_json, read_json

# How the proof ends where it could find nothing out: the GPU is busy or full. Its last line says why.
NOT_NOW = 75
_PACKAGE = Path(__file__).resolve().parents[1]
_SOURCES = ("training", "modules/layers")
_MOST_STATUS = 255
# Signals that others send; they say nothing of the steps. -9 is most often that of a system without memory.
_FROM_OUTSIDE = ("SIGHUP", "SIGINT", "SIGTERM", "SIGKILL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a verdict holds for: names and versions, and a hash of the sources of steps and layers."""

    gpu: str
    driver: str
    build: str  # of torch
    cudnn: str
    source: str

    @staticmethod
    def of(device: torch.device) -> Identity:
        """That of a GPU of this machine."""
        return Identity(
            gpu=torch.cuda.get_device_name(device),
            driver=gpu.driver_version() or "unknown",
            build=f"{torch.__version__}, CUDA {torch.version.cuda}",
            cudnn=str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
            source="-".join(folders.sources_hash(_PACKAGE / name) for name in _SOURCES),
        )

    @property
    def file_name(self) -> str:
        """Of the kept verdict."""
        return f"captured-steps-{hashlib.sha256(repr(self).encode()).hexdigest()[:12]}.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the proof found. why: in a few words, for the user. speedup: of 50 steps, captured against eager.

    seconds: what the proof took.
    """

    captured: bool
    why: str
    identity: Identity
    speedup: float | None = None
    seconds: float = 0.0


# What this process was told: a verdict also holds where no folder can keep it. None: there is no kept one.
_told: dict[Identity, Verdict | None] = {}


def kept(identity: Identity) -> Verdict | None:
    """The verdict for this, if one was kept; one that cannot be read is none."""
    for folder in folders.caches():
        with suppress(StudyError, OSError):
            verdict = read_json(folder / identity.file_name, Verdict, advice="remove it")
            if verdict.identity == identity:
                return verdict
    return None


def keep(verdict: Verdict) -> bool:
    """Keep it for later processes; whether a folder was found for it."""
    folder = folders.writable(folders.caches())
    if folder is None:
        return False
    try:
        write_text(folder / verdict.identity.file_name, json.dumps(asdict(verdict), indent=1))
    except (IgcnasError, OSError):  # a disk that is full now
        return False
    return True


def known(device: torch.device) -> Verdict | None:
    """The verdict for this GPU, if there is one."""
    identity = _identity(str(device))
    if identity not in _told:
        _told[identity] = kept(identity)
    return _told[identity]


def proved(device: torch.device, *, repeat: bool = False, seconds: float = 120.0) -> Verdict:
    """The verdict for this GPU: the known one or, where there is none or `repeat`, that of a proof that is run now.

    It is kept, but for one that says nothing of the steps: the proof had no answer within `seconds`, was stopped, or
    could not begin or load its libraries. It holds for this process in any case.
    """
    identity = _identity(str(device))
    found = None if repeat else known(device)
    if found is None:
        found = _told[identity] = _asked(device, identity, seconds)
    return found


def captured_here(device: torch.device) -> bool:
    """Whether the steps of a training on this device are captured: on a GPU where the proof found that right.

    Not in a process that takes the place of one whose capture failed (igcnas/system/again.py).
    """
    if device.type != "cuda" or again.reason() is not None:
        return False
    verdict = known(device)
    return verdict is not None and verdict.captured


def one_of_each(devices: Iterable[torch.device]) -> list[torch.device]:
    """One GPU of each kind: what is found of it holds for all of its kind."""
    kinds = {torch.cuda.get_device_name(device): device for device in reversed(list(devices))}
    return list(reversed(kinds.values()))


def everywhere(*, repeat: bool) -> list[dict[str, Any]]:
    """For each kind of GPU that torch sees its name and, as plain data, its verdict; repeat: proved now."""
    if not torch.cuda.is_available():
        return []
    devices = one_of_each(torch.device("cuda", index) for index in range(torch.cuda.device_count()))
    verdicts = [proved(device, repeat=True) if repeat else known(device) for device in devices]
    return [
        {"gpu": torch.cuda.get_device_name(device), "verdict": None if verdict is None else asdict(verdict)}
        for device, verdict in zip(devices, verdicts, strict=True)
    ]


def proof_command(device: torch.device) -> list[str]:
    """How the proof is started."""
    return [sys.executable, "-P", "-m", "igcnas.training.proof", "--device", str(device), "--repeat", "--json"]


@cache
def _identity(device: str) -> Identity:
    return Identity.of(torch.device(device))


def _asked(device: torch.device, identity: Identity, seconds: float) -> Verdict:
    """What the proof says in a process of its own, or what became of it."""

    def failed(why: str) -> Verdict:
        return Verdict(captured=False, why=why, identity=identity)

    try:
        done = subprocess.run(
            proof_command(device),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=folders.same_modules(),
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return failed(f"the check gave no answer in {seconds:g} s")
    except OSError as error:
        return failed(f"the check could not be started ({error.strerror or error})")
    last = (done.stderr.strip().splitlines() or ["no word of it"])[-1][:200]
    if done.returncode == NOT_NOW:
        return failed(f"the check could not be made: {last}")
    if 0 < done.returncode <= _MOST_STATUS:  # of Python: a library that cannot be loaded, Ctrl-C in the middle of that
        return failed(f"the check ended with status {done.returncode} ({last})")
    if done.returncode:
        name = _signal(done.returncode)
        ended = failed(f"the check was ended by {name}")
        if name in _FROM_OUTSIDE:
            return ended
    else:
        ended = failed("the check ended without a verdict")
        printed = done.stdout.strip().splitlines()[-1:] or [""]
        with suppress(StudyError):
            verdict = parse_json(printed[0], Verdict, where="the check", advice="repeat it")
            ended = replace(verdict, identity=identity)
    keep(ended)
    return ended


def _signal(status: int) -> str:
    """What ended a process with this status: -11, or on Windows 3221225477."""
    with suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}" if status < 0 else f"fault {status:#x}"
