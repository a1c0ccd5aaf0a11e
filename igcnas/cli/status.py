"""igcnas status: what a study holds, also while it runs."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from operator import itemgetter
from textwrap import indent
from typing import TYPE_CHECKING, Any

from igcnas.cli.common import add_studies_dir, mega, study_folder
from igcnas.cli.data_lines import balance_lines
from igcnas.cli.standing import export_lines, spared_json, spared_lines, standing_json, standing_lines
from igcnas.cli.training_lines import training_json, training_lines
from igcnas.results.table import Column, Table
from igcnas.search.objective import MACS, Objective

if TYPE_CHECKING:
    from igcnas.search.study import Study


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "status",
        help="what a study holds: networks, front, best so far",
        description="Networks trained, pruned, failed and running, the front by the mean over seeds, how often pruning "
        "was wrong, and the best network with the probability that it is. Without NAME: all studies.",
    )
    parser.add_argument("study", metavar="NAME", nargs="?", help="name of a study, or the path of its folder")
    add_studies_dir(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    from igcnas.search.settings import study_names

    if arguments.study is None:
        names = study_names(arguments.studies_dir)
        print(json.dumps(names) if arguments.json else "\n".join(names) or f"no study in {arguments.studies_dir}")
        return 0

    from igcnas.search.records import exports_of
    from igcnas.search.spared import count_spared
    from igcnas.search.study import Study

    folder = study_folder(arguments)
    study = Study.read(folder)
    settings, every, leader = study.settings, study.records, study.standing
    audit = count_spared(study)
    counts = _counts(study)
    interrupted = 0 if study.in_use else counts["running"]
    if arguments.json:
        found: dict[str, Any] = {"study": folder.name, **_limits(study), **counts, "interrupted": interrupted}
        found |= {"objective": settings.objective, "sampler": settings.sampler, "pruner": settings.pruner}
        found |= training_json(settings)
        found |= {"front": _front(study), "standing": standing_json(leader), "spared": spared_json(audit)}
        found |= {"tested": [asdict(one) for one in exports_of(folder)]}
        print(json.dumps(found))
        return 0
    print(
        f"study {folder.name}: budget {study.budget.words()}, data {settings.data.name}, objective "
        f"{settings.objective}, sampler {settings.sampler}"
    )
    for line in training_lines(settings):
        print(line)
    if study.timed_by:
        print(f"latency   {study.timed_by}")
    said = {"running": "interrupted"} if interrupted else {}
    told = ", ".join(f"{number} {said.get(word, word)}" for word, number in counts.items() if word != "over_budget")
    print(f"{told}{'; the same command goes on' if interrupted else ''}")
    if counts["over_budget"]:
        over = counts["over_budget"]
        print(f"{over} trained came out over the budget: training chose their groups; they are not in the front")
    front = _front(study)
    if front:
        print(indent(Table.of(_columns(study.objective, study.measure), front).text(), "  "))
    exports = export_lines(exports_of(folder))
    leading = standing_lines(leader, study.costs, study.measure) if leader else []
    leading += balance_lines(settings.data, study.measure) if leader else []
    for line in (*spared_lines(audit), *leading, *exports):
        print(line)
    for record in every:
        if record.state == "running":
            again = f"seed {record.repeat + 1} of network {record.repeat_of}: " if record.repeat else ""
            how = "interrupted" if interrupted else "in training"
            print(f"  {record.number:>4}  {how}: {again}{record.baseline or record.architecture.label()}")
    for record in every:
        if record.state == "failed":
            print(f"  {record.number:>4}  failed: {record.reason}")
    return 0


def _limits(study: Study) -> dict[str, int]:
    return {f"budget_{name}": most for name, most in study.budget.limits.items()}


def _counts(study: Study) -> dict[str, int]:
    from igcnas.search.records import repeats, trained

    every = study.records

    return {
        "trained": len(trained(every)),
        "failed": sum(r.state == "failed" for r in every),
        "running": sum(r.state == "running" for r in every),
        "pruned": sum(r.state == "pruned" for r in every),
        "repeats": sum(r.state == "complete" for r in repeats(every)),
        "over_budget": sum(not r.within(study.budget) for r in trained(every)),
    }


def _front(study: Study) -> list[dict[str, Any]]:
    """The front by the mean over seeds, cheapest first."""
    return [
        {
            "number": one.record.number,
            "macs": one.record.final_macs,
            "params": one.record.final_params,
            "latency_ms": one.record.latency_ms,
            "cost": study.objective.cost(one.record),
            "val_accuracy": one.mean,
            "sd": one.sd,
            "n": one.n,
            "id": one.record.architecture.id,
            "canonical_id": one.record.canonical_id,
            "label": one.record.architecture.label(),
            "baseline": one.record.baseline,
            "steps": one.record.steps,
        }
        for one in study.front
    ]


def _columns(objective: Objective, measure: str) -> list[Column]:
    """What is shown of a network of the front; costs that the budget does not limit have a column of their own."""
    axis = objective.axis
    costs = [] if axis is MACS else [Column.numbers(axis.unit, lambda row: row["cost"] / axis.size, ".3f")]
    return [
        Column.numbers("network", itemgetter("number")),
        Column.numbers("MFLOPs", itemgetter("macs"), mega),
        *costs,
        Column.numbers(measure, itemgetter("val_accuracy"), ".2f", unit="%"),
        Column.numbers("sd", itemgetter("sd"), ".2f"),
        Column.numbers("n", itemgetter("n")),
        Column.words("what it is", lambda row: row["baseline"] or row["label"]),
    ]
