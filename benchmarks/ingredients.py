"""What a long training gains by an averaged network, mixup, CutMix, a teacher, and other values of the short recipe.

    python -m benchmarks.ingredients --data npz:cifar10.npz --budget 1 --network ResNet-20 --epochs 20 --out FILE.md

One published network, scaled to the budget; the recipe of `igcnas finish` without any ingredient is the base, and each
variant changes one thing. A fifth of the training images is put aside and judges; the test split is not read. A seed
fixes first weights, order of images and windows, so that differences to the base are paired by seed. The teacher is the
same network at four times the budget, trained by the base for as many epochs with a seed of its own.

Predicted before the first run, at 1 MFLOPs and 20 epochs, points against the base: averaging +0.1, mixup -0.5, CutMix
-1, a teacher +1, no label smoothing +0.3, a fifth of the decay +0.3.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.runner import Task, run_tasks
from igcnas.data.augmentation import Augmentation
from igcnas.data.loading import load_dataset
from igcnas.network.architecture import Architecture
from igcnas.network.baselines import baselines
from igcnas.network.budget import macs_budget
from igcnas.network.cost import count
from igcnas.network.plan import plan
from igcnas.results.table import Column, Table
from igcnas.statistics.intervals import deviation, mean, t_interval
from igcnas.training.device import describe
from igcnas.training.engine import Engine
from igcnas.training.recipes import PerKind, Recipe, short_recipe, short_settings
from igcnas.training.targets import Teacher
from igcnas.training.tensors import TrainingData

_HELD_OUT = 0.2
_TEACHER_SEED = 1000
# What each variant changes of the base.
VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "averaging": {"averaging": 0.02},
    "mixup": {"mixup": 0.2},
    "cutmix": {"cutmix": 1.0},
    "teacher": {"distillation": 0.5},
    "teacher alone": {"distillation": 1.0},
    "no smoothing": {"label_smoothing": 0.0},
    "less decay": {"decay": PerKind(weights=1e-4, biases=0.0, norms=0.0, deciding=0.0)},
}
_loaded: dict[str, TrainingData] = {}
_teachers: dict[str, Teacher] = {}


def run(task: Task) -> Task:
    """One training: accuracy in percent on the images put aside, of the last epoch."""
    torch.set_num_threads(1)
    if task["data"] not in _loaded:
        dataset = load_dataset(task["data"])
        _loaded[task["data"]] = TrainingData.split(
            dataset, torch.device("cpu"), fraction=_HELD_OUT, seed=0, augmentation=Augmentation()
        )
    data = _loaded[task["data"]]
    recipe = dataclasses.replace(_base(data, task["epochs"]), **VARIANTS[task["variant"]])
    teacher = _teacher(task, data) if recipe.distillation else None
    start = time.perf_counter()
    engine = Engine(plan(_network(task, data, 1)), data, recipe, seed=task["seed"], teacher=teacher)
    engine.run()
    return {
        "accuracy": engine.curve[-1].val_accuracy,
        "loss": engine.curve[-1].train_loss,
        "seconds": round(time.perf_counter() - start, 1),
        "macs": count(_network(task, data, 1)).macs,
    }


def _base(data: TrainingData, epochs: int) -> Recipe:
    images = len(data.training) + len(data.validation)
    return short_recipe(short_settings(images, epochs=epochs))


def _network(task: Task, data: TrainingData, times: float) -> Architecture:
    _, channels, height, width = data.training.images.shape
    budget = macs_budget(round(task["budget"] * times * 1e6))
    return baselines((channels, height, width), data.num_classes, budget)[task["network"]].architecture


def _teacher(task: Task, data: TrainingData) -> Teacher:
    """Trained once for all seeds, kept in a file beside the results and in the memory of the process."""
    key = "-".join(str(task[name]) for name in ("network", "budget", "epochs")) + ".teacher.pt"
    if key not in _teachers:
        path = Path(task["work"]) / key
        recipe = _base(data, task["epochs"])
        engine = Engine(plan(_network(task, data, 4)), data, recipe, seed=_TEACHER_SEED, checkpoint=path)
        engine.load()
        engine.run()
        engine.save()
        print(f"teacher {key}: {engine.curve[-1].val_accuracy:.2f} %", flush=True)
        engine.network.eval()
        _teachers[key] = engine.steps.answer
    return _teachers[key]


def _page(arguments: argparse.Namespace, rows: list[Task]) -> str:
    names = dict.fromkeys(row["variant"] for row in rows)
    of = {name: [row for row in rows if row["variant"] == name] for name in names}
    base = np.array([r["accuracy"] for r in of["base"]])
    lines = []
    for name, found in of.items():
        values = [r["accuracy"] for r in found]
        differences = (np.array(values) - base).tolist()
        low, high = t_interval(differences) if name != "base" else (0.0, 0.0)
        gain = f"{mean(differences):+.2f} ({low:+.2f} to {high:+.2f})" if name != "base" else ""
        seconds = mean([r["seconds"] for r in found])
        lines.append((name, len(values), mean(values), deviation(values), gain, seconds))
    columns = (
        Column.words("variant"),
        Column.numbers("n"),
        Column.numbers("accuracy", say=".2f", unit="%"),
        Column.numbers("sd", say=".2f"),
        Column.words("against base (95 % interval)"),
        Column.numbers("s", say=".0f"),
    )
    table = Table(columns=columns, rows=tuple(lines)).markdown()
    network = f"{arguments.network} at {arguments.budget:g} MFLOPs ({rows[0]['macs']:,} MACs)"
    where = f"{arguments.title}, {describe(torch.device('cpu'))}"
    return f"{network}, {arguments.epochs} epochs, {where}\n\n{table}\n"


def main() -> None:
    """Train what is missing, by seed; write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="as for igcnas")
    parser.add_argument("--title", default="", help="of the data, for the page")
    parser.add_argument("--budget", type=float, default=1.0)
    parser.add_argument("--network", default="ResNet-20")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("ingredients-work"), help="where results are kept")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    names = arguments.variants.split(",")
    common = {"data": arguments.data, "budget": arguments.budget, "network": arguments.network}
    common |= {"epochs": arguments.epochs, "work": str(arguments.work)}
    tasks = [{**common, "seed": seed, "variant": name} for seed in range(arguments.seeds) for name in names]
    rows = run_tasks(tasks, run, cache=arguments.work / "results.jsonl", workers=arguments.workers)
    arguments.out.write_text(_page(arguments, rows), encoding="utf-8")


if __name__ == "__main__":
    main()
