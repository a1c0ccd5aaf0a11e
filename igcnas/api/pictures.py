"""Images that a program holds, as a file that workers, and later commands, can read.

Convention: the parts are 'train', 'val' and 'test'; 'train' is needed, a missing 'test' is set aside from it as for any
data set. Each part is a pair (images, labels) of arrays, or a torch Dataset (anything with a length whose items are
pairs of image and label). Arrays are as in docs/data.md: uint8, or floats in [0, 1], with channels first or last.
Items of a Dataset are read once, in order: a transform that is random is drawn once; augmentation is igcnas's own.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igcnas.errors import DataError
from igcnas.system.files import make_folder, write_whole

PARTS = ("train", "val", "test")


def as_spec(data: Any, folder: Path, *, classes: Sequence[str] | None = None) -> str:
    """The name by which commands open these data: as it is, or 'npz:FILE' of a file that is written here.

    Args:
        data: a name such as 'digits' or 'imagefolder:photos', or the images themselves.
        folder: where a file is written; its name follows from the content, so that the same data are the same file.
        classes: the names of the classes, in the order of the labels; else those that the data say, else numbers.

    Raises:
        DataError: the data are none of these, or images differ in shape.
    """
    if isinstance(data, str | Path):
        return str(data)
    arrays, names = _arrays(data, classes)
    content = io.BytesIO()
    if names is not None:
        arrays["class_names"] = np.array(names, dtype=np.str_)
    np.savez(content, **arrays)  # type: ignore[arg-type]  # its stub takes them for allow_pickle
    digest = hashlib.sha256()
    for key, value in arrays.items():
        digest.update(f"{key} {value.dtype} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    path = folder / f"arrays-{digest.hexdigest()[:8]}.npz"
    if not path.is_file():
        make_folder(folder, advice="give another studies_dir")
        write_whole(path, content.getvalue())
    return f"npz:{path.absolute()}"


def _arrays(data: Any, classes: Sequence[str] | None) -> tuple[dict[str, NDArray[Any]], Sequence[str] | None]:
    """Arrays by the names that a file has them by, and the names of the classes."""
    if not isinstance(data, Mapping):
        data = {"train": data}
    if "train" not in data:
        raise DataError(
            f"data has {', '.join(map(repr, data)) or 'nothing'}, and no 'train'; give {{'train': (images, labels), "
            "'test': (images, labels)}, torch Datasets under these names, or a name such as 'imagefolder:photos'"
        )
    if unknown := [key for key in data if key not in PARTS]:
        raise DataError(f"data has {unknown[0]!r}; its parts are {', '.join(map(repr, PARTS))}")
    arrays: dict[str, NDArray[Any]] = {}
    for part, content in data.items():
        images, labels = _pair(content, part)
        arrays |= {f"x_{part}": images, f"y_{part}": labels}
    named = classes if classes is not None else getattr(data["train"], "classes", None)
    return arrays, None if named is None else [str(name) for name in named]


def _pair(content: Any, part: str) -> tuple[NDArray[Any], NDArray[Any]]:
    if isinstance(content, tuple) and len(content) == 2:
        return _array(content[0]), _array(content[1])
    if hasattr(content, "__len__") and hasattr(content, "__getitem__") and not isinstance(content, Mapping | str):
        return _read(content, part)
    raise DataError(
        f"data[{part!r}] is {type(content).__name__}; give (images, labels) or a torch Dataset with a length"
    )


def _array(value: Any) -> NDArray[Any]:
    """Of numpy, torch or anything that numpy understands."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    found: NDArray[Any] = np.asarray(value)
    return found


def _read(dataset: Any, part: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Every item once, in order."""
    images, labels = [], []
    for index in range(len(dataset)):
        item = dataset[index]
        if not (isinstance(item, tuple | list) and len(item) == 2):
            raise DataError(f"item {index} of data[{part!r}] is no pair of image and label, but {type(item).__name__}")
        images.append(_array(item[0]))
        labels.append(int(item[1]))
        if images[-1].shape != images[0].shape:
            raise DataError(
                f"image {index} of data[{part!r}] has shape {images[-1].shape}, image 0 has {images[0].shape}; resize "
                "them to one size in the Dataset, or search a folder of pictures with image_size"
            )
    if not images:
        raise DataError(f"data[{part!r}] holds no image; give at least one")
    return np.stack(images), np.array(labels, dtype=np.int64)
