"""Train every network of benchmarks/table.py with every seed, in parallel; go on where it was stopped.

python -m benchmarks.make_table --workers 4 --work table-work        # hours of one core; the table at the end

The recipe is that of a search on the digits (igcnas.training.recipes.short_settings). Each training is one line of
JSON in the work folder, written by the process that did it; a line that a kill has torn is trained again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

from benchmarks import table

Task = tuple[str, int]
_state: dict[str, Any] = {}


def main() -> None:
    """Train what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    parser.add_argument("--work", type=Path, required=True, help="folder for what has been trained so far")
    parser.add_argument("--out", type=Path, default=table.PATH, help="the table (default: %(default)s)")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    done = _read(arguments.work)
    tasks = [(name, seed) for seed in range(table.SEEDS) for name in table.choices() if (name, seed) not in done]
    print(f"{len(table.choices())} networks, {table.SEEDS} seeds; {len(done)} trainings are there, {len(tasks)} to do")
    start = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with context.Pool(arguments.workers, initializer=_start, initargs=(arguments.work,)) as pool:
        for number, _ in enumerate(pool.imap_unordered(_train, tasks), start=1):
            if number % 100 == 0 or number == len(tasks):
                pace = (time.monotonic() - start) / number
                print(f"{number}/{len(tasks)}, {pace * (len(tasks) - number) / 60:.0f} min left", flush=True)
    done = _read(arguments.work)
    rows = {}
    for name, choice in table.choices().items():
        results = [done[name, seed] for seed in range(table.SEEDS)]
        macs, params = table.costs(choice.architecture)
        rows[name] = table.Row(
            id=name,
            macs=macs,
            params=params,
            curves=tuple(tuple(result["curve"]) for result in results),
            tests=tuple(result["test"] for result in results),
        )
    sizes = next(iter(done.values()))
    table.write(rows, arguments.out, validation_images=sizes["validation_images"], test_images=sizes["test_images"])
    seconds = sum(result["seconds"] for result in done.values())
    print(f"wrote {arguments.out}: {len(rows)} networks, {seconds / 3600:.1f} hours of training")


def _read(work: Path) -> dict[Task, dict[str, Any]]:
    done = {}
    for path in work.glob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                result = json.loads(line)
            except ValueError:  # torn by a kill
                continue
            done[result["id"], result["seed"]] = result
    return done


def _start(work: Path) -> None:
    """Once a process: the data, one thread, a file of its own."""
    import torch

    from igcnas.data.loading import load_dataset
    from igcnas.training.recipes import short_settings
    from igcnas.training.tensors import TrainingData

    torch.set_num_threads(1)
    dataset = load_dataset("digits")
    settings = short_settings(len(dataset.train.labels), epochs=None, seed=0)
    data = TrainingData.of(dataset, settings, torch.device("cpu"))
    test = dataset.load_test()
    path = work / f"{os.getpid()}-{time.time_ns()}.jsonl"  # new: never behind a torn line
    _state.update(settings=settings, data=data, test=test, file=open(path, "a", buffering=1, encoding="utf-8"))  # noqa: SIM115


def _train(task: Task) -> None:
    import torch

    from igcnas.training.metrics import accuracy
    from igcnas.training.tensors import ImageTensors
    from igcnas.training.trainer import train

    name, seed = task
    data, test = _state["data"], _state["test"]
    result = train(table.choices()[name].architecture, data, _state["settings"], repeat=seed)
    images = ImageTensors.of(test, torch.device("cpu"))
    right = [round(report.val_accuracy / 100 * len(data.validation)) for report in result.curve]
    line = {
        "id": name,
        "seed": seed,
        "curve": right,
        "test": round(accuracy(result.network, images, data.normalize) / 100 * len(test.labels)),
        "validation_images": len(data.validation),
        "test_images": len(test.labels),
        "seconds": round(result.seconds, 2),
    }
    _state["file"].write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
