"""Arrays of images in one .npz file, as numpy.savez writes it.

Images and labels of each part, by any usual spelling (names.py): x_train, y_train; train_images, train_labels; X_test,
y_test; x_val, y_val; or x, y alone. val beside test is the validation split; val alone is the test split; without
either a fixed stratified 20 % of the training data is held out. class_names, an array of text, names the classes in the
order of the labels. Arrays with other names are left out and named. Arrays
of Python objects are refused: reading one may run code. Headers are read first, and must agree with the file and the
memory of the machine.
"""

from __future__ import annotations

import functools
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igcnas.data.arrays import channels_first, equal_planes, luminance, to_int64, to_uint8
from igcnas.data.bounds import check_memory, check_ratio, size
from igcnas.data.dataset import HELD_OUT_FRACTION, Dataset, Split, check_test_split, held_out_indices, take
from igcnas.data.names import array_of
from igcnas.data.origin import LeftOut, Origin
from igcnas.data.splitting import split_notes
from igcnas.errors import DataError, unknown_name
from igcnas.units import counted

_CLASS_NAMES = "class_names"
_NAMED = 5  # arrays in a message
# What reading a damaged .npz raises, depending on where the damage lies.
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    RuntimeError,
    MemoryError,
    SyntaxError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A file, the keys (images, labels) of its splits, whether it names its classes, its other arrays, and of groups.

    groups: the key of that array, where groups are asked for.
    """

    file: Path
    keys: dict[str, tuple[str, str]]
    names_classes: bool = False
    others: tuple[str, ...] = ()
    groups: str | None = None


@dataclass(slots=True, kw_only=True)
class _Form:
    """What the training images decided for the others: whether floats are in [0, 1] (None: no floats, or not known
    yet), and whether three equal channels became one.
    """

    unit: bool | None = None
    grey: bool = False
    notes: list[str] = field(default_factory=list)


def load_npz(file: Path, *, own_validation: bool = True, groups: str | None = None) -> Dataset:
    """The data set in a .npz file, its classes numbered from 0.

    Images are (n, h, w), (n, h, w, 1 or 3) or (n, 1 or 3, h, w), uint8 or floats in [0, 1] or [0, 255] (rounded to
    uint8); labels are integers (n,) or (n, 1), each of 0..k - 1 present. Three channels that are equal in all training
    images become one. Only colour images are mirrored in training: grey ones are often digits or letters. DataError for
    anything else. Test arrays are read when `load_test` is called. own_validation False lets validation data join the
    training data, as before there was a choice. groups: the array, integers or texts (n,), that names the group of each
    training image; all of one group stay on one side of a split.
    """
    source = _open(file, alone_is_test=own_validation)
    if groups is not None:
        source = replace(source, groups=groups, others=tuple(name for name in source.others if name != groups))
    form = _Form()
    train, own = _read_training(source, form)
    present = np.unique(train.labels)
    num_classes = int(present[-1]) + 1
    if len(present) != num_classes:
        absent = np.flatnonzero(present != np.arange(len(present)))[0]
        raise DataError(
            f"no image of {str(file)!r} has label {absent}, yet labels reach {present[-1]}; number them 0..k-1"
        )
    origin = _origin(source, own_validation, form)
    if "test" not in source.keys:
        stay, leave = held_out_indices(train.labels, train.groups)
        if groups is not None:
            names = [str(label) for label in range(num_classes)]
            notes = split_notes(train.labels, leave, fraction=HELD_OUT_FRACTION, what="to test on", classes=names)
            origin = replace(origin, notes=(*origin.notes, *notes))
        train = take(train, stay)
    channels, height = train.images.shape[1:3]
    return Dataset(
        name=file.stem,
        classes=_class_names(source, num_classes),
        train=train,
        load_test=functools.partial(_load_test, source, form, train.images.shape[1:], num_classes),
        flip=channels == 3,
        pad=height // 8,
        own_validation=own if own_validation and "test" in source.keys else 0,
        origin=origin,
    )


def _class_names(source: _Source, num_classes: int) -> tuple[str, ...]:
    """The names of the labels 0, 1, ...: those in the file, else the numbers."""
    if not source.names_classes:
        return tuple(str(label) for label in range(num_classes))
    (names,) = read_arrays(source.file, [_CLASS_NAMES])
    if names.dtype.kind != "U" or names.shape != (num_classes,) or len(set(names.tolist())) != num_classes:
        raise DataError(
            f"{_CLASS_NAMES!r} of {str(source.file)!r} is {names.dtype} of shape {names.shape}; it must be "
            f"{num_classes} different texts, one for each label"
        )
    return tuple(map(str, names.tolist()))


def read_arrays(file: Path, keys: Sequence[str]) -> list[NDArray[Any]]:
    """The arrays of these keys in a .npz file. DataError if one is absent or damaged, or holds Python objects, or
    declares more than it can hold or this machine can.
    """
    try:
        _check_headers(file, keys)
        with np.load(file, allow_pickle=False) as stored:
            return [stored[key] for key in keys]
    except DataError:
        raise
    except _DAMAGE as error:
        raise _unreadable(file, error) from error


def _check_headers(file: Path, keys: Sequence[str]) -> None:
    """Shapes and types of the arrays, before memory is given to them."""
    total = 0
    with zipfile.ZipFile(file) as archive:
        for key in keys:
            stored = archive.getinfo(f"{key}.npy")
            with archive.open(stored) as member:
                shape, dtype = _header(member)
                declared = math.prod(shape) * dtype.itemsize
            if dtype.hasobject:
                raise ValueError(f"{key!r} holds Python objects")
            # a header may say less than the file has, which numpy would not read; more is a lie
            if min(shape, default=0) < 0 or declared > stored.file_size:
                raise DataError(
                    f"{key!r} of {str(file)!r} declares shape {_short(shape)}, {size(declared)}, and has "
                    f"{size(stored.file_size)}; fetch the file again"
                )
            check_ratio(min(stored.compress_size, file.stat().st_size), declared, f"{key!r} of {str(file)!r}")
            total += declared + math.prod(shape)  # as stored, and as bytes
    check_memory(total, f"the arrays {', '.join(map(repr, keys))} of {str(file)!r} take", "store fewer or smaller ones")


def _header(member: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
    elif version in ((2, 0), (3, 0)):  # 3.0 differs in the encoding of names alone
        shape, _, dtype = np.lib.format.read_array_header_2_0(member)
    else:
        raise ValueError(f"version {version} of the .npy format is unknown")
    return shape, dtype


def _short(shape: Sequence[int]) -> str:
    text = "(" + ", ".join(str(side) if abs(side) < 10**18 else "a number of many digits" for side in shape) + ")"
    return text if len(text) <= 80 else f"{text[:80]}..."


def _load_test(source: _Source, form: _Form, input_shape: tuple[int, ...], num_classes: int) -> Split:
    if "test" not in source.keys:
        everything, _ = _read_training(source, form)
        return take(everything, held_out_indices(everything.labels, everything.groups)[1])
    test = _read_split(source, "test", form)
    return check_test_split(test, input_shape=input_shape, num_classes=num_classes, where=str(source.file))


def _open(file: Path, *, alone_is_test: bool) -> _Source:
    """Finds which splits the file has, without reading an array. DataError unless it has a whole training split."""
    try:
        stored = np.load(file, allow_pickle=False, mmap_mode="r")  # a bare array of any size is not read
    except _DAMAGE as error:
        raise _unreadable(file, error) from error
    if not isinstance(stored, np.lib.npyio.NpzFile):
        raise DataError(f"{str(file)!r} holds one bare array; store images and labels with numpy.savez")
    with stored:
        names = list(stored.files)
    found: dict[tuple[str, str], str] = {}
    others = []
    for name in names:
        if name == _CLASS_NAMES:
            continue
        meaning = array_of(name)
        if meaning is None:
            others.append(name)
        elif meaning in found:
            raise DataError(
                f"{found[meaning]!r} and {name!r} of {str(file)!r} both mean the {meaning[1]} of "
                f"{meaning[0] or 'the training data'}; keep one"
            )
        else:
            found[meaning] = name
    keys, others = _pairs(file, found, others)
    if "train" not in keys:
        has = ", ".join(repr(name[:40]) for name in sorted(names)[:_NAMED]) or "nothing"
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        raise DataError(
            f"{str(file)!r} has neither x_train, y_train nor train_images, train_labels but {has}{more}; rename its "
            "arrays"
        )
    if "val" in keys and "test" not in keys and alone_is_test:
        keys["test"] = keys.pop("val")
    return _Source(file=file, keys=keys, names_classes=_CLASS_NAMES in names, others=tuple(others))


def _pairs(
    file: Path, found: Mapping[tuple[str, str], str], others: list[str]
) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Images and labels of each part, and what is left; those without a part are the training data if no other is."""
    keys = {}
    whole = not any(part for part, _ in found)
    for part in ("", "train", "val", "test"):
        images, labels = (found.get((part, role)) for role in ("images", "labels"))
        if part == "" and not whole:
            others = others + [name for name in (images, labels) if name is not None]
        elif images is not None and labels is not None:
            keys[part or "train"] = images, labels
        elif images is not None or labels is not None:
            present, absent = (images, "labels") if images is not None else (labels, "images")
            like = {"images": "x", "labels": "y"}[absent] + (f"_{part}" if part else "")
            raise DataError(f"{str(file)!r} has {present!r} without {like!r} (its {absent}); store both")
    return keys, others


