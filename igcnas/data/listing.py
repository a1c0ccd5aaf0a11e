"""Which files an image folder has, which of them are which split, and which play no part. Nothing is decoded here.

Hidden files and folders (and those that systems leave) are no images; folders that are links are not followed.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igcnas.data.dataset import HELD_OUT_FRACTION, held_out_indices, split_indices
from igcnas.data.groups import crossing, grouped
from igcnas.data.names import part_of
from igcnas.data.origin import Origin, Tally
from igcnas.data.splitting import split_notes
from igcnas.errors import DataError
from igcnas.units import counted

_JPEG = (".jfif", ".jpe", ".jpeg", ".jpg")
EXTENSIONS = (".bmp", ".gif", *_JPEG, ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
_OF_SYSTEMS = ("__macosx", "thumbs.db", "desktop.ini", "@eadir")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Images found but not decoded: absolute paths, and for each its label, and its bytes and time of change in ns.

    groups: numbers of their groups (groups.py); None where none were asked for.
    """

    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    stamps: tuple[tuple[int, int], ...]
    groups: NDArray[np.int64] | None = None

    def take(self, indices: NDArray[np.intp]) -> Listing:
        """Those at these positions."""
        return Listing(
            paths=tuple(self.paths[i] for i in indices),
            labels=self.labels[indices],
            stamps=tuple(self.stamps[i] for i in indices),
            groups=None if self.groups is None else self.groups[indices],
        )

    def digest(self, *form: object) -> str:
        """32 hex digits that change with the wanted form, and any file's place, name, size or time of change."""
        digest = hashlib.sha256(json.dumps(form).encode())
        for path, stamp in zip(self.paths, self.stamps, strict=True):
            digest.update(b"\0%s\0%d\0%d" % (os.fsencode(path), *stamp))
        return digest.hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderListing:
    """An image folder: its name, its classes, the images to train and validate on, the test images.

    own_validation: so many of the last of `train` are the folder's own validation split; 0: it has none.
    """

    root: Path
    name: str
    classes: tuple[str, ...]
    train: Listing
    test: Listing
    own_validation: int
    origin: Origin

    def split(self, *, fraction: float, seed: int) -> tuple[Listing, Listing]:
        """Training and validation images: the folder's own, else `fraction` of each class drawn by the seed."""
        if not self.own_validation:
            stay, leave = split_indices(self.train.labels, self.train.groups, fraction=fraction, seed=seed)
        else:
            stay, leave = np.split(np.arange(len(self.train.labels)), [-self.own_validation])
        return self.train.take(stay), self.train.take(leave)


def list_image_folder(root: Path, *, own_validation: bool = True, groups: str | None = None) -> FolderListing:
    """What is in the tree at `root` (see imagefolder.py); DataError if it is none.

    own_validation False lets a validation split beside a test split join the training data, as before there was a
    choice. groups: which pictures stay together, as a CSV file or a pattern (groups.py).
    """
    root = Path(os.path.abspath(root))
    tally = Tally()
    try:
        places = _places(root, tally)
        found = {part: _walk(root, folder, tally) for part, folder in places.items()}
        classes = _common_classes(root, places, found)
        notes = _missing(places, found, classes)
        listings = {part: _listing(found[part], classes) for part in places}
    except OSError as error:
        raise DataError(f"{error.filename!r} cannot be read ({error.strerror}); correct or remove it") from error
    if groups is not None:
        listings, said = _in_groups(root, places, listings, groups)
        notes += said
    train, own = listings["train"], 0
    words = {part: f"{folder.name}/" if folder != root else "all folders" for part, folder in places.items()}
    if "test" in listings:
        test = listings["test"]
        if "val" in listings:
            own = len(listings["val"].labels) if own_validation else 0
            train = _join(train, listings["val"])
            if not own_validation:
                words["train"] += f" and {words.pop('val')}"
    elif "val" in listings:
        test, words["test"] = listings["val"], f"{words.pop('val')}, as there is no test/"
    else:
        stay, leave = held_out_indices(train.labels, train.groups)
        if train.groups is not None:
            names = [_shown(name) for name in classes]
            notes += split_notes(train.labels, leave, fraction=HELD_OUT_FRACTION, what="to test on", classes=names)
        train, test = train.take(stay), train.take(leave)
        whole = "" if groups is None else ", in whole groups"
        words["test"] = f"{HELD_OUT_FRACTION:.0%} of each class of {words['train']}{whole}, the same for every seed"
    return FolderListing(
        root=root,
        name=_shown(root.name),
        classes=tuple(_shown(name) for name in classes),
        train=train,
        test=test,
        own_validation=own,
        origin=Origin(
            train=words["train"],
            validation=words.get("val", ""),
            test=words["test"],
            left_out=tally.left_out(),
            notes=notes,
        ),
    )


