"""How igcnas search ends: what became of the proposals, the best network and how sure that is, the files."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.cli.common import command_line
from igcnas.cli.data_lines import balance_lines, data_json
from igcnas.cli.output import begin_result, end_result
from igcnas.cli.standing import spared_json, spared_lines, standing_json, standing_lines
from igcnas.errors import IgcnasError
from igcnas.system import program
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.cli.common import Stop
    from igcnas.data.examination import Examined
    from igcnas.search.report import Summary
    from igcnas.search.settings import StudySettings
    from igcnas.search.study import Study


def finish(
    arguments: argparse.Namespace,
    folder: Path,
    settings: StudySettings,
    summary: Summary,
    *,
    workers: int,
    stop: Stop,
    examined: Examined,
) -> int:
    """Say it; draw; export; the exit status.

    What was found is said before anything is written: no disk and no signal takes it away.
    """
    from igcnas.search.spared import count_spared
    from igcnas.search.study import Study

    tally = summary.tally
    if tally.asked:
        print(
            f"proposals {counted(tally.asked, 'candidate')}: {tally.misfits} outside the budget and "
            f"{counted(tally.repeats, 'duplicate')}, not trained"
            + (
                f"; {counted(tally.fallbacks, 'network')} drawn at random, the sampler having no new one"
                if tally.fallbacks
                else ""
            )
        )
    begin_result()
    if summary.interrupted:
        held = summary.trained + summary.pruned
        print(f"stopped with {held} of {counted(arguments.networks, 'network')}; nothing is lost. To go on:")
        print(f"  {command_line()}")
        return stop.status
    if summary.exhausted:
        held = summary.trained + summary.pruned
        print(f"the space holds no further network for this budget; the search ends with {held}")
    study, place = Study.read(folder), shlex.quote(str(folder))
    leader = study.standing
    if leader is None:
        raise IgcnasError(f"no network was trained; see the reasons with: igcnas status {place}")
    audit = count_spared(study)
    for line in (
        *spared_lines(audit),
        *standing_lines(leader, study.costs, study.measure),
        *balance_lines(settings.data, study.measure),
    ):
        print(line, flush=True)
    status, faults = _write(study, exports=not arguments.no_export, stop=stop)
    if not status:
        print(f"next      igcnas report {place} puts all of this on one page")
        if not arguments.finish:
            print(f"          igcnas finish {place} trains the best network to the end on all data, for use")
    result: dict[str, Any] = {}
    if arguments.json:
        champion = leader.first.record
        result |= {"study": str(folder), "trained": summary.trained, "failed": summary.failed, "best": champion.number}
        result |= {"pruned": summary.pruned, "repeats": summary.repeats, "exhausted": summary.exhausted}
        result |= {"val_accuracy": leader.first.mean, "sd": leader.first.sd, "n": leader.first.n}
        result |= {"metric": settings.training.metric}
        result |= {"macs": champion.final_macs, "id": champion.architecture.id}
        result |= {"workers": workers}
        result |= {"standing": standing_json(leader), "spared": spared_json(audit), "proposals": asdict(tally)}
        result |= {"data": data_json(examined, settings.data), "faults": faults}
    if arguments.finish and not status:
        from igcnas.cli.finish import after_search

        end_result()
        status, result["finished"] = after_search(arguments, study)
        begin_result()
    if arguments.json:
        print(json.dumps(result))
    return status


def _write(study: Study, *, exports: bool, stop: Stop) -> tuple[int, list[str]]:
    """The figure, the table, the export. The status, of a signal, which cuts it off, or of a step that failed; why."""
    from igcnas.cli import export, plot
    from igcnas.results.best import is_current

    steps: dict[str, Callable[[], list[Path]]] = {"plot": lambda: plot.write(study)}
    if exports:
        steps["export"] = lambda: [] if is_current(study) else [export.write(study, None)]
    left = [f"igcnas {name} {shlex.quote(str(study.folder))}" for name in steps]
    status = 0
    faults: list[str] = []
    for number, (name, step) in enumerate(steps.items()):
        try:
            with stop.at_once():
                for path in step():
                    print(f"wrote     {path}", flush=True)
        except KeyboardInterrupt:
            print(f"stopped; every network is trained. What is left: {'; '.join(left[number:])}")
            return stop.status, [*faults, "stopped"]
        except Exception as error:  # whatever a disk or a library makes of it, the other step and the result are due
            failed, line = program.message(error)
            faults.append(f"{name}: {line}")
            print(f"error: {faults[-1]}; the networks are safe, again with: {left[number]}", file=sys.stderr)
            status = status or failed
    return status, faults
