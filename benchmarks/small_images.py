"""A small data set from a folder of images, for experiments that a CPU can do: fewer images, and smaller ones.

python -m benchmarks.small_images FOLDER small.npz --size 16 --train 1000

FOLDER has a folder for each class under train/ and test/. Of each class so many images of train/ are drawn, and all of
test/ are taken unless --test says otherwise; the seed decides which, and their order. Images are made smaller by
averaging whole squares of pixels. `--data npz:small.npz` reads the result.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from igcnas.errors import DataError, IgcnasError

Arrays = dict[str, NDArray[np.uint8] | NDArray[np.int64]]


def shrink(folder: Path, *, size: int, train: int | None, test: int | None, seed: int = 0) -> Arrays:
    """x_train, y_train, x_test, y_test: images (n, size, size, 3), 0 to 255, and classes in the order of names."""
    draws = np.random.default_rng(seed)
    found: Arrays = {}
    for part, most in (("train", train), ("test", test)):
        images: list[NDArray[np.uint8]] = []
        labels: list[int] = []
        for label, one in enumerate(_classes(folder / part)):
            files = sorted(path for path in one.iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
            for place in sorted(draws.permutation(len(files))[:most].tolist()):
                images.append(_small(files[place], size))
                labels.append(label)
        order = draws.permutation(len(images))
        found |= {f"x_{part}": np.stack(images)[order], f"y_{part}": np.array(labels)[order]}
    return found


def _classes(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not found:
        raise DataError(f"{folder} has no folders of classes; give a folder with train/CLASS/ and test/CLASS/")
    return found


def _small(path: Path, size: int) -> NDArray[np.uint8]:
    image = Image.open(path).convert("RGB")
    if image.width != image.height or image.width % size:
        raise DataError(f"{path} has {image.width} x {image.height} pixels, no multiple of --size {size}")
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))


def main() -> int:
    """Write the file; exit status 2 and one line for a user's error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.small_images", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("out", type=Path, metavar="FILE.npz")
    parser.add_argument("--size", type=int, default=16, metavar="N", help="pixels of a side (default: %(default)s)")
    parser.add_argument("--train", type=int, metavar="N", help="training images of a class (default: all)")
    parser.add_argument("--test", type=int, metavar="N", help="test images of a class (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    options = parser.parse_args()
    try:
        arrays = shrink(options.folder, size=options.size, train=options.train, test=options.test, seed=options.seed)
    except IgcnasError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    np.savez(options.out, **arrays)  # type: ignore[arg-type]
    print(f"wrote {options.out}: " + ", ".join(f"{name} {array.shape}" for name, array in arrays.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