def _origin(source: _Source, own_validation: bool, form: _Form) -> Origin:
    """What each split is, in words."""
    named = {part: " and ".join(pair) for part, pair in source.keys.items()}
    train, validation = named["train"], named.get("val", "")
    if validation and not (own_validation and "test" in named):
        train, validation = f"{train}, {validation}", ""
    test = named.get("test", f"{HELD_OUT_FRACTION:.0%} of each class of {train}, the same for every seed")
    if "test" in named and array_of(source.keys["test"][0]) == ("val", "images"):
        test += ", as there is no test split"
    left_out = []
    if source.others:
        example = ", ".join(name[:40] for name in source.others[:_NAMED])
        what = "whose name means no split" if len(source.others) == 1 else "whose names mean no split"
        left_out = [LeftOut(count=len(source.others), what=what, example=example, noun="array")]
    return Origin(
        train=train, validation=validation, test=test, left_out=tuple(left_out), notes=tuple(dict.fromkeys(form.notes))
    )


def _read_training(source: _Source, form: _Form) -> tuple[Split, int]:
    """Training data with the validation data behind them, how many these are; fills the form."""
    form.unit, form.grey = None, False
    train = _read_split(source, "train", form)
    if source.groups is not None:
        train = replace(train, groups=_read_groups(source, source.groups, len(train.labels), form))
    own = 0
    if "val" in source.keys:
        val = _read_split(source, "val", form)
        if val.images.shape[1:] != train.images.shape[1:]:
            raise DataError(
                f"{source.keys['val'][0]!r} of {str(source.file)!r} has images {val.images.shape[1:]}, the training "
                f"images are {train.images.shape[1:]} (channels, height, width); store both in one form"
            )
        own = len(val.labels)
        images = np.concatenate([train.images, val.images])
        groups = train.groups
        if groups is not None:  # nothing is drawn from images whose split is the user's own
            groups = np.concatenate([groups, groups.max() + 1 + np.arange(own)])
        train = Split(images=images, labels=np.concatenate([train.labels, val.labels]), groups=groups)
    form.grey = equal_planes(train.images)
    if form.grey:
        train = replace(train, images=train.images[:, :1].copy())
        form.notes.append("red, green and blue are equal in all training images: they are read as grey")
    return train, own


