"""CIFAR-10 and CIFAR-100 in the forms their authors distribute: Python pickles or binary records, unpacked or archived.

Both forms hold the same images in the same order, so they give equal arrays. Archives are read in place; nothing is
unpacked to disk. CIFAR-100 has its 100 fine labels. Data: Krizhevsky, "Learning multiple layers of features", 2009.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from igcnas.data.archive import file_contents, file_names
from igcnas.data.dataset import Dataset, Split, check_labels, check_test_split
from igcnas.data.origin import Origin
from igcnas.data.unpickling import unpickle_arrays
from igcnas.errors import DataError

_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """One distributed form. label_bytes: bytes before the pixels of a binary record, the label last; 0 for pickles."""

    folder: str
    archive: str
    train: tuple[str, ...]
    test: str
    names: str
    label_bytes: int
    label_key: str = "labels"
    names_key: str = "label_names"


_BATCHES = tuple(f"data_batch_{i}" for i in range(1, 6))
_FORMS = {
    "cifar10": (
        _Form(
            folder="cifar-10-batches-py",
            archive="cifar-10-python.tar.gz",
            train=_BATCHES,
            test="test_batch",
            names="batches.meta",
            label_bytes=0,
        ),
        _Form(
            folder="cifar-10-batches-bin",
            archive="cifar-10-binary.tar.gz",
            train=tuple(f"{batch}.bin" for batch in _BATCHES),
            test="test_batch.bin",
            names="batches.meta.txt",
            label_bytes=1,
        ),
    ),
    "cifar100": (
        _Form(
            folder="cifar-100-python",
            archive="cifar-100-python.tar.gz",
            train=("train",),
            test="test",
            names="meta",
            label_bytes=0,
            label_key="fine_labels",
            names_key="fine_label_names",
        ),
        _Form(
            folder="cifar-100-binary",
            archive="cifar-100-binary.tar.gz",
            train=("train.bin",),
            test="test.bin",
            names="fine_label_names.txt",
            label_bytes=2,
        ),
    ),
}
_NUM_CLASSES = {"cifar10": 10, "cifar100": 100}


def load_cifar(name: str, data_dir: Path) -> Dataset:
    """The data set 'cifar10' or 'cifar100' found in, or at, `data_dir`: images (3, 32, 32), 10 or 100 classes.

    `data_dir` holds the distributed folder or archive, or is one of them. Of several the unpacked one is read, the
    Python form before the binary one. DataError if none is complete, or a file is damaged.
    """
    place, form = _find(name, data_dir)
    num_classes = _NUM_CLASSES[name]
    contents = file_contents(place, {*form.train, form.names})
    return Dataset(
        name=name,
        classes=_class_names(contents.get(form.names), form, place, num_classes),
        train=_parse(contents, form.train, form, place, num_classes),
        load_test=functools.partial(_load_test, place, form, num_classes),
        flip=True,
        pad=_SHAPE[1] // 8,
        origin=Origin(train=", ".join(form.train), test=form.test),
    )


def _load_test(place: Path, form: _Form, num_classes: int) -> Split:
    test = _parse(file_contents(place, {form.test}), (form.test,), form, place, num_classes)
    return check_test_split(test, input_shape=_SHAPE, num_classes=num_classes, where=str(place))


def _find(name: str, data_dir: Path) -> tuple[Path, _Form]:
    """The folder or archive that holds every file of one form, and that form."""
    forms = _FORMS[name]
    inside = [data_dir / part for part in [form.folder for form in forms] + [form.archive for form in forms]]
    incomplete = None
    for place in [data_dir, *inside]:
        if not place.exists():
            continue
        present = file_names(place)
        for form in forms:
            missing = [file for file in (*form.train, form.test) if file not in present]
            if not missing:
                return place, form
            if len(missing) <= len(form.train) and incomplete is None:
                incomplete = (
                    f"{str(place)!r} lacks {', '.join(missing)} of {name}; fetch it again, or unpack it completely"
                )
    looked_for = ", ".join(part.name for part in inside)
    raise DataError(
        incomplete
        or f"no {name} in {str(data_dir)!r}: looked there for {looked_for}, and for {forms[0].train[0]} or "
        f"{forms[1].train[0]} in it; pass the folder that holds one of them as --data-dir"
    )


def _parse(contents: dict[str, bytes], files: tuple[str, ...], form: _Form, place: Path, num_classes: int) -> Split:
    parts = []
    for file in files:
        where = str(place / file)
        content = contents[file]
        if not content:
            raise DataError(f"{where!r} is empty; fetch it again")
        split = _parse_records(content, form, where) if form.label_bytes else _parse_pickle(content, form, where)
        check_labels(split.labels, num_classes=num_classes, where=where)
        parts.append(split)
    return Split(
        images=np.concatenate([part.images for part in parts]), labels=np.concatenate([part.labels for part in parts])
    )


def _parse_records(content: bytes, form: _Form, where: str) -> Split:
    record = form.label_bytes + _PIXELS
    if len(content) % record:
        raise DataError(
            f"{where!r} has {len(content)} bytes, which is no multiple of {record}, the bytes of one image with its "
            "label; it is truncated or of another data set: fetch it again"
        )
    table = np.frombuffer(content, dtype=np.uint8).reshape(-1, record)
    labels = table[:, form.label_bytes - 1].astype(np.int64)
    return Split(images=table[:, form.label_bytes :].reshape(-1, *_SHAPE), labels=labels)


def _parse_pickle(content: bytes, form: _Form, where: str) -> Split:
    batch = unpickle_arrays(content, where=where)
    data = _entry(batch, "data", where)
    labels = _entry(batch, form.label_key, where)
    if not isinstance(data, np.ndarray) or data.shape[1:] != (_PIXELS,) or not len(data):
        found = f"of shape {data.shape}" if isinstance(data, np.ndarray) else f"a {type(data).__name__}"
        raise DataError(f"'data' of {where!r} is {found}, not an array (n, {_PIXELS}), n > 0; fetch the file again")
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise DataError(f"{form.label_key!r} of {where!r} is not a list of integers; fetch the file again")
    if len(labels) != len(data):
        raise DataError(f"{where!r} has {len(data)} images but {len(labels)} labels; fetch the file again")
    return Split(images=data.reshape(-1, *_SHAPE), labels=np.array(labels, dtype=np.int64))


def _entry(batch: dict[Any, Any], key: str, where: str) -> Any:
    """The value of a key, which a pickle of Python 2 has as bytes and one of Python 3 as str."""
    for spelling in (key.encode(), key):
        if spelling in batch:
            return batch[spelling]
    raise DataError(f"{where!r} has no entry {key!r}; it is no file of this data set: fetch it again")


def _class_names(content: bytes | None, form: _Form, place: Path, num_classes: int) -> tuple[str, ...]:
    """The names the data set gives its classes; numbers where the file of names is absent."""
    if content is None:
        return tuple(str(label) for label in range(num_classes))
    where = str(place / form.names)
    if form.label_bytes:
        names: Any = [line for line in content.splitlines() if line.strip()]
    else:
        names = _entry(unpickle_arrays(content, where=where), form.names_key, where)
    if not isinstance(names, list) or len(names) != num_classes or not all(isinstance(n, bytes | str) for n in names):
        raise DataError(f"{where!r} does not name {num_classes} classes; fetch it again, or delete it to number them")
    plain = (n if isinstance(n, bytes) else n.encode("utf-8", "replace") for n in names)
    return tuple(name.decode("utf-8", "replace").strip() for name in plain)
