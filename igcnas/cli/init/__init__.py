"""igcnas init: looks at data, and prints a space file and the command of a search that suit it. Asks nothing.

devices: boards with what was measured on them. suggestion: size, budget, space. space_file: the space as text.
"""

from __future__ import annotations

import argparse
import difflib
import json
import os
import shlex
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

from igcnas.cli.data_lines import balance_words, data_json_of, drawn_by_seed, split_lines
from igcnas.cli.data_options import add_place_arguments, data_help
from igcnas.cli.init.devices import DEVICES, Device
from igcnas.data.loading import DATASETS
from igcnas.errors import DataError, IgcnasError
from igcnas.results.table import Column, Table
from igcnas.units import counted, mega

if TYPE_CHECKING:
    from igcnas.data.dataset import Dataset
    from igcnas.data.examination import Examined
    from igcnas.data.survey import Pictures
    from igcnas.search.space import SearchSpace

_A_SECOND = 10  # pictures, that the budgets of devices are for
_STEM = 16  # channels, for the words on memory
_NAMED = 6  # classes that are named with their counts
_FEW = 100  # pictures of a class
_LISTED = 100  # pictures that cannot be read
EPILOG = """examples:
  %(prog)s imagefolder:photos --out photos_space.py
  %(prog)s npz:pictures.npz
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "init",
        help="look at your data; print a search space and the command of a search for it",
        description="Looks at data and says what it is: how large the pictures are, how many of each class, in colour "
        "or grey, where each split comes from, what is left out. Suggests a size of the images and budgets, also for "
        "known devices, and prints the command of a search and the search space behind it, with comments. Asks and "
        "trains nothing.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", metavar="DATA", help=f"a folder of pictures, or what --data takes: {data_help()}")
    add_place_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the search space to this file (.py)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look; suggest; print."""
    out: Path | None = arguments.out
    if out is not None and out.suffix != ".py":
        raise IgcnasError(f"--out {out} must end with .py: a search space is a Python file")
    from igcnas.data.examination import examine
    from igcnas.data.loading import load_dataset
    from igcnas.system.files import write_text
    from igcnas.training.recipes import short_settings

    spec = _spec(arguments.data)
    pictures, size, why = _pictures(spec, arguments.image_size)
    dataset = load_dataset(spec, data_dir=arguments.data_dir, image_size=size, skip_bad=pictures is not None)
    fraction = short_settings(len(dataset.train.labels)).validation_fraction
    examined = examine(dataset, fraction=fraction, seed=0)
    from igcnas.cli.init import suggestion
    from igcnas.cli.init.space_file import space_file
    from igcnas.network.cost import count

    shape, classes = dataset.input_shape, dataset.num_classes
    space = suggestion.space_for("all" if out is None else out.stem, shape)
    least = count(space.smallest(shape, classes)).macs
    chosen = suggestion.budget(shape, classes)
    command = _command(arguments, spec, size, examined, chosen, space, out)
    text = space_file(space, title=f"The search space that igcnas init suggests for {dataset.name}.", command=command)
    if out is not None:
        write_text(out, text)
    if arguments.json:
        found: dict[str, Any] = {"data": data_json_of(dataset, examined), "input_shape": shape, "image_size": size}
        found["budget_mflops"] = _mflops(chosen)
        found["devices"] = [_device_json(device) for device in DEVICES]
        found["unreadable"] = _unreadable(examined)
        print(json.dumps(found | {"space": text, "command": command}))
        return 0
    bad = _unreadable(examined)
    for line in (*_first_lines(dataset, examined, bad, command), *_bad_lines(bad)):
        print(line)
    for line in _data_lines(dataset, examined, pictures, drawn_by_seed(fraction)):
        print(line)
    print(f"size      {'x'.join(map(str, shape))}" + (f", --image-size {size}" if size else "") + f" ({why})")
    published = mega(suggestion.mobilenetv2_macs(shape, classes))
    print(
        f"budget    {_mflops(chosen):g} MFLOPs: a tenth of MobileNetV2, which costs {published} at this size (rule of "
        f"thumb); the smallest network of the space costs {mega(least)}"
    )
    print("\n".join(_device_lines(shape, least)))
    print(f"wrote     {out}" if out is not None else f"space     what that command searches\n\n{text}")
    for line in _last_lines(arguments.data, out):
        print(line)
    print(f"search    {command}")
    return 0


