"""What was timed before on this machine: a line of JSON each, in the cache folder; the last of a network counts.

It may be deleted at any time. Several processes append to it; a line that a killed one cut off, or that is damaged, is
passed over. What was timed while another program had the core is not kept. Nothing here fails: where no folder can be
written, each network is timed again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from igcnas.errors import IgcnasError
from igcnas.export.latency.measuring import Latency
from igcnas.export.latency.setting import Setting
from igcnas.network.plan import Plan
from igcnas.system.files import append
from igcnas.system.folders import caches, writable
from igcnas.system.processor import fingerprint
from igcnas.system.reading import as_kind, plain_json, read_bytes

FILE = "timings.jsonl"
_PACKAGE = Path(__file__).resolve().parents[2]
# What makes the form that a runtime is given.
_SOURCES = ("export/c", "export/onnx", "modules/folding", "modules/layers")
# What differs between trainings of one architecture, and takes no time.
_TIMELESS = re.compile(r"skipped_macs=\d+|Normalize\([^)]*\), [^)]*\)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """key: of the network, the setting and the machine. The rest is for people, but for the latency."""

    key: str
    latency: Latency


def key_of(network: Plan, setting: Setting, machine: Sequence[str]) -> str:
    """Of a lowered network. machine: names and versions of all that its time depends on."""
    layers = _TIMELESS.sub("", repr(network))
    return key_of_text(layers, setting, machine)


def key_of_text(network: str, setting: Setting, machine: Sequence[str]) -> str:
    """The same of what stands for a network, such as a digest of its file."""
    told = json.dumps([network, asdict(setting), list(machine), fingerprint(), _sources()])
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:24]


def recall(key: str) -> Latency | None:
    """What was last kept under the key."""
    wanted = key.encode()
    for folder in caches():
        with suppress(IgcnasError, OSError):
            lines = read_bytes(folder / FILE, advice="remove it").splitlines()
            for line in reversed([one for one in lines if wanted in one]):
                with suppress(IgcnasError, ValueError):
                    found = as_kind(plain_json(line), _Line, where="a timing", advice="remove it")
                    if found.key == key:
                        return found.latency
    return None


def keep(key: str, latency: Latency, setting: Setting, machine: Sequence[str]) -> None:
    """Remember it, unless the machine was not quiet."""
    folder = None if latency.quiet is False else writable(caches())
    if folder is None:
        return
    line = {"key": key, "latency": asdict(latency), "setting": asdict(setting), "machine": list(machine)}
    with suppress(IgcnasError, OSError):
        append(folder / FILE, json.dumps(line).encode() + b"\n", lines=True)


@cache
def _sources() -> str:
    digest = hashlib.sha256()
    for folder in _SOURCES:
        for path in sorted((_PACKAGE / folder).rglob("*")):
            if path.suffix in (".py", ".h"):
                digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]
