"""The commands, and what must be the same however often a fault of the disk stopped them.

Convention: {disk} is the file system that a fault comes to, {base} a finished study on it, {output} the folder that the
command writes, and {other} a folder on another disk.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.soak.comparing import fingerprint

# Of the machine and the moment, not of the result; locks and logs of runs tell of runs.
_VOLATILE = ("seconds", "training_seconds", "images_per_second", "peak_memory_mb", "device")
_OF_RUNS = ("lock", "runs.jsonl", "journal.log.flock")
_UNSTABLE = ("events.out.tfevents",)  # with the time in their names and in their bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A command. begun: files that are there, in its output, once it is well under way (a glob).

    forks: it may run in a copy of another process, which does not end as a program does.
    program: a module that is run as `igcnas` is. environment: beside what is there.
    """

    name: str
    words: str
    output: str
    begun: str = "*"
    program: str = "igcnas"
    environment: dict[str, str] = field(default_factory=dict)
    is_search: bool = False
    on_study: bool = False
    on_images: bool = False
    forks: bool = True

    def command(self, disk: Path) -> list[str]:
        """All of its words."""
        return [sys.executable, "-m", self.program, *(self._filled(word, disk) for word in self.words.split())]

    def shown(self) -> str:
        """For a page."""
        before = [f"{name}={value}" for name, value in self.environment.items()]
        return " ".join(self._filled(word, Path("DISK")) for word in (*before, "igcnas", *self.words.split()))

    def folder(self, disk: Path) -> Path:
        """What it writes."""
        return Path(self._filled(self.output, disk))

    def variables(self, disk: Path) -> dict[str, str]:
        """Of its environment."""
        return {name: self._filled(value, disk) for name, value in self.environment.items()}

    def is_under_way(self, disk: Path) -> bool:
        """Whether a fault in the middle may come now."""
        return any(self.folder(disk).glob(self.begun))

    def result(self, disk: Path) -> dict[str, Any]:
        """What it decided and measured, and the bytes of weights: to be the same after any faults."""
        folder = self.folder(disk)
        if self.is_search:
            return fingerprint(folder) | {"names": sorted(path.name for path in folder.iterdir())}
        files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in _OF_RUNS]
        found = {str(path.relative_to(folder)): _content(path) for path in files}
        return {name: content for name, content in found.items() if not Path(name).name.startswith(_UNSTABLE)}

    def _filled(self, word: str, disk: Path) -> str:
        places = {"disk": disk, "base": disk / "base", "other": disk.parent / "other"}
        return word.format(output=self.output.format(**places), **places)


def make_images(folder: Path) -> None:
    """Pictures of three colours, a folder each."""
    draws = np.random.default_rng(0)
    for colour in range(3):
        (folder / str(colour)).mkdir(parents=True)
        for number in range(40):
            pixels = draws.integers(0, 100, (16, 16, 3), dtype=np.uint8)
            pixels[:, :, colour] += 100
            Image.fromarray(pixels).save(folder / str(colour) / f"{number}.png")


def _content(path: Path) -> Any:
    """Of files with times what else is in them; of others a digest of all bytes."""
    if path.suffix == ".json":
        return _lasting(json.loads(path.read_text(encoding="utf-8")))
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return [_lasting(row) for row in csv.DictReader(file)]
    if path.suffix == ".safetensors":  # its writer puts metadata into another order each time
        content = path.read_bytes()
        end = 8 + int.from_bytes(content[:8], "little")
        return json.loads(content[8:end]), hashlib.sha256(content[end:]).hexdigest()
    return "there" if path.stat().st_size else "empty"  # pictures and pages: drawn from the above


def _lasting(value: Any) -> Any:
    """Without what is of the machine."""
    if isinstance(value, dict):
        return {key: _lasting(item) for key, item in value.items() if key not in _VOLATILE}
    return [_lasting(item) for item in value] if isinstance(value, list) else value


_SMALL = "--budget-mflops 0.05 --no-baselines --space igcv3 --seeds 1 --no-export --studies-dir {disk} --study study"


def search(*, workers: int, networks: int = 6, epochs: int = 2, name: str = "", **other: Any) -> Work:
    """A search of so many networks. Of several workers with proposals that do not depend on which ends first."""
    sampler = "tpe" if workers == 1 else "random"
    given = f"--networks {networks} --epochs {epochs} --sampler {sampler} --workers {workers}"
    return Work(
        name=name or f"search, {workers} worker{'s' if workers > 1 else ''}",
        words=f"search {_SMALL} {given}",
        output="{disk}/study",
        begun="trials/*/result.json",
        program="benchmarks.soak.searching",
        is_search=True,
        **other,
    )


BASE = f"search {_SMALL} --networks 22 --epochs 1 --sampler random --workers 2".replace("--study study", "--study base")
RETRAIN = Work(
    name="retrain",
    words="retrain {base} --top 1 --seeds 2 --epochs 2",
    output="{base}/retrain-2",
    begun="*.json",
    on_study=True,
)
AUDIT = Work(
    name="audit",
    words="audit {base} --networks 6 --seeds 1 --epochs 4 --bands 1",
    output="{base}/audit-4",
    begun="trainings/*.json",
    on_study=True,
)
TRAIN = Work(
    name="train",
    words="train resnet depth=8 width=4 --recipe short --epochs 6 --checkpoint-seconds 0.3 --out {output}",
    output="{disk}/run",
    begun="last.safetensors",
)
TRIAL = Work(
    name="width trial, 2 workers",
    words="width-optimum --train --ratios 1/4,1/2,1,2,4 --seeds 2 --epochs 1 --workers 2 --no-latency --out {output}",
    output="{disk}/trial",
    forks=False,
    begun="*-seed0.json",
)
EXPORT = Work(name="export", words="export {base}", output="{base}/best", on_study=True)
REPORT = Work(name="report", words="report {base} --no-importance", output="{base}", on_study=True)
IMPORTANCE = Work(name="importance", words="importance {base}", output="{base}", on_study=True)
PLOT = Work(name="plot", words="plot {base}", output="{base}", on_study=True)
COMPARE = Work(
    name="compare", words="compare {base} {disk}/other --out {output}", output="{disk}/compared", on_study=True
)

EXPORT_TEMPORARY = Work(
    name="export, TMPDIR there",
    words="export {other}/base",
    output="{other}/base/best",
    environment={"TMPDIR": "{disk}"},
    on_study=True,
)
CACHED = Work(
    name="search of image files, data cache there",
    words="search --data imagefolder:{other}/images --image-size 8 --budget-mflops 0.1 --networks 2 --epochs 1 "
    "--no-baselines --space igcv3 --sampler random --workers 2 --seeds 1 --no-export --study study "
    "--studies-dir {other}",
    output="{other}/study",
    environment={"IGCNAS_CACHE": "{disk}"},
    is_search=True,
    on_images=True,
)
