"""Data sets by name.

To add one: a loader in a module here, and its name in `_load` and DATASETS; from another package, an entry point of the
group igcnas.data (docs/extending.md), a function `load(place, data_dir=...) -> Dataset`, where `place` is the path
behind the colon of NAME:PATH, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.errors import DataError, IgcnasError, unknown_name
from igcnas.system import additions

if TYPE_CHECKING:
    from igcnas.data.dataset import Dataset  # numpy: the help of a command names data sets without it

# What a user may write, and what it is where the name does not say it, for a help text.
DATASETS = {
    "digits": "8x8 scans, needs no download",
    "cifar10": "",
    "cifar100": "",
    "svhn": "",
    "svhn-extra": "with its extra images",
    "imagefolder:PATH": "",
    "npz:FILE": "",
}
OWN = tuple(name.partition(":")[0] for name in DATASETS)


def load_dataset(
    spec: str,
    *,
    data_dir: Path | None = None,
    image_size: int | None = None,
    skip_bad: bool = False,
    own_validation: bool = True,
    groups: str | None = None,
) -> Dataset:
    """The data set that `spec` names: digits, cifar10, cifar100, svhn, svhn-extra, imagefolder:PATH or npz:FILE; or one
    of another package, as NAME or NAME:PATH.

    `data_dir` is where CIFAR lies: the distributed folder or archive, or the folder that holds it; or the folder of the
    .mat files of SVHN. For image folders: `image_size`, in pixels, to a square of which each image is resized and
    centre-cropped, and `skip_bad`, which leaves out what cannot be decoded. `own_validation` False lets a validation
    split that the data bring join the training data. `groups`: which pictures of an image folder stay on one side of a
    split (groups.py), or the array of a .npz that numbers the group of each training image. DataError if the
    name is unknown, a setting is missing or does not apply, the data is damaged, or nothing can be learned from it.
    """
    from igcnas.data.examination import check_learnable

    dataset = _load(spec, data_dir, image_size, skip_bad, own_validation, groups)
    check_learnable(dataset)
    return dataset


def _load(
    spec: str,
    data_dir: Path | None,
    image_size: int | None,
    skip_bad: bool,
    own_validation: bool,
    groups: str | None,
) -> Dataset:
    # Each loader is imported when it is used: scikit-learn and Pillow take long to import.
    kind, _, place = spec.partition(":")
    if image_size is not None and kind != "imagefolder":
        raise DataError(
            f"--image-size {image_size} does not apply to {spec!r}; it is for imagefolder:PATH, leave it out"
        )
    if skip_bad and kind != "imagefolder":
        raise DataError(f"--skip-bad does not apply to {spec!r}; it is for imagefolder:PATH, leave it out")
    if groups is not None and kind not in ("imagefolder", "npz"):
        raise DataError(f"--groups does not apply to {spec!r}; it is for imagefolder:PATH and npz:FILE, leave it out")
    added = _added(spec, data_dir)
    if added is not None:
        return added
    if spec == "digits":
        from igcnas.data.digits import load_digits

        return load_digits()
    if spec == "cifar10" or spec == "cifar100":
        from igcnas.data.cifar import load_cifar

        if data_dir is None:
            raise DataError(f"{spec} is read from a folder and none was given; pass --data-dir with its download")
        return load_cifar(spec, data_dir.expanduser())
    if spec in ("svhn", "svhn-extra"):
        from igcnas.data.svhn import load_svhn

        if data_dir is None:
            raise DataError(f"{spec} is read from a folder and none was given; pass --data-dir with its .mat files")
        return load_svhn(spec, data_dir.expanduser())
    if kind in ("imagefolder", "npz"):
        if not place:
            raise DataError(f"{spec!r} lacks its path; write {'imagefolder:PATH' if kind != 'npz' else 'npz:FILE'}")
        path = Path(place).expanduser()
        if kind == "npz":
            from igcnas.data.npz import load_npz

            return load_npz(path, own_validation=own_validation, groups=groups)
        from igcnas.data.imagefolder import load_image_folder

        return load_image_folder(
            path, image_size=image_size, skip_bad=skip_bad, own_validation=own_validation, groups=groups
        )
    raise DataError(unknown_name("data set", spec, (*DATASETS, *additions.names(additions.DATA))) + _as_path(spec))


def _added(spec: str, data_dir: Path | None) -> Dataset | None:
    """A data set of another package; None where no package adds one of this name."""
    from igcnas.data.dataset import Dataset

    kind, _, place = spec.partition(":")
    added = additions.addition(additions.DATA, kind, own=OWN)
    if added is None:
        return None
    load: Callable[..., Dataset] = added.load(Callable)  # type: ignore[arg-type]
    folder = None if data_dir is None else data_dir.expanduser()
    try:
        dataset = load(Path(place).expanduser() if place else None, data_dir=folder)
    except (IgcnasError, OSError, MemoryError):  # these say themselves what is wrong
        raise
    except Exception as error:  # the code of others raises anything
        reason = " ".join(str(error).split())
        raise DataError(f"the {added} cannot be read ({type(error).__name__}: {reason}); ask its package") from error
    if not isinstance(dataset, Dataset):
        raise DataError(
            f"the {added} gives a {type(dataset).__name__}, not an igcnas.data.dataset.Dataset; update that package"
        )
    return dataset


def _as_path(spec: str) -> str:
    """A path alone is a common slip."""
    path = Path(spec).expanduser()
    try:
        if spec and path.is_dir():
            return f"; {spec!r} is a folder: write imagefolder:{spec}"
        if spec.endswith(".npz"):
            return f"; write npz:{spec}"
    except (OSError, ValueError):  # no path at all
        pass
    return ""
