"""igcnas latency --fit and --table: what predicts times on this machine, and how well."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.errors import IgcnasError
from igcnas.export.latency.setting import Setting
from igcnas.system.names import joined
from igcnas.units import duration

if TYPE_CHECKING:
    from igcnas.export.latency.table import TimeTable
    from igcnas.results.times.fitting import FitProgress

_EVERY = 10.0  # seconds between two lines


def fit(settings: Sequence[Setting], *, as_json: bool) -> int:
    """Fit a table for each of these; print it."""
    tables = [fitted(setting, say=lambda text: None if as_json else print(text, flush=True)) for setting in settings]
    return _print(tables, as_json)


def show(settings: Sequence[Setting], *, as_json: bool) -> int:
    """Print those that are kept."""
    from igcnas.export.latency.table import known_table

    tables = []
    for setting in settings:
        if (table := known_table(setting)) is None:
            raise IgcnasError(f"no table of times is kept for {setting.words()}; fit one: {fit_command(setting)}")
        tables.append(table)
    return _print(tables, as_json)


def compare(arguments: argparse.Namespace, settings: Sequence[Setting]) -> int:
    """Draw MACs against time; print how they agree."""
    from igcnas.results.times.comparison import compare_macs, every_network, summary
    from igcnas.results.times.figure import save_times
    from igcnas.search.space import load_space
    from igcnas.system.files import write_text

    if len(settings) > 1:
        raise IgcnasError("--compare-macs times in one runtime; leave the others out")
    if arguments.size < 1:
        raise IgcnasError(f"--size {arguments.size} must be at least 1")
    space = load_space(arguments.compare_macs)
    shape = (3, arguments.size, arguments.size)
    path = arguments.out or Path(f"macs-against-time-{joined([space.name])}.png")
    found = compare_macs(space, settings[0], networks=arguments.networks, shape=shape)
    table = path.with_suffix(".csv")
    files = [*save_times(path, found), table]
    write_text(table, every_network(found).csv())
    if arguments.json:
        whole = {"space": found.space, "timed_by": found.words, "files": [str(one) for one in files]}
        print(json.dumps(whole | {"agreements": summary(found).data(), "networks": every_network(found).data()}))
        return 0
    print(f"space     {found.space}, {len(found.points)} networks, {arguments.size}x{arguments.size} images")
    print(f"timed     {found.words}")
    print(summary(found).text())
    print(f"written   {', '.join(map(str, files))}")
    return 0


def fit_command(setting: Setting) -> str:
    """The command that fits a table for a setting."""
    usual = Setting()
    words = ["igcnas latency --fit"]
    for option in ("runtime", "batch", "threads", "device"):
        if getattr(setting, option) != getattr(usual, option):
            words += [f"--{option}", str(getattr(setting, option))]
    return " ".join(words)


def fitted(setting: Setting, say: Callable[[str], None]) -> TimeTable:
    """Fit one. say: told how it goes on."""
    from igcnas.results.times.fitting import SECONDS, fit_table

    say(f"fitting   a table of times for {setting.words()}: random networks are timed for up to {duration(SECONDS)}")
    began = last = time.monotonic()

    def told(progress: FitProgress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _EVERY:
            last = now
            busy = f", {progress.busy} of them beside another program" if progress.busy else ""
            say(f"          {now - began:.0f} s: {progress.done} networks timed{busy}")

    return fit_table(setting, told=told)


def _print(tables: Sequence[TimeTable], as_json: bool) -> int:
    if as_json:
        print(json.dumps({"tables": [asdict(table) for table in tables]}))
        return 0
    for number, table in enumerate(tables):
        print(f"{chr(10) if number else ''}{text(table)}")
    return 0


def text(table: TimeTable) -> str:
    """The table in words: its error, and what kinds of layers cost."""
    from igcnas.export.latency.operators import CALLS, GROUPS, MACS, MOVED, PADDED
    from igcnas.results.table import Column, Table

    errors = (
        Column.words("networks of", lambda one: one.of),
        Column.numbers("n", lambda one: one.networks),
        Column.numbers("median error", lambda one: 100 * one.median, ".0f", unit="%"),
        Column.numbers("90th percentile", lambda one: 100 * one.p90, ".0f", unit="%"),
    )
    costs = (
        Column.words("layers"),
        Column.numbers("a call", lambda kind: 1e6 * table.cost(kind, CALLS), ".0f", unit="ns"),
        Column.numbers("a group", lambda kind: 1e6 * table.cost(kind, GROUPS), ".0f", unit="ns"),
        Column.numbers(
            "a MAC", lambda kind: 1e9 * (table.cost(kind, MACS) + table.cost(kind, PADDED)), ".1f", unit="ps"
        ),
        Column.numbers("a number moved", lambda kind: 1e9 * table.cost(kind, MOVED), ".0f", unit="ps"),
    )
    lines = [
        f"table     {table.words()}",
        f"fitted    to {table.fitted} networks; {table.accuracy()}; the same command again adds networks",
        Table.of(errors, table.errors).text(),
        "",
        Table.of(costs, table.kinds()).text(),
    ]
    return "\n".join(lines)
