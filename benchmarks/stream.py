"""Images a second that the streaming loader decodes, by number of worker processes.

    python benchmarks/stream.py --images 600 --side 400 500 --size 224 --workers 0 1 2 4 --repeats 5

Makes a folder of photo-like JPEGs (smooth noise with fine texture, 4:2:0) in a temporary place, and reads one epoch
of it for each number of workers, with windows as for ImageNet. The first batch is not timed: it starts the processes.
Repeats are interleaved, so that a machine that slows down slows all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, features

from igcnas.data.augmentation import Augmentation
from igcnas.data.listing import list_image_folder
from igcnas.data.stream import Form, ImageFiles, stream


def make_folder(root: Path, images: int, sides: tuple[int, int]) -> int:
    """Photos in two classes; their bytes."""
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        (root / "train" / name).mkdir(parents=True)
    for i in range(images):
        width, height = (int(side) for side in random.permutation(sides))
        smooth = Image.fromarray(random.integers(0, 256, (12, 12, 3), np.uint8)).resize((width, height))
        texture = random.normal(0, 8, (height, width, 1))
        pixels = np.clip(np.asarray(smooth) + texture, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(root / "train" / "ab"[i % 2] / f"{i:05}.jpg", quality=90)
    return sum(path.stat().st_size for path in root.rglob("*.jpg"))


def rate(files: ImageFiles, batch: int, workers: int, seed: int) -> float:
    """Images a second of one epoch."""
    order = torch.randperm(len(files), generator=torch.Generator().manual_seed(seed)).tolist()
    keys = [[(seed, i) for i in order[s : s + batch]] for s in range(0, len(order) - batch + 1, batch)]
    batches = stream(files, keys, workers=workers)
    next(batches)
    start = time.perf_counter()
    count = sum(len(labels) for _, labels, _ in batches)
    return count / (time.perf_counter() - start)


def main() -> None:
    """Measure; print a table, or one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--side", type=int, nargs=2, default=(400, 500))
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2, 4])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        size = make_folder(Path(folder), arguments.images, tuple(arguments.side))
        form = Form(size=arguments.size, augmentation=Augmentation(crop="area"), training=True)
        files = ImageFiles(list_image_folder(Path(folder)).train, form)
        rates: dict[int, list[float]] = {workers: [] for workers in arguments.workers}
        for repeat in range(arguments.repeats):
            for workers in arguments.workers:
                rates[workers].append(rate(files, arguments.batch, workers, repeat))
    turbo = features.check_feature("libjpeg_turbo")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    facts = {
        "images": len(files),
        "kilobytes_each": round(size / arguments.images / 1000, 1),
        "sides": list(arguments.side),
        "size": arguments.size,
        "cores": cores,
        "load": os.getloadavg()[0],
        "libjpeg_turbo": turbo,
        "python": platform.python_version(),
        "repeats": arguments.repeats,
    }
    if arguments.json:
        print(json.dumps({**facts, "images_per_second": rates}))
        return
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    print("workers  images/s (median)  smallest  largest")
    for workers, found in rates.items():
        print(f"{workers:>7}  {statistics.median(found):>17.0f}  {min(found):>8.0f}  {max(found):>7.0f}")


if __name__ == "__main__":
    main()
