"""igcnas latency: how long networks take, in the runtimes that will run them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.cli.common import add_studies_dir
from igcnas.errors import IgcnasError
from igcnas.export.latency.setting import RUNTIMES, Setting
from igcnas.units import mega

if TYPE_CHECKING:
    from igcnas.export.latency.table import TimeTable
    from igcnas.export.latency.timing import Timing
    from igcnas.results.table import Column
    from igcnas.results.timing import Subject

    # A network, its time, and milliseconds as predicted.
    Row = tuple[Subject, Timing, float | None]

EPILOG = """A time holds for its runtime, batch, threads and machine. It is remembered with them, and not
measured twice; --again measures it. One network is timed at a time, whichever programs of yours time some.

examples:
  %(prog)s NAME
  %(prog)s NAME --front 3 --runtime onnx c
  %(prog)s studies/NAME/best --batch 32 --threads 2
  %(prog)s --family igc L=24 M=2 depth=20 --runtime onnx c torch
  %(prog)s --fit --runtime onnx c
  %(prog)s --compare-macs igcv3 --networks 40
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "latency",
        help="how long networks take in the runtime that will run them",
        description="Times exported networks: single calls, in about half a second, their median and interquartile "
        "range (IQR).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "what",
        nargs="*",
        metavar="WHAT",
        help="a study by its name or folder, which means its best network; or the folder of an export",
    )
    add_studies_dir(parser)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--trial", type=int, nargs="+", metavar="NUMBER", help="these networks of a study instead of its best"
    )
    chosen.add_argument("--front", type=int, metavar="K", help="K networks of the front of a study, spread along it")
    chosen.add_argument(
        "--family",
        nargs="+",
        metavar="FAMILY key=value",
        help="in place of WHAT: this network with its first weights (see igcnas networks)",
    )
    add(
        "--runtime",
        nargs="+",
        default=["onnx"],
        metavar="NAME",
        help=f"what runs them, several for a row each: {', '.join(RUNTIMES)}. Of a folder, c and torch run "
        "the programs that are there: only of folders that you trust (default: onnx)",
    )
    add("--device", default="cpu", metavar="NAME", help="cpu, or for onnx and torch cuda or cuda:N (default: cpu)")
    add("--batch", type=int, default=1, metavar="N", help="images of one call (default: 1)")
    add("--threads", type=int, default=1, metavar="N", help="threads of the runtime on a CPU (default: 1)")
    several = parser.add_mutually_exclusive_group()
    several.add_argument(
        "--fit",
        action="store_true",
        help="in place of WHAT: time random networks of every family, in two to three minutes, and keep a table that "
        "predicts the time of any network in this runtime on this machine (--budget-ms searches by it)",
    )
    several.add_argument(
        "--table",
        action="store_true",
        help="in place of WHAT: what is kept of --fit, what each kind of layer costs by it, and its error for networks "
        "that were not fitted",
    )
    several.add_argument(
        "--compare-macs",
        nargs="?",
        const="all",
        metavar="SPACE",
        help="in place of WHAT: time random networks of a search space and say how well MACs rank them by time; writes "
        "a figure and a table (without a name: all)",
    )
    add("--networks", type=int, default=60, metavar="N", help="of --compare-macs (default: %(default)s)")
    add(
        "--size", type=int, default=32, metavar="N", help="of its images, N x N pixels in colour (default: %(default)s)"
    )
    add("--out", type=Path, metavar="FILE.png", help="its figure (default: macs-against-time-SPACE.png)")
    add("--again", action="store_true", help="measure what is remembered, too")
    add("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Time; print a row for each network and runtime."""
    settings = [
        Setting(runtime=name, batch=arguments.batch, threads=arguments.threads, device=arguments.device)
        for name in dict.fromkeys(arguments.runtime)
    ]
    for setting in settings:
        setting.require()  # refused before anything is timed
    from igcnas.export.latency.table import known_table

    if arguments.fit or arguments.table or arguments.compare_macs is not None:
        from igcnas.cli import times

        if arguments.compare_macs is not None:
            _refuse_names(arguments, "--compare-macs")
            return times.compare(arguments, settings)
        _refuse_names(arguments, "--fit" if arguments.fit else "--table")
        return (times.fit if arguments.fit else times.show)(settings, as_json=arguments.json)
    tables = {setting: known_table(setting) for setting in settings}
    found = [
        (subject, subject.time(setting, arguments.again), _predicted(tables[setting], subject))
        for subject in _subjects(arguments)
        for setting in settings
    ]
    if arguments.json:
        print(json.dumps({"timings": [_plain(row) for row in found]}))
        return 0
    from igcnas.results.table import Table

    for subject in dict.fromkeys(subject for subject, _, _ in found):
        print(f"network   {subject.name}: {subject.label}; {mega(subject.macs)} MFLOPs (millions of MACs)")
    print(f"machine   {found[0][1].machine}; {settings[0].words().removeprefix(settings[0].title + ', ')}")
    several = len({subject for subject, _, _ in found}) > 1
    print(Table.of(_columns(several=several, tables=any(tables.values())), found).text())
    if any(timing.latency.quiet is False for _, timing, _ in found):
        print("busy: another program had the core meanwhile, which makes times longer; such times are not remembered")
    return 0


def _refuse_names(arguments: argparse.Namespace, option: str) -> None:
    """IgcnasError where what is timed is named beside an option that stands in its place."""
    named = arguments.what or arguments.family
    if named:
        raise IgcnasError(f"{option} stands in place of {named[0]!r}; give one")


def _subjects(arguments: argparse.Namespace) -> Iterator[Subject]:
    """What is timed."""
    from igcnas.network.exported import FILE
    from igcnas.results.timing import of_architecture, of_export, of_study

    if arguments.family is not None:
        from igcnas.network.literature import family

        if arguments.what:
            raise IgcnasError(f"--family {arguments.family[0]} stands in place of {arguments.what[0]!r}; give one")
        name, *parameters = arguments.family
        yield of_architecture(family(name).from_text(parameters), name=" ".join(arguments.family))
        return
    if not arguments.what:
        raise IgcnasError("nothing is named; give a study, the folder of an export, or --family for a network")
    for what in arguments.what:
        if (Path(what) / FILE).is_file():
            if arguments.trial is not None or arguments.front is not None:
                raise IgcnasError(f"{what} is an export of one network; --trial and --front are for studies")
            yield of_export(Path(what))
            continue
        from igcnas.search.folder import find_study
        from igcnas.search.study import Study

        study = Study.read(find_study(what, arguments.studies_dir))
        for number in _numbers(arguments, study):
            yield of_study(study, study.trained_record(number))


def _numbers(arguments: argparse.Namespace, study: Any) -> list[int | None]:
    """Which networks of a study; None is its best."""
    if arguments.front is None:
        return [None] if arguments.trial is None else list(dict.fromkeys(arguments.trial))
    from igcnas.results.finishing.plan import some_of_the_front

    found: list[int | None] = [one.record.number for one in some_of_the_front(study, arguments.front)]
    if not found:
        raise IgcnasError(f"the front of study {study.name!r} is empty; run the search first")
    return found


def _columns(*, several: bool, tables: bool) -> list[Column]:
    from igcnas.results.table import Column

    quiet = {None: "-", True: "quiet", False: "busy"}
    name = [Column.words("network", lambda row: row[0].name)] if several else []
    predicted = [Column.numbers("predicted", lambda row: row[2], ".4g", unit="ms")] if tables else []
    return [
        *name,
        Column.words("runtime", lambda row: row[1].version),
        Column.numbers("median", lambda row: row[1].latency.median_ms, ".4g", unit="ms"),
        *predicted,
        Column.numbers("IQR", lambda row: row[1].latency.iqr_ms, ".2g", unit="ms"),
        Column.numbers("runs", lambda row: row[1].latency.runs),
        Column.numbers("images/s", _images, ".4g"),
        Column.numbers("GFLOP/s", _gflops, ".3g"),
        Column.words("machine", lambda row: quiet[row[1].latency.quiet]),
        Column.words("measured", lambda row: "before" if row[1].remembered else "now"),
    ]


def _predicted(table: TimeTable | None, subject: Subject) -> float | None:
    """Milliseconds; None without a table."""
    from igcnas.network.plan import plan

    return None if table is None else table.predict(plan(subject.architecture))


def _images(row: Row) -> float:
    """Images a second."""
    return 1000 * row[1].setting.batch / row[1].latency.median_ms


def _gflops(row: Row) -> float:
    """Two operations a multiply-accumulate."""
    return 2e-9 * row[0].macs * _images(row)


def _plain(row: Row) -> dict[str, Any]:
    subject, timing, predicted = row
    return {
        "network": subject.name,
        "label": subject.label,
        "macs": subject.macs,
        **asdict(timing.setting),
        "version": timing.version,
        "machine": timing.machine,
        **asdict(timing.latency),
        **({} if predicted is None else {"predicted_ms": predicted}),
        "images_per_second": _images(row),
        "gflops": _gflops(row),
        "remembered": timing.remembered,
    }
