"""Seconds that a report takes, by the number of trainings that a study holds.

python -m benchmarks.report_time --networks 100 1000

The studies are made here, in a folder that is removed: real journals, written by the real search with `--sampler
evolution` and repeats in the space `all`, whose trainings a stand-in ends at once, with accuracies made up from the
architecture and its MACs, and curves of 15 epochs.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.summary import header
from igcnas.data.loading import load_dataset
from igcnas.network.architecture import Architecture
from igcnas.network.cost import count
from igcnas.results.importance import analyse, samples_of
from igcnas.results.importance.analysis import JUDGED, RESAMPLINGS
from igcnas.results.importance.keeping import keep
from igcnas.results.report.composing import composition, write_figures
from igcnas.results.report.page import render
from igcnas.search.controller import Search
from igcnas.search.evaluation import InTurn, OnEpoch, Outcome
from igcnas.search.folder import guard_settings, open_study
from igcnas.search.records import TrialRecord
from igcnas.search.settings import DataSettings, StudySettings
from igcnas.search.space import load_space
from igcnas.search.study import Study
from igcnas.training.reports import EpochReport
from igcnas.training.settings import TrainingSettings

BUDGET = 200_000
EPOCHS = 15


class Quiet:
    """A Progress that tells nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def started(self, record: TrialRecord) -> None:
        """Nothing."""

    def epoch(self, number: int, report: EpochReport) -> None:
        """Nothing."""

    def finished(self, record: TrialRecord) -> None:
        """Nothing."""


def stand_in(architecture: Architecture, folder: Path, on_epoch: OnEpoch, repeat: int = 0) -> Outcome:
    """Better with MACs, with a part that the id decides and one that the repeat does; a curve that rises to it."""
    cost = count(architecture)
    quality, luck = int(architecture.id[:6], 16) / 16**6, int(architecture.id[6:], 16) * (repeat + 1) % 97 / 97
    accuracy = min(99.5, 80.0 + 6.0 * math.log10(cost.macs / BUDGET * 10) + 10.0 * quality + 2.0 * luck)
    right = 100 / 362
    curve = [[epoch, 2.0 / epoch, round(accuracy * epoch / EPOCHS / right) * right] for epoch in range(1, EPOCHS + 1)]
    results: dict[str, Any] = {
        "val_accuracy": curve[-1][2],
        "seconds": 1.0,
        "device": "stand-in",
        "measured_macs": cost.macs,
        "measured_params": cost.params,
        "peak_memory_mb": 100.0,
        "curve": curve,
        "latency_ms": None,
        "latency_iqr_ms": None,
    }
    return Outcome(results=results)


def make(folder: Path, networks: int) -> None:
    """A study of so many networks, and a tenth as many repeats."""
    training = TrainingSettings(epochs=EPOCHS)
    space = load_space("all")
    data = DataSettings.of(load_dataset("digits"), training, spec="digits", data_dir=None, image_size=None)
    settings = StudySettings(
        space=space.to_dict(),
        space_path="all",
        budget_macs=BUDGET,
        objective="front",
        sampler="evolution",
        baselines=True,
        seed=0,
        data=data,
        training=training,
    )
    folder.mkdir(parents=True)
    guard_settings(folder, settings)
    study = open_study(folder, create_for=settings)
    Search(study, folder, space, settings, InTurn(stand_in), Quiet()).run(networks, seeds=5, repeats=networks // 10)


def measure(folder: Path) -> dict[str, float]:
    """Seconds of each step."""
    seconds: dict[str, float] = {}

    def timed(name: str, start: float) -> float:
        now = time.perf_counter()
        seconds[name] = now - start
        return now

    start = time.perf_counter()
    source = Study.read(folder)
    at = timed("read", start)
    composition(source, importance=False)
    at = timed("compose without importance", at)
    importance = analyse(samples_of(source), resamplings=RESAMPLINGS, judged=JUDGED)
    at = timed("the analysis of importance, once", at)
    keep(folder, samples_of(source), importance)
    at = time.perf_counter()
    found = composition(source)
    at = timed("compose with importance kept", at)
    text = render(found.report)
    at = timed("page", at)
    write_figures(found.drawings, folder / "figures")
    timed("figures as PNG and SVG", at)
    seconds["page, MB"] = len(text.encode()) / 1e6
    return seconds


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", type=int, nargs="+", default=[100, 1000], metavar="N")
    arguments = parser.parse_args()
    print(header("benchmarks.report_time"))
    with tempfile.TemporaryDirectory() as root:
        for networks in arguments.networks:
            folder = Path(root) / f"made-{networks}"
            make(folder, networks)
            found = measure(folder)
            print(f"\n{networks} networks, {networks // 10} repeats")
            for name, value in found.items():
                print(f"  {name:34} {value:7.2f}", flush=True)


if __name__ == "__main__":
    main()
