"""igcnas predict: what pictures show, by an exported network."""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import shlex
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

from igcnas.cli.common import add_studies_dir
from igcnas.errors import IgcnasError, StudyError
from igcnas.export.latency.setting import RUNTIMES

if TYPE_CHECKING:
    import numpy as np

    from igcnas.export.network import ExportedNetwork, Prediction

EPILOG = """The exit status is 0 where every picture was read, and 1 where one was not: it is named on standard error,
has no class in the table and an "error" in JSON, and the others are predicted.

examples:
  %(prog)s NAME photo.jpg
  %(prog)s studies/NAME/best holiday/ --top 1 --csv found.csv
  cat photo.jpg | %(prog)s NAME -
"""
_THREADS = 4  # that decode; Pillow releases Python's lock while it does
_STDIN = "-"
# A picture by its name, and its pixels or why it has none.
_Read: TypeAlias = "tuple[str, np.ndarray[Any, Any] | str]"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "predict",
        help="say what pictures show, by an exported network",
        description="Prints the most probable classes of each picture. A picture becomes the input as in training: "
        "turned as EXIF says, opaque, resized and cropped (card.md of the export has it in words).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "network",
        metavar="FOLDER",
        help="folder of an export; or a study by its name or folder, which means its final/, if any, else best/",
    )
    add(
        "pictures",
        nargs="+",
        metavar="PICTURE",
        help="a picture; a folder, with its subfolders; or - for one picture on standard input",
    )
    add_studies_dir(parser)
    add("--top", type=int, default=5, metavar="N", help="so many classes of each picture (default: %(default)s)")
    add("--csv", metavar="FILE", help="write a table of all pictures, - for standard output")
    add("--json", action="store_true", help="print one JSON object for each picture, a line each")
    add(
        "--runtime",
        choices=RUNTIMES,
        default="onnx",
        help="ONNX Runtime or OpenVINO on model.onnx, torch on model.py, or the compiled model.c; the last two are "
        "programs: only of folders that you trust (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read, predict, print; 1 where a picture could not be read."""
    if arguments.top < 1:
        raise IgcnasError(f"--top {arguments.top} must be 1 or more; 5 is usual")
    if arguments.json and arguments.csv == _STDIN:
        raise IgcnasError("--json and --csv - both write to standard output; give --csv a file")
    if arguments.csv not in (None, _STDIN):
        from igcnas.system.files import check_writable

        check_writable(Path(arguments.csv))
    from igcnas.data.picture import remarks
    from igcnas.export.network import BATCH, ExportedNetwork

    network = ExportedNetwork.load(network_folder(arguments.network, arguments.studies_dir), runtime=arguments.runtime)
    names = _names(arguments.pictures)
    top = min(arguments.top, len(network.classes))
    out = _Output(arguments, top)
    bad = 0
    progress = _Progress(sys.stderr, len(names))
    with contextlib.closing(out), progress.display, remarks():  # a table is written where it is cut off, too
        for start in range(0, len(names), BATCH):
            found = list(_read(network, names[start : start + BATCH]))
            answers = iter(_answers(network, [pixels for _, pixels in found if not isinstance(pixels, str)], top))
            for name, pixels in found:
                if isinstance(pixels, str):
                    bad += 1
                    progress.display.note(f"{name}: cannot be read ({pixels})")
                    out.add_unreadable(name, pixels)
                else:
                    out.add(name, next(answers))
            progress.done += len(found)
    return 1 if bad else 0


def network_folder(name: str, studies: Path) -> Path:
    """The folder of an export: itself, or final/ or best/ of a study."""
    from igcnas.network.exported import FILE
    from igcnas.search.folder import find_study
    from igcnas.system.files import restore_folder

    if (Path(name) / FILE).is_file():
        return Path(name)
    try:
        study = find_study(name, studies)
    except StudyError:
        if not Path(name).is_dir():
            raise
        raise IgcnasError(
            f"{name} is no export: it holds no {FILE}; give the folder that igcnas export wrote"
        ) from None
    for place in (study / "final", study / "best", study / "export"):
        restore_folder(place)
        if (place / FILE).is_file():
            return place
    again = shlex.join(["igcnas", "export", name])
    raise IgcnasError(f"{study} holds no exported network; write one with: {again}")


class _Output:
    """Where the answers go: a line each, JSON, or a table."""

    def __init__(self, arguments: argparse.Namespace, top: int) -> None:
        self._json, self._csv = arguments.json, arguments.csv
        self._rows: list[list[Any]] = []
        self._heads = ["file"]
        for place in range(1, top + 1):
            self._heads += ["class", "probability"] if place == 1 else [f"class {place}", f"probability {place}"]

    def add(self, name: str, answer: Prediction) -> None:
        """One picture."""
        pairs = list(zip(answer.classes, answer.probabilities, strict=True))
        if self._csv is not None:
            self._rows.append([name, *(value for label, share in pairs for value in (label, round(share, 6)))])
        if self._json:
            shown = [{"class": label, "probability": round(share, 6)} for label, share in pairs]
            print(_as_json({"file": name, "predictions": shown}))
        elif self._csv != _STDIN:
            print(f"{name}: {', '.join(f'{label} {share:.2%}' for label, share in pairs)}")

    def add_unreadable(self, name: str, reason: str) -> None:
        """A picture that gives no answer: no class in the table, and the reason in JSON."""
        if self._csv is not None:
            self._rows.append([name, *("" for _ in self._heads[1:])])
        if self._json:
            print(_as_json({"file": name, "predictions": [], "error": reason}))

    def close(self) -> None:
        """Write the table."""
        from igcnas.system.files import write_text

        if self._csv is None:
            return
        import io

        from igcnas.system.harmless import cell

        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self._heads)
        writer.writerows([cell(value) for value in row] for row in self._rows)
        if self._csv == _STDIN:
            sys.stdout.write(text.getvalue())
        else:
            write_text(Path(self._csv), text.getvalue())
            print(f"wrote {self._csv}", file=sys.stderr)  # standard output holds the answers alone


