"""How igcnas search ends: what became of the proposals, the best network and how sure that is, the files."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.cli.common import command_line
from igcnas.cli.data_lines import balance_lines, data_json
from igcnas.cli.standing import audit_json, audit_lines, standing_json, standing_lines
from igcnas.errors import IgcnasError

if TYPE_CHECKING:
    from igcnas.data.examination import Examined
    from igcnas.search import Summary
    from igcnas.study import StudySettings


def finish(
    arguments: argparse.Namespace,
    folder: Path,
    settings: StudySettings,
    summary: Summary,
    *,
    workers: int,
    examined: Examined,
) -> int:
    """Say it; draw; export; the exit status."""
    from igcnas.records import records
    from igcnas.search import audit_spared, standing
    from igcnas.study import open_study

    tally = summary.tally
    if tally.asked:
        print(
            f"proposals {tally.asked} structures; {tally.misfits} that do not fit and {tally.repeats} repeats cost no "
            f"training; {tally.fallbacks} networks came from elsewhere when the sampler had nothing new"
        )
    if summary.interrupted:
        held = summary.trained + summary.pruned
        print(f"stopped with {held} of {arguments.networks} networks; nothing is lost. To go on:")
        print(f"  {command_line()}")
        return 130
    if summary.exhausted:
        held = summary.trained + summary.pruned
        print(f"the space holds no further network for this budget; the search ends with {held}")
    study = open_study(folder)
    leader = standing(records(study), budget_macs=settings.budget_macs, images=settings.data.validation_images)
    if leader is None:
        raise IgcnasError(f"no network was trained; see the reasons with: igcnas status {folder}")
    audit = audit_spared(study, settings)
    # First, for what follows may fail: a disk that is full, a network that ONNX Runtime computes otherwise.
    for line in (*audit_lines(audit), *standing_lines(leader), *balance_lines(settings.data)):
        print(line, flush=True)
    faults = _files(arguments, folder)
    print(f"next      igcnas report {folder} puts all of this on one page")
    if arguments.json:
        champion = leader.first.record
        result = {"study": str(folder), "trained": summary.trained, "failed": summary.failed, "best": champion.number}
        result |= {"pruned": summary.pruned, "repeats": summary.repeats, "exhausted": summary.exhausted}
        result |= {"val_accuracy": leader.first.mean, "sd": leader.first.sd, "n": leader.first.n}
        result |= {"macs": champion.final_macs, "id": champion.architecture.id}
        result |= {"workers": workers}
        result |= {"standing": standing_json(leader), "spared": audit_json(audit), "proposals": asdict(tally)}
        result |= {"data": data_json(examined, settings.data), "faults": faults}
        print(json.dumps(result))
    return 2 if faults else 0


def _files(arguments: argparse.Namespace, folder: Path) -> list[str]:
    """Write figure, table and export, each said when it is there; what went wrong, which is said, too."""
    from igcnas.cli import export, plot

    def exported() -> list[Path]:
        return [] if arguments.no_export or export.is_current(folder) else [export.write(folder, None)]

    def plotted() -> list[Path]:
        return plot.write(folder)

    faults = []
    for what, again, write in (("figure and table", "plot", plotted), ("export", "export", exported)):
        try:
            for path in write():
                print(f"wrote     {path}")
        except (IgcnasError, OSError) as error:
            reason = " ".join(str(error).split())
            faults.append(f"{what}: {reason}")
            print(
                f"error: {what}: {reason}; the study is whole, try again with: igcnas {again} {folder}",
                file=sys.stderr,
            )
    return faults
