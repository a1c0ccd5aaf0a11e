"""Whether the captured step is trusted on this GPU: what the proof found here, kept for as long as nothing changes.

A verdict is for one kind of GPU, driver, torch, cuDNN and source of the steps; any other is unknown until the proof
(proof.py) was run, and what is unknown runs eagerly.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch

from igcnas import folders, gpu
from igcnas.errors import StudyError
from igcnas.files import write_text
from igcnas.reading import read_json

_PACKAGE = Path(__file__).resolve().parents[1]
_SOURCES = ("training", "layers")


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
    write_text(folder / verdict.identity.file_name, json.dumps(asdict(verdict), indent=1))
    _kept_here.cache_clear()
    return True


def captured_here(device: torch.device) -> bool:
    """Whether the steps of a training on this device are captured: on a GPU where the proof found that right."""
    return device.type == "cuda" and _kept_here(str(device))


@cache
def _kept_here(device: str) -> bool:
    verdict = kept(Identity.of(torch.device(device)))
    return verdict is not None and verdict.captured
