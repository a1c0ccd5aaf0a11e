"""A round: a search left alone, the same one under faults, and what differs or does not hold."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.soak.clock import Clock
from benchmarks.soak.comparing import broken, differences, fingerprint
from benchmarks.soak.faults import FAULTS
from benchmarks.soak.scene import Scene, Server
from igcnas.search.folder import open_study
from igcnas.search.records import records


@dataclass(frozen=True, slots=True)
class Round:
    """What one was, and what was found: nothing where all is well."""

    storage: str
    seed: int
    workers: int
    done: dict[str, int]
    trainings: int
    seconds: float
    found: list[str]

    @property
    def faults(self) -> int:
        """How many there were."""
        return sum(self.done.values())


def options(storage: str, seed: int, workers: int, *, networks: int, epochs: int, budget: str) -> list[str]:
    """A small search with pruning and repeats."""
    words = f"--budget-mflops {budget} --networks {networks} --epochs {epochs} --seed {seed} --workers {workers}"
    rules = "--pruner halving --min-epochs 1 --seeds 3 --repeats 2"
    return [*words.split(), *rules.split(), *(["--ray", "local"] if storage == "ray" else [])]


def run_round(
    place: Path,
    storage: str,
    words: Sequence[str],
    *,
    seed: int,
    workers: int,
    networks: int,
    most: int,
    server: Server | None = None,
    alone: Scene | None = None,
) -> Round:
    """At most so many faults. With one worker the study must equal that of the search left alone, to the bit.

    alone: that one, where it is there already.
    """
    begin, draws = time.monotonic(), random.Random(f"{storage}-{seed}")
    place.mkdir(parents=True, exist_ok=True)
    clock = Clock(place)
    whole = 10.0  # seconds, about
    if workers == 1 and alone is None:
        start = time.monotonic()
        alone = left_alone(place, f"alone-{storage}-{seed}", words)
        whole = time.monotonic() - start
    scene = Scene(place, f"soaked-{storage}-{seed}", words, draws, clock, server if storage == "postgresql" else None)
    done: Counter[str] = Counter()
    try:
        scene.start()
        while done.total() < most and scene.wait(whole / 5):
            fault = draws.choice(FAULTS[storage])
            if fault(scene):
                done[fault.__name__] += 1
            if not scene.runs():
                if scene.process is not None and scene.process.returncode == 0:
                    break
                scene.start()
        unfinished = _to_the_end(scene)
    finally:
        scene.kill()
    if unfinished:
        return Round(storage, seed, workers, dict(done), 0, round(time.monotonic() - begin, 1), unfinished)
    found = broken(scene.folder, networks)
    if alone is not None:
        found += differences(fingerprint(alone.folder), fingerprint(scene.folder))
    trainings = len(records(open_study(scene.folder)))
    if not found:
        for folder in place.glob(f"*-{storage}-{seed}"):
            shutil.rmtree(folder, ignore_errors=True)
    return Round(storage, seed, workers, dict(done), trainings, round(time.monotonic() - begin, 1), found)


def left_alone(place: Path, name: str, words: Sequence[str]) -> Scene:
    """The same search on this machine, by itself, to its end."""
    here = [word for word in words if word not in ("--ray", "local")]
    scene = Scene(place, name, here, random.Random(name), Clock(place))
    scene.finish()
    return scene


def _to_the_end(scene: Scene) -> list[str]:
    """The search without further faults; the last may still end it once. What it said, if it does not end well."""
    said = ""
    for _ in range(2):
        try:
            scene.finish(900)
            return []
        except RuntimeError as error:
            said = str(error)
    return [said]


def kept(file: Path) -> list[Round]:
    """Rounds of earlier runs."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [Round(**json.loads(line)) for line in lines]


def keep(file: Path, one: Round) -> None:
    """One more."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(asdict(one)) + "\n")