def _in_groups(
    root: Path, places: dict[str, Path], listings: dict[str, Listing], spec: str
) -> tuple[dict[str, Listing], tuple[str, ...]]:
    """The listings with the groups of their pictures, and what is to be said of them."""
    pictures = [Path(os.path.relpath(path, root)).as_posix() for one in listings.values() for path in one.paths]
    found = grouped(spec, [_shown(picture) for picture in pictures])
    ends = np.cumsum([len(one.paths) for one in listings.values()])[:-1]
    parts = dict(zip(listings, np.split(found.numbers, ends), strict=True))
    named = {f"{places[part].name}/": numbers for part, numbers in parts.items()}
    within = {part: replace(one, groups=parts[part]) for part, one in listings.items()}
    return within, (found.note(), *crossing(found.names, named))


def check_classes(labels: NDArray[np.int64], classes: Sequence[str], place: str) -> None:
    """DataError where leaving out bad files has left a class without training images."""
    counts = np.bincount(labels, minlength=len(classes))
    if not counts.all():
        missing = classes[int(counts.argmin())]
        raise DataError(f"no training image of class {missing!r} of {place!r} can be decoded; replace them")


def _places(root: Path, tally: Tally) -> dict[str, Path]:
    """The folder of each part; the root itself where its folders are classes."""
    if not root.is_dir():
        raise DataError(f"no folder {str(root)!r}; pass the folder of your images as imagefolder:PATH")
    inside = sorted(root.iterdir())
    folders = [path for path in inside if path.is_dir() and not _hidden(path.name)]
    places: dict[str, Path] = {}
    for folder in folders:
        part = part_of(folder.name)
        if part is not None and part in places:
            raise DataError(
                f"{places[part].name!r} and {folder.name!r} in {str(root)!r} both mean {part}; join or rename one"
            )
        if part is not None:
            places[part] = folder
    if "train" not in places:
        if places or len(folders) < 2:
            raise _no_training(root, folders, list(places.values()))
        places = {"train": root}
    elif others := [folder for folder in folders if folder not in places.values()]:
        for folder in others:
            files = sum(len(names) for _, _, names in os.walk(folder))
            tally.add("in folders whose names mean no split", f"{_shown(folder.name)}/", files)
    if places["train"] != root:
        for path in inside:
            if path not in folders:
                tally.add("beside the splits", _shown(path.name))
    return {part: places[part] for part in ("train", "val", "test") if part in places}


def _no_training(root: Path, folders: Sequence[Path], parts: Sequence[Path]) -> DataError:
    """What the root is instead of an image folder."""
    for folder in folders:
        if any(part_of(path.name) == "train" for path in folder.iterdir() if path.is_dir()):
            return DataError(f"no folder 'train' in {str(root)!r}, but one in {str(folder)!r}; pass that one")
    has = f"; it has {', '.join(repr(path.name) for path in (parts or folders)[:5])}" if folders else ""
    return DataError(
        f"no folder 'train' in {str(root)!r}{has}; an image folder is train/<class>/<image> with test/ or val/ beside "
        "it, or <class>/<image> alone, of two classes at least"
    )


