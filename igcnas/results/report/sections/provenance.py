"""Where the numbers come from, in words, with the settings, the runs, and the commands that make everything again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from igcnas import __version__
from igcnas.network.budget import Budget
from igcnas.network.grouping.rules import GroupingRules
from igcnas.results.report.content import Section
from igcnas.results.report.numbers.provenance import SEARCH, Provenance
from igcnas.results.report.words import counted, listed, often
from igcnas.results.table import Column, Table
from igcnas.search.study import Study
from igcnas.system.harmless import without_folders
from igcnas.units import duration

_MACHINES = ("x86_64", "AMD64", "aarch64", "arm64", "ppc64le", "riscv64", "i686")


def provenance_section(study: Study, found: Provenance) -> Section:
    """Words, settings, runs, and the commands that make everything again."""
    tables = [_settings_table(found)]
    if found.runs:
        tables.append(_runs_table(found))
    return Section(
        key="provenance",
        title="Where the numbers come from",
        paragraphs=(_runs_words(found), _test_words(found), _again_words(found)),
        tables=tuple(tables),
        commands=_commands(study, found),
    )


def _runs_words(found: Provenance) -> str:
    if not found.runs:
        return (
            "Which versions, machine and commands made this study was not recorded: it is from before igcnas kept "
            f"that. This page was written by igcnas {__version__}."
        )
    last = next((run for what, run in reversed(found.runs) if what == SEARCH), found.runs[-1][1])
    versions = sorted({(run.igcnas, run.commit) for _, run in found.runs})
    said = [f"{version} ({commit})" if commit else version for version, commit in versions]
    packages = listed([f"{name} {version}" for name, version in last.packages.items()])
    return (
        f"Made by igcnas {listed(said)} in {counted(len(found.runs), 'run')}, on Python {last.python} with "
        f"{packages or 'packages of unknown versions'} ({_system(last.platform)}; {last.processor}, "
        f"{counted(last.cores, 'core')}). This page was written by igcnas {__version__}."
    )


def _system(platform: str) -> str:
    """Linux x86_64, of Linux-6.8.0-45-generic-x86_64-with-glibc2.35: the kernel of a host is not for every reader."""
    kind = platform.partition("-")[0]
    machine = next((name for name in _MACHINES if name.lower() in platform.lower()), "")
    return f"{kind} {machine}".strip()


def _test_words(found: Provenance) -> str:
    never = "Searching, repeating and auditing read training and validation images alone."
    if not found.test_readings:
        return f"{never} The test split was not read for this study."
    parts = listed([f"{often(times)} by the {what}" for what, times in found.test_readings.items()])
    return (
        f"{never} The test split was read {parts}; an export that is made again reads it again, which is not counted."
    )


def _again_words(found: Provenance) -> str:
    exact = (
        "With one worker, on the same CPU, the same command proposes the same networks and trains them to the same "
        "bits; with several workers it depends on which training ends first."
    )
    if found.runs:
        return (
            "The commands below are those that were given, without the folders of the machine (runs.jsonl beside the "
            f"study has them), then those that make each part of this page. {exact}"
        )
    return (
        "The first command below has the settings of this study, put together from them (its numbers of seeds and "
        f"repeats are not kept); the others make each part of this page. {exact}"
    )


def _commands(study: Study, found: Provenance) -> tuple[str, ...]:
    given = [run.command for _, run in found.runs] or [found.command]
    again = ("status {}", "plot {}", "importance {}", "audit {}", "retrain {}", "report {}")
    made = (*dict.fromkeys(given), *(study.command(words) for words in again))
    return tuple(dict.fromkeys(without_folders(command) for command in made))


def _settings_table(found: Provenance) -> Table:
    channels, height, width = found.input_shape
    training = {key: value for key, value in found.training.items() if key not in ("grouping", "recipe")}
    usual = asdict(GroupingRules())
    rules = {key: value for key, value in found.training["grouping"].items() if value != usual[key]}
    size = "" if found.structures is None else f"; {counted(found.structures, 'structure')}, each at every width"
    rows = [
        ("search space", f"{found.space} (fingerprint {found.space_fingerprint}{size})"),
        ("data", f"{found.data}: {channels} x {height} x {width}, {counted(found.classes, 'class', 'classes')}"),
        ("fingerprint of the data", found.data_fingerprint),
        (
            "validation split",
            counted(found.validation_images, "image")
            + (
                ", the data's own"
                if found.validation_share is None
                else f" ({100 * found.validation_share:g} %), drawn by the seed"
            ),
        ),
        ("budget", _budget(found.budget)),
        ("objective", found.objective),
        ("sampler", found.sampler),
        ("pruner", found.pruner),
        ("seed", str(found.seed)),
        ("recipe", found.recipe),
        *([("recipe as tuned", found.tuned)] if found.tuned else []),
        ("training", _words(training)),
        ("learned groups", _words(rules) or "by the default rules"),
    ]
    return Table(caption="Settings", columns=(Column.words("what"), Column.words("value")), rows=tuple(rows))


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())


def _runs_table(found: Provenance) -> Table:
    return Table.of(_RUNS, found.runs, caption="Runs")


_RUNS = (
    Column.words("of", lambda run: run[0]),
    Column.words("began (UTC)", lambda run: run[1].began),
    Column.numbers("took", lambda run: "killed, or not ended" if run[1].seconds is None else duration(run[1].seconds)),
    Column.numbers("workers", lambda run: run[1].workers),
    Column.words("devices", lambda run: listed(run[1].devices) or "-"),
    Column.words("engine", lambda run: run[1].engine or "-"),
    Column.words("igcnas", lambda run: f"{run[1].igcnas} {run[1].commit}".strip()),
)


def _budget(budget: Budget) -> str:
    explained = " (multiply-accumulates of convolutions and linear layers)"
    return budget.words().replace("MFLOPs", f"MFLOPs{explained}", 1)