def _as_json(data: dict[str, Any]) -> str:
    """One line, names as they are; as JSON's escapes where the encoding of the output has no such character."""
    from igcnas.system.streams import can_say

    text = json.dumps(data, ensure_ascii=False)
    return text if can_say(text, sys.stdout) else json.dumps(data)


class _Progress:
    """A bar on a terminal."""

    def __init__(self, output: TextIO, total: int) -> None:
        from igcnas.cli.progress.display import Display, Shown

        self.done = 0
        self.display = Display(
            output, lambda: Shown(done=self.done, total=total, words=f"{self.done:,} of {total:,} pictures")
        )


def _names(given: list[str]) -> list[str]:
    """Every picture by its path, - for standard input; IgcnasError where a path is none, or a folder has no picture."""
    from igcnas.data.reading import picture_files

    names: list[str] = []
    for one in given:
        if one == _STDIN:
            names.append(one)
            continue
        inside = [str(path) for path in picture_files(Path(one))]
        if not inside:
            raise IgcnasError(f"the folder {one!r} holds no picture; give pictures, or a folder of them")
        names += inside
    if names.count(_STDIN) > 1:
        raise IgcnasError("- is given more than once; standard input holds one picture")
    return names


def _read(network: ExportedNetwork, names: list[str]) -> Iterator[_Read]:
    """The pixels of each picture, or why it has none, in order."""
    from igcnas.data.picture import BadPictureError

    def one(name: str) -> _Read:
        try:
            return name, network.read(sys.stdin.buffer.read() if name == _STDIN else name)
        except BadPictureError as error:
            return name, error.reason

    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        yield from pool.map(one, names)


def _answers(network: ExportedNetwork, images: list[np.ndarray[Any, Any]], top: int) -> list[Prediction]:
    import numpy as np

    return network.ranked(network.probabilities(np.stack(images)), top) if images else []