def _walk(root: Path, folder: Path, tally: Tally) -> dict[str, list[str]]:
    """The images of each class folder in a folder, also in folders below; classes without images, too."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        if _hidden(path.name):
            tally.add("hidden", _relative(path, root))
        elif path.is_dir():
            found[path.name] = sorted(_images(path, root, tally))
        else:
            kind = "in no class folder" if path.suffix.lower() in EXTENSIONS else _kind(path.name)
            tally.add(kind, _relative(path, root))
    if not found:
        raise DataError(f"no class folders in {str(folder)!r}; put the images of each class in a folder of its own")
    return found


def _images(folder: Path, root: Path, tally: Tally) -> list[str]:
    found = []
    for place, folders, names in os.walk(folder, onerror=_raise):
        for name in list(folders):
            path = os.path.join(place, name)
            if _hidden(name) or os.path.islink(path):
                folders.remove(name)
                tally.add("hidden" if _hidden(name) else "in folders that are links", _relative(path, root))
        for name in names:
            path = os.path.join(place, name)
            if _hidden(name):
                tally.add("hidden", _relative(path, root))
            elif not name.lower().endswith(EXTENSIONS):
                tally.add(_kind(name), _relative(path, root))
            elif _is_special(path):  # a pipe would wait for ever
                tally.add("that are no plain files", _relative(path, root))
            else:
                found.append(path)
    return found


def _is_special(path: str) -> bool:
    """A device, a pipe, a folder. What cannot be looked at, such as a link to nothing, is a picture that is damaged."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _stamp(path: str) -> tuple[int, int]:
    """Size and time of a file, by which it is known again."""
    try:
        state = os.stat(path)
    except OSError:
        return 0, 0
    return state.st_size, state.st_mtime_ns


def _common_classes(
    root: Path, places: dict[str, Path], found: dict[str, dict[str, list[str]]]
) -> tuple[str, ...]:  # fmt: skip
    """Names of the classes, sorted: those that have training images. DataError for one that has others alone."""
    train = found["train"]
    classes = sorted(name for name, images in train.items() if images)
    for part, inside in found.items():
        for name in sorted(inside):
            if name in classes or not (inside[name] or part == "train"):
                continue
            others = [one for one in found if one != part and found[one].get(name)]
            if part == "train" and not others:
                continue  # empty everywhere: said in `_missing`
            if name in train:
                raise DataError(
                    f"no images in {str(places['train'] / name)!r}; add some ({', '.join(EXTENSIONS)}) or remove the "
                    "class from all splits"
                )
            raise DataError(
                f"class {name!r} is in {places[part].name!r} of {str(root)!r} with "
                f"{counted(len(inside[name]), 'image')} and not in {places['train'].name!r}; add training images of "
                "it, or remove it"
            )
    if not classes:
        raise DataError(f"no images in the class folders of {str(places['train'])!r} ({', '.join(EXTENSIONS)})")
    return tuple(classes)


def _missing(
    places: dict[str, Path], found: dict[str, dict[str, list[str]]], classes: tuple[str, ...]
) -> tuple[str, ...]:  # fmt: skip
    """Classes without images, in words."""
    notes = []
    for part, inside in found.items():
        missing = [name for name in classes if not inside.get(name)]
        if part != "train" and len(missing) == len(classes):
            raise DataError(f"no images in the class folders of {str(places[part])!r}; add some, or remove the folder")
        if missing:
            notes.append(f"{places[part].name}/ has no images of {_some(missing)}")
        empty = [name for name in inside if not inside[name] and name not in classes]
        if empty:
            notes.append(f"class folders without images are no classes: {_some(empty)} of {places[part].name}/")
    return tuple(notes)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(_shown(name)) for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _listing(found: dict[str, list[str]], classes: tuple[str, ...]) -> Listing:
    paths = [path for name in classes for path in found.get(name, ())]
    labels = [label for label, name in enumerate(classes) for _ in found.get(name, ())]
    return Listing(
        paths=tuple(paths),
        labels=np.array(labels, dtype=np.int64),
        stamps=tuple(map(_stamp, paths)),
    )


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _OF_SYSTEMS


def _kind(name: str) -> str:
    ending = os.path.splitext(name)[1].lower()
    return f"with the ending {_shown(ending)}" if ending else "without an ending"


def _relative(path: str | Path, root: Path) -> str:
    return _shown(os.path.relpath(path, root))


def _shown(name: str) -> str:
    """A name that any text may hold: bytes that are no UTF-8 become escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _raise(error: OSError) -> None:
    raise error


def _join(first: Listing, second: Listing) -> Listing:
    return Listing(
        paths=first.paths + second.paths,
        labels=np.concatenate([first.labels, second.labels]),
        stamps=first.stamps + second.stamps,
        groups=None if first.groups is None or second.groups is None else np.concatenate([first.groups, second.groups]),
    )
