"""igcnas importance: which choices of a search space matter, and which values are better, at equal MACs."""

from __future__ import annotations

import argparse
import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.cli.common import add_study_argument, study_folder
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.results.importance import Choice, Effect, Report

# As in igcnas.results.importance.EVALUATORS, which loads optuna.
_EVALUATORS = ("fanova", "ped-anova", "mdi")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "importance",
        help="which choices of a search matter, and which values are better",
        description="From the searched networks of a study: how much each choice matters, and how many percent fewer "
        "errors each value makes than the average network of the same MACs, the other choices being equal. Writes "
        "importance.png, importance.svg and importance.csv into the folder of the study; works while it runs. See "
        "docs/importance.md.",
    )
    add_study_argument(parser)
    parser.add_argument(
        "--evaluator",
        choices=_EVALUATORS,
        default=_EVALUATORS[0],
        help="of importance, by Optuna: fanova (share of the variance), ped-anova (what sets the best quarter apart), "
        "mdi (splits of a forest) (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the resamplings (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run, unread="the files are still written")


def run(arguments: argparse.Namespace) -> int:
    """Print the report and write both files."""
    from igcnas.results.importance import analyse, samples_of
    from igcnas.results.importance.figure import save_importance
    from igcnas.results.importance.keeping import keep
    from igcnas.results.importance.table import to_dict, to_frame
    from igcnas.search.study import Study
    from igcnas.system.files import write_text
    from igcnas.system.harmless import cells

    folder = study_folder(arguments)
    study = Study.read(folder)
    samples = samples_of(study)
    report = analyse(samples, evaluator=arguments.evaluator, seed=arguments.seed)
    table = folder / "importance.csv"
    title = f"{folder.name}: what matters among {report.n} searched networks on {study.settings.data.name}"
    pictures = save_importance(folder / "importance.png", report, title=title)
    write_text(table, cells(to_frame(report)).to_csv(index=False, lineterminator="\n"))
    keep(folder, samples, report)
    if arguments.json:
        print(
            json.dumps({"study": folder.name, **to_dict(report), "files": [str(path) for path in (*pictures, table)]})
        )
        return 0
    _show(report, folder.name, [*pictures, table])
    return 0


def _show(report: Report, name: str, files: list[Path]) -> None:
    print(f"study {name}: {report.n} searched networks; errors at equal MACs, importance by {report.evaluator}")
    for scope, choices in groupby(report.choices, key=lambda choice: choice.scope):
        several = list(choices)
        print(f"\n{'within ' + scope if scope else 'all block types'}, {counted(several[0].n, 'network')}")
        for choice in several:
            print(f"  {_importance(choice, alone=len(several) == 1)}  {choice.label}")
            for effect in choice.effects:
                print(f"      {effect.value:>16}  {_effect(effect)}")
    print()
    if report.too_few:
        few = ", ".join(f"{scope} ({number})" for scope, number in report.too_few.items())
        print(f"too few networks to look inside: {few}")
    if not any(choice.shown for choice in report.choices):
        print("no choice matters more than chance explains; with more networks that may change")
    for path in files:
        print(path)


def _importance(choice: Choice, *, alone: bool) -> str:
    if alone:
        return f"{'':5}{'the only choice':20}"
    verdict = "" if choice.shown else "not above chance" if choice.comparable else "too few networks"
    return f"{100 * choice.share:3.0f} % ({100 * choice.low:.0f} to {100 * choice.high:.0f}) {verdict}".ljust(25)


def _effect(effect: Effect) -> str:
    words = f"{abs(effect.fewer_percent):3.0f} % {'fewer' if effect.fewer_percent >= 0 else 'more '} errors"
    interval = "too few for an interval" if effect.low != effect.low else f"{-effect.high:+.0f} to {-effect.low:+.0f} %"
    return f"{words} ({interval}; n = {effect.n})"