def _spec(data: str) -> str:
    """What --data takes: a folder by its path is an image folder."""
    from igcnas.data.loading import OWN
    from igcnas.system import additions

    if ":" in data or data in (*OWN, *(added := additions.names(additions.DATA))):
        return data
    place = Path(data).expanduser()
    if place.is_dir():
        return f"imagefolder:{data}"
    if place.suffix == ".npz" or difflib.get_close_matches(data, (*OWN, *added), n=1):
        return data  # a slip that the loader names
    known = ", ".join((*DATASETS, *added))
    if place.exists():
        raise DataError(f"{data!r} is a file; give the folder of your pictures, or one of {known}")
    raise DataError(f"no folder {os.path.abspath(place)!r}; give the folder of your pictures, or one of {known}")


def _unreadable(examined: Examined) -> list[str]:
    """Every picture that gives no image, and why."""
    return [named for one in examined.left_out for named in one.every]


def _first_lines(dataset: Dataset, examined: Examined, bad: list[str], command: str) -> list[str]:
    """What was found and what to do next, for somebody who reads nothing else."""
    whole = len(dataset.train.labels) + examined.test
    kinds = counted(dataset.num_classes, "class", "classes")
    and_bad = f"; {counted(len(bad), 'picture')} cannot be read, which --skip-bad leaves out" if bad else ""
    return [
        f"found     {dataset.name}: {counted(whole, 'picture')} of {kinds}{and_bad}",
        f"next      {command}",
        "          says how long it takes, trains 60 networks briefly and writes the best to a folder of its own;",
        "          Ctrl-C stops it, and the same command goes on. Then: igcnas finish NAME, which trains that network",
        "          long, and igcnas predict NAME PICTURE; NAME is that of the folder. The rest says why this command",
        "",
    ]


def _bad_lines(bad: list[str]) -> list[str]:
    """The pictures that cannot be read, a line each."""
    if not bad:
        return []
    more = len(bad) - _LISTED
    return [
        "bad       pictures that cannot be read:",
        *(f"          {name}" for name in bad[:_LISTED]),
        *([f"          and {more:,} more"] if more > 0 else []),
    ]


def _last_lines(data: str, out: Path | None) -> list[str]:
    """What the space is good for."""
    if out is not None:
        return [f"space     {out} can be changed before the search: delete the choices that you do not want"]
    own = shlex.join(["igcnas", "init", data, "--out", "space.py"])
    return [
        "space     the code above is needed only for a search space of your own: write it to a file with",
        f"          {own}",
        "          delete the choices that you do not want, and search with --space space.py in place of --space all",
    ]


def _pictures(spec: str, asked: int | None) -> tuple[Pictures | None, int | None, str]:
    """What a folder holds, if it is one; the size of the images, and why it is that."""
    kind, _, place = spec.partition(":")
    if kind != "imagefolder" or not place:
        return None, asked, "as they are stored"
    from igcnas.cli.init import suggestion
    from igcnas.data.listing import list_image_folder
    from igcnas.data.survey import survey

    pictures = survey(list_image_folder(Path(place).expanduser()))
    return (pictures, *suggestion.image_size(pictures)) if asked is None else (pictures, asked, "as you asked")


def _command(
    arguments: argparse.Namespace,
    spec: str,
    size: int | None,
    examined: Examined,
    budget: int,
    space: SearchSpace,
    out: Path | None,
) -> str:
    words = ["igcnas", "search", "--data", spec]
    if arguments.data_dir is not None:
        words += ["--data-dir", str(arguments.data_dir)]
    if size is not None:
        words += ["--image-size", str(size)]
    if arguments.skip_bad or any("decoded" in one.what for one in examined.left_out):
        words.append("--skip-bad")
    words += ["--budget-mflops", f"{_mflops(budget):g}"]
    # A file in this folder is told from a space that comes with igcnas by its ending.
    return shlex.join([*words, "--space", "all" if out is None else str(out)])


