"""Where the numbers come from: data, space, settings, seeds, runs with versions, readings of the test split.

What was not recorded is said to be so. The command of a run is the one that was recorded; without any, a command with
the same settings is put together from those of the study.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from igcnas import __version__
from igcnas.provenance import Run, runs
from igcnas.records import counted
from igcnas.report.content import Section, Table
from igcnas.report.source import Source
from igcnas.report.trust import Trust
from igcnas.report.words import counted as several
from igcnas.report.words import listed, often
from igcnas.settings import GroupingRules
from igcnas.units import duration, mega


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """structures: how many the space holds, widths aside; None for block families that igcnas does not know.

    runs: with the name of what each made, 'search' or a folder; none of a study of before. test_readings: times that the test split was
    read, by what did it; an export counts once, though it may have been made again. command: of a new study like this.
    """

    space: str
    space_fingerprint: str
    structures: int | None
    data: str
    data_fingerprint: str
    input_shape: tuple[int, int, int]
    classes: int
    validation_images: int
    validation_share: float
    budget_macs: int
    objective: str
    sampler: str
    pruner: str
    seed: int
    training: Mapping[str, Any]
    runs: tuple[tuple[str, Run], ...]
    test_readings: Mapping[str, int]
    command: str


def provenance_of(source: Source, trust: Trust) -> Provenance:
    """Of a study and of what was made to check it."""
    settings = source.settings
    readings = trust.test_readings
    if _export_was_tested(source.folder):
        readings = {"export of the best network": 1} | readings
    return Provenance(
        space=settings.space["name"],
        space_fingerprint=fingerprint(settings.space),
        structures=structures(settings.space),
        data=settings.data.name,
        data_fingerprint=settings.data.fingerprint,
        input_shape=settings.data.input_shape,
        classes=len(settings.data.classes),
        validation_images=settings.data.validation_images,
        validation_share=settings.training.validation_fraction,
        budget_macs=settings.budget_macs,
        objective=settings.objective,
        sampler=settings.sampler,
        pruner=settings.pruner,
        seed=settings.seed,
        training=asdict(settings.training),
        runs=tuple(_recorded(source, trust)),
        test_readings=readings,
        command=command_of(source),
    )


def fingerprint(space: Mapping[str, Any]) -> str:
    """That of `SearchSpace.fingerprint`, from the space as the study keeps it."""
    return hashlib.sha256(json.dumps(space, sort_keys=True).encode()).hexdigest()[:16]


def structures(space: Mapping[str, Any]) -> int | None:
    """Structures that the space offers: combinations of choices, each a network at every width."""
    families = importlib.import_module("igcnas.space")
    common = math.prod(len(space[name]) for name in ("growths", "final_sizes", "head_ratios"))
    common *= len(space["depths"]) ** space["stages"]
    total = 0
    for family in space["families"]:
        kind = getattr(families, family["kind"], None)
        if kind is None:
            return None
        fields = {name: tuple(value) if isinstance(value, list) else value for name, value in family.items()}
        del fields["kind"]
        total += common * math.prod(len(options) for options in kind(**fields).axes().values())
    return total


def _recorded(source: Source, trust: Trust) -> Iterator[tuple[str, Run]]:
    """The runs of the search, then those of each audit and retraining, with the name of what they made."""
    yield from (("search", run) for run in runs(source.folder))
    for one in (*trust.audits, *trust.retrainings):
        yield from ((one.folder.name, run) for run in runs(one.folder))


def command_of(source: Source) -> str:
    """A command that searches with the settings of this study; the numbers of networks are what it holds."""
    settings, training = source.settings, source.settings.training
    words = ["igcnas", "search", "--budget-mflops", f"{settings.budget_macs / 1e6:.12g}", "--data", settings.data.spec]
    if settings.data.data_dir is not None:
        words += ["--data-dir", settings.data.data_dir]
    if settings.data.image_size is not None:
        words += ["--image-size", str(settings.data.image_size)]
    words += ["--space", settings.space_path, "--objective", settings.objective, "--sampler", settings.sampler]
    words += ["--networks", str(counted(source.every)), "--epochs", str(training.epochs), "--seed", str(settings.seed)]
    if settings.pruner != "none":
        words += ["--pruner", settings.pruner, "--min-epochs", str(settings.min_epochs)]
    if not settings.baselines:
        words.append("--no-baselines")
    return shlex.join([*words, "--engine", training.engine, "--study", source.name, *_place(source.folder)])


def _place(folder: Path) -> list[str]:
    root = folder.parent
    return [] if root == Path("studies") else ["--studies-dir", str(root)]


def _export_was_tested(folder: Path) -> bool:
    try:
        data = json.loads((folder / "best" / "architecture.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and bool(data.get("test_accuracy"))


def provenance_section(source: Source, found: Provenance) -> Section:
    """Words, settings, runs, and the commands that make everything again."""
    tables = [_settings_table(found)]
    if found.runs:
        tables.append(_runs_table(found))
    return Section(
        key="provenance",
        title="Where the numbers come from",
        paragraphs=(_runs_words(found), _test_words(found), _again_words(found)),
        tables=tuple(tables),
        commands=_commands(source, found),
    )


def _runs_words(found: Provenance) -> str:
    if not found.runs:
        return (
            "Which versions, machine and commands made this study was not recorded: it is from before igcnas kept "
            f"that. This page was written by igcnas {__version__}."
        )
    last = found.runs[-1][1]
    versions = sorted({(run.igcnas, run.commit) for _, run in found.runs})
    said = [f"{version} ({commit})" if commit else version for version, commit in versions]
    packages = listed([f"{name} {version}" for name, version in last.packages.items()])
    return (
        f"Made by igcnas {listed(said)} in {several(len(found.runs), 'run')}, on Python {last.python} with "
        f"{packages or 'packages of unknown versions'} ({last.platform}; {last.processor}, "
        f"{several(last.cores, 'core')}). This page was written by igcnas {__version__}."
    )


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
        "With one worker and on the same machine the same command proposes the same networks and trains them to the "
        "same bits; with several it depends on which training ends first."
    )
    if found.runs:
        return f"The commands below are those that were given, then those that make each part of this page. {exact}"
    return (
        "The first command below has the settings of this study, put together from them (its numbers of seeds and "
        f"repeats are not kept); the others make each part of this page. {exact}"
    )


def _commands(source: Source, found: Provenance) -> tuple[str, ...]:
    given = [run.command for _, run in found.runs] or [found.command]
    again = ("status {}", "plot {}", "importance {}", "audit {}", "retrain {}", "report {}")
    return (*dict.fromkeys(given), *(source.command(words) for words in again))


def _settings_table(found: Provenance) -> Table:
    channels, height, width = found.input_shape
    training = {key: value for key, value in found.training.items() if key != "grouping"}
    usual = asdict(GroupingRules())
    rules = {key: value for key, value in found.training["grouping"].items() if value != usual[key]}
    size = "" if found.structures is None else f"; {found.structures:,} structures, each at every width"
    rows = [
        ("search space", f"{found.space} (fingerprint {found.space_fingerprint}{size})"),
        ("data", f"{found.data}: {channels} x {height} x {width}, {found.classes} classes"),
        ("fingerprint of the data", found.data_fingerprint),
        (
            "validation split",
            f"{found.validation_images:,} images ({100 * found.validation_share:g} %), drawn by the seed",
        ),
        ("budget", f"{mega(found.budget_macs)} MFLOPs (multiply-accumulates of convolutions and linear layers)"),
        ("objective", found.objective),
        ("sampler", found.sampler),
        ("pruner", found.pruner),
        ("seed", str(found.seed)),
        ("training", _words(training)),
        ("learned groups", _words(rules) or "by the default rules"),
    ]
    return Table(caption="Settings", columns=("what", "value"), rows=tuple(rows), numeric=(False, False))


def _words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())


def _runs_table(found: Provenance) -> Table:
    rows = tuple(
        (
            what,
            run.began,
            "killed, or not ended" if run.seconds is None else duration(run.seconds),
            str(run.workers),
            listed(run.devices) or "-",
            run.engine or "-",
            f"{run.igcnas} {run.commit}".strip(),
        )
        for what, run in found.runs
    )
    return Table(
        caption="Runs",
        columns=("of", "began (UTC)", "took", "workers", "devices", "engine", "igcnas"),
        rows=rows,
        numeric=(False, False, True, True, False, False, False),
    )
