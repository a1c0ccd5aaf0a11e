"""igcnas status: what a study holds, also while it runs."""

from __future__ import annotations

import argparse
import json

from igcnas.cli.common import add_studies_dir, mega, study_folder


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "status",
        help="what a study holds: networks, front, best so far",
        description="Networks trained, failed and running, the front, and the best network. Without NAME: all studies.",
    )
    parser.add_argument("study", metavar="NAME", nargs="?", help="name of a study, or the path of its folder")
    add_studies_dir(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    from igcnas.study import study_names

    if arguments.study is None:
        names = study_names(arguments.studies_dir)
        print(json.dumps(names) if arguments.json else "\n".join(names) or f"no study in {arguments.studies_dir}")
        return 0

    from igcnas.records import front, records, trained
    from igcnas.study import StudySettings, open_study

    folder = study_folder(arguments)
    settings = StudySettings.read(folder)
    every = records(open_study(folder))
    best = front(every, settings.budget_macs)
    counts = {
        "trained": len(trained(every)),
        "failed": sum(r.state == "failed" for r in every),
        "running": sum(r.state == "running" for r in every),
        "over_budget": sum(not r.within(settings.budget_macs) for r in trained(every)),
    }
    rows = [
        {
            "number": r.number,
            "macs": r.final_macs,
            "params": r.params,
            "val_accuracy": r.val_accuracy,
            "id": r.architecture.id,
        }
        | {"label": r.architecture.label(), "baseline": r.baseline}
        for r in best
    ]
    if arguments.json:
        print(json.dumps({"study": folder.name, "budget_macs": settings.budget_macs, **counts, "front": rows}))
        return 0
    print(f"study {folder.name}: budget {mega(settings.budget_macs)} MFLOPs, data {settings.data.name}")
    print(", ".join(f"{number} {word}" for word, number in counts.items() if word != "over_budget"))
    if counts["over_budget"]:
        print(f"{counts['over_budget']} trained came out over the budget: training chose their MACs; not in the front")
    for record in best:
        name = record.baseline or record.architecture.label()
        print(f"  {record.number:>4}  {mega(record.final_macs):>7} MFLOPs  {record.val_accuracy:6.2f} %  {name}")
    for record in every:
        if record.state == "failed":
            print(f"  {record.number:>4}  failed: {record.reason}")
    return 0