def _read_groups(source: _Source, name: str, images: int, form: _Form) -> NDArray[np.int64]:
    """A number of its group for each training image."""
    with np.load(source.file, allow_pickle=False) as stored:
        known = list(stored.files)
    if name not in known:
        raise DataError(unknown_name("array of groups", name, known))
    (found,) = read_arrays(source.file, [name])
    if found.shape != (images,) or found.dtype.kind not in "iuUS":
        raise DataError(
            f"{name!r} of {str(source.file)!r} is {found.dtype} of shape {found.shape[:4]}; store the group of each of "
            f"the {images:,} training images, integers or texts of shape ({images},)"
        )
    names, numbers = np.unique(found, return_inverse=True)
    form.notes.append(f"{counted(len(names), 'group')} of images that stay on one side of a split")
    return numbers.astype(np.int64)


def _read_split(source: _Source, part: str, form: _Form) -> Split:
    """One split, of the form that the training data have.

    Floats of two splits must have one range: read as [0, 255], an image of [0, 1] would be black.
    """
    keys = source.keys[part]
    images, labels = read_arrays(source.file, keys)
    where = f"{keys[0]!r} of {str(source.file)!r}"
    if images.ndim and labels.ndim and len(images) != len(labels):
        raise DataError(
            f"{where} has {counted(len(images), 'image')} and {keys[1]!r} {counted(len(labels), 'label')}; give each "
            "image one label"
        )
    pixels, found = to_uint8(images, where)
    if form.unit is not None and found is not None and found != form.unit:
        ranges = {True: "[0, 1]", False: "[0, 255]"}
        raise DataError(
            f"{where} has values in {ranges[found]}, the training images in {ranges[form.unit]}; scale both alike"
        )
    if part == "train":
        form.unit = found
        if images.dtype == np.uint8 and images.size and images.max() == 1:
            form.notes.append(f"{keys[0]!r} is uint8 with no value above 1, which is nearly black of 255")
    pixels = channels_first(pixels, where)
    notes: tuple[str, ...] = ()
    if form.grey and pixels.shape[1] == 3:
        if equal_planes(pixels):
            pixels = pixels[:, :1].copy()
        else:
            pixels = luminance(pixels)
            notes = (f"images of {keys[0]!r} are in colour; they become grey, as all training images are",)
    return Split(images=pixels, labels=to_int64(labels, f"{keys[1]!r} of {str(source.file)!r}"), notes=notes)


def _unreadable(file: Path, error: BaseException) -> DataError:
    if isinstance(error, FileNotFoundError):
        return DataError(f"no file {str(file)!r}; pass a file written by numpy.savez as npz:FILE")
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    if "allow_pickle" in reason:  # numpy's words for what is no array; its way out would run the code of a stranger
        reason = "it begins neither as a .npz nor as an array"
    return DataError(
        f"{str(file)!r} is truncated, no .npz, or holds Python objects ({reason}); store plain arrays anew"
    )
