"""How igcnas search ends: what became of the proposals, the best network and how sure that is, the files."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.cli.common import command_line
from igcnas.cli.standing import audit_json, audit_lines, standing_json, standing_lines
from igcnas.errors import IgcnasError
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.search import Summary
    from igcnas.study import StudySettings


def finish(
    arguments: argparse.Namespace, folder: Path, settings: StudySettings, summary: Summary, *, workers: int
) -> int:
    """Say it; draw; export; the exit status."""
    from igcnas.cli import export, plot
    from igcnas.records import records
    from igcnas.search import audit_spared, standing
    from igcnas.study import open_study

    tally = summary.tally
    if tally.asked:
        print(
            f"proposals {counted(tally.asked, 'structure')}; {tally.misfits} that do not fit and "
            f"{counted(tally.repeats, 'repeat')} cost no "
            f"training; {counted(tally.fallbacks, 'network')} came from elsewhere when the sampler had nothing new"
        )
    if summary.interrupted:
        held = summary.trained + summary.pruned
        print(f"stopped with {held} of {counted(arguments.networks, 'network')}; nothing is lost. To go on:")
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
    files = plot.write(folder)
    if not arguments.no_export and not export.is_current(folder):
        files.append(export.write(folder, None))
    for line in (*audit_lines(audit), *standing_lines(leader)):
        print(line)
    for path in files:
        print(f"wrote     {path}")
    print(f"next      igcnas report {folder} puts all of this on one page")
    if arguments.json:
        champion = leader.first.record
        result = {"study": str(folder), "trained": summary.trained, "failed": summary.failed, "best": champion.number}
        result |= {"pruned": summary.pruned, "repeats": summary.repeats, "exhausted": summary.exhausted}
        result |= {"val_accuracy": leader.first.mean, "sd": leader.first.sd, "n": leader.first.n}
        result |= {"macs": champion.final_macs, "id": champion.architecture.id}
        result |= {"workers": workers}
        result |= {"standing": standing_json(leader), "spared": audit_json(audit), "proposals": asdict(tally)}
        print(json.dumps(result))
    return 0