def _mflops(macs: float) -> float:
    """With two digits."""
    return float(f"{macs / 1e6:.2g}")


def _data_lines(dataset: Dataset, examined: Examined, pictures: Pictures | None, drawn: str) -> list[str]:
    """What the data is."""
    import numpy as np

    counts = np.bincount(dataset.train.labels, minlength=dataset.num_classes)
    named = ", ".join(f"{name} {n:,}" for name, n in list(zip(dataset.classes, counts, strict=True))[:_NAMED])
    more = f" and {dataset.num_classes - _NAMED} more" if dataset.num_classes > _NAMED else ""
    colour = "grey" if dataset.input_shape[0] == 1 else "colour"
    pictures_in_words = counted(len(dataset.train.labels), f"{colour} picture")
    lines = [
        f"data      {dataset.name}: {pictures_in_words} to train and validate on, "
        f"{counted(dataset.num_classes, 'class', 'classes')}: {named}{more}"
    ]
    if pictures is not None:
        formats = ", ".join(f"{number:,} {name}" for name, number in pictures.formats.items())
        among = f" of the {len(pictures.sizes):,} looked at" if len(pictures.sizes) < pictures.of else ""
        lines.append(f"pictures  {_sizes_in_words(pictures)} ({formats}{among})")
    lines += split_lines(examined, drawn=drawn)
    fewest = int(counts.argmin())
    if counts[fewest] < _FEW:
        few = counted(int(counts[fewest]), "picture")
        lines.append(
            f"note      class {dataset.classes[fewest]!r} has {few}: more of it are worth more than any search"
        )
    return lines + balance_words(dataset)


def _sizes_in_words(pictures: Pictures) -> str:
    """The range of both sides; a picture may lie or stand."""
    if pictures.one_size is not None:
        width, height = pictures.one_size
        return f"all {width}x{height} pixels"
    low, high = pictures.sizes.min(axis=1), pictures.sizes.max(axis=1)
    shorter, longer = (f"{a} to {b}" if a < b else f"{a}" for a, b in ((s.min(), s.max()) for s in (low, high)))
    middle = pictures.short_sides[len(low) // 2]
    half = f" (of half of them below {middle + 1})" if low.min() < low.max() else ""
    return f"shorter side {shorter} pixels{half}, longer side {longer}"


def _device_lines(shape: tuple[int, int, int], least: int) -> list[str]:
    """The table of devices, and how far it can be believed."""
    columns = (
        Column.words("device", lambda one: one.name),
        Column.words("core", lambda one: f"{one.core} {one.mhz} MHz"),
        Column.numbers("RAM", lambda one: one.ram_kb, ",", unit="kB"),
        Column.numbers("flash", lambda one: one.flash_kb, ",", unit="kB"),
        Column.numbers("ResNet-8", lambda one: one.milliseconds, "g", unit="ms"),
        Column.numbers("--budget-mflops", lambda one: _budget_of(one, least), "g"),
        Column.numbers("--budget-params", lambda one: float(f"{one.params:.2g}"), ",.0f"),
    )
    stem = _STEM * shape[1] * shape[2] / 1000
    words = (
        "devices   facts: memory, and the time of a picture of ResNet-8 with 12.5 MFLOPs in int8 (MLPerf Tiny; a dash:",
        "          no result was published). Rules of thumb, which may be off by a factor of three: --budget-mflops",
        f"          for {_A_SECOND} pictures a second at that speed, --budget-params for half of the flash. RAM must",
        f"          hold the largest maps, which igcnas does not limit; {_STEM} channels take {stem:,.0f} kB here",
    )
    return [*words, indent(Table.of(columns, DEVICES).text(), "          ")]


def _budget_of(device: Device, least: int) -> float | None:
    macs = device.budget(_A_SECOND)
    return None if macs < least else _mflops(macs)


def _device_json(device: Device) -> dict[str, Any]:
    return {
        "name": device.name,
        "ram_kb": device.ram_kb,
        "flash_kb": device.flash_kb,
        "milliseconds_resnet8": device.milliseconds,
        "budget_mflops": _mflops(device.budget(_A_SECOND)),
        "budget_params": round(device.params),
    }
