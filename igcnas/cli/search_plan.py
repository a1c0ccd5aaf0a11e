"""What igcnas search is about to do, and how long that will take, from a few steps of the networks that will come."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from igcnas import units
from igcnas.cli.data_lines import balance_lines, drawn_by_seed, split_lines
from igcnas.cli.progress.clock import Clock
from igcnas.cli.recipe_options import recipe_notes
from igcnas.cli.search_options import allowed_repeats
from igcnas.cli.training_lines import training_lines

if TYPE_CHECKING:
    from igcnas.data.examination import Examined
    from igcnas.network.architecture import Architecture
    from igcnas.search.controller import Search
    from igcnas.search.evaluation import ProcessEvaluator
    from igcnas.search.records import TrialRecord
    from igcnas.search.settings import StudySettings
    from igcnas.search.worker import Probed

_SAMPLES = 40  # networks drawn at random, for what sorts are common and how large they are


def announce(
    arguments: argparse.Namespace,
    search: Search,
    evaluator: ProcessEvaluator,
    settings: StudySettings,
    every: list[TrialRecord],
    examined: Examined,
) -> Clock:
    """Say what is about to happen and for how long, from a few steps of the known networks and of one of each sort."""
    from igcnas.search.expected import mean_seconds, to_measure
    from igcnas.search.records import counted, repeats
    from igcnas.search.timing import timed_by

    done, again = counted(every), allowed_repeats(arguments)
    known = [one.fit.architecture for one in search.known_networks()]
    seen = {record.architecture.id for record in every}
    new = [network for network in known if network.id not in seen][: max(0, arguments.networks - done)]
    samples = search.samples(_SAMPLES)
    looked_at = to_measure(samples, new)
    probed = evaluator.probe(looked_at)
    measured = list(zip(looked_at, probed.seconds, strict=True)) if probed is not None else []
    if probed is not None and arguments.workers == "auto":
        _keep_affordable(evaluator, probed)
    clock = Clock(
        done,
        arguments.networks,
        mean_seconds(samples, measured),
        {network.id: seconds for network, seconds in measured[: len(new)]} or dict.fromkeys((n.id for n in new), 0.0),
        repeats=max(0, again - len(repeats(every))),
        workers=evaluator.slots,
    )
    shape = "x".join(map(str, settings.data.input_shape))
    print(
        f"data      {settings.data.name}: {shape}, {units.counted(len(settings.data.classes), 'class', 'classes')}, "
        f"{settings.data.validation_images} validation images"
    )
    drawn = drawn_by_seed(settings.training.validation_fraction, in_groups=settings.data.groups is not None)
    for line in (*split_lines(examined, drawn=drawn), *balance_lines(settings.data, settings.measure)):
        print(line)
    print(
        f"space     {settings.space['name']}, {_range(search)}"
        if settings.compares.spread
        else f"space     {settings.space['name']}, networks at {settings.budget.words()}"
    )
    baselines, every_baseline = _baselines(every, known, arguments.networks)
    pruned = f", pruned from epoch {settings.min_epochs} on" if settings.pruner != "none" else ""
    earlier = f" ({done} are there)" if done else ""
    print(
        f"plan      {units.counted(arguments.networks, 'network')}{_of_them(arguments.networks, baselines)} of "
        f"{units.counted(settings.training.epochs, 'epoch')}{pruned}{earlier}; sampler "
        f"{settings.sampler}; {_again(again)}"
    )
    if baselines == arguments.networks:
        print(
            f"warning: {_all_of(baselines)}, so no network of the space is trained; with --networks "
            f"{every_baseline + 1} or more some are"
        )
    for line in training_lines(settings):
        print(line)
    if words := timed_by(settings, every):
        print(f"latency   {words}")
    for note in recipe_notes(arguments, settings.training):
        print(f"note      {note}")
    print(f"baselines {_names(search)}")
    print(f"workers   {_workers(evaluator)}")
    print(
        f"time      about {clock.left()} on {evaluator.device_name} (from a few steps of "
        f"{units.counted(len(looked_at), 'network')}); "
        "Ctrl-C stops, the same command goes on",
        flush=True,
    )
    return clock


def _baselines(every: list[TrialRecord], known: list[Architecture], networks: int) -> tuple[int, int]:
    """How many of so many networks are baselines, and how many baselines there are in all, trained or not."""
    from igcnas.network.canonical import canonical_id
    from igcnas.search.records import counted

    seen = {record.canonical_id for record in every}
    there = sum(one.baseline is not None and one.repeat == 0 and one.state != "failed" for one in every)
    begun = sum(one.repeat == 0 and one.state == "running" for one in every)
    new = sum(canonical_id(architecture) not in seen for architecture in known)
    return there + min(new, max(0, networks - counted(every) - begun)), there + new


def _of_them(networks: int, baselines: int) -> str:
    """Which of the networks are baselines, for the line of the plan."""
    if not baselines:
        return ""
    if baselines == networks:
        return f" ({'a baseline' if networks == 1 else 'all baselines'})"
    return f" ({units.counted(baselines, 'baseline')}, then {networks - baselines} of the space)"


def _all_of(baselines: int) -> str:
    return "the only network is a baseline" if baselines == 1 else f"all {baselines} networks are baselines"


def _keep_affordable(evaluator: ProcessEvaluator, probed: Probed) -> None:
    """No more workers than there is memory for, now that it is measured what a training takes."""
    from igcnas.search.evaluation import fitting

    if probed.peak_memory_mb is not None:
        evaluator.keep(fitting(evaluator.places, probed.peak_memory_mb))


def _workers(evaluator: ProcessEvaluator) -> str:
    """How many networks are trained at once, and where."""
    count, where = evaluator.slots, ", ".join(sorted(evaluator.devices))
    if count == 1:
        return f"1 on {where}: the same seed gives the same search"
    where += " under MPS" if any(place.mps for place in evaluator.places) else ""
    return f"{count} on {where}: the search depends on which training ends first; --workers 1 is reproducible"


def _again(most: int) -> str:
    """How many repeats there may be."""
    return f"at most {units.counted(most, 'repeat')} of the best" if most else "none of the best is repeated"


def _names(search: Search) -> str:
    """The baselines at each target, in the unit of the budget."""
    first = search.settings.budget.first
    targets: dict[int, list[str]] = {}
    for known in search.known_networks():
        targets.setdefault(known.target, []).append(known.name)
    return (
        "; ".join(f"{', '.join(names)} at {target / first.shown_size:.3g}" for target, names in targets.items())
        or "none"
    )


def _range(search: Search) -> str:
    """From the lowest target to the budget, in the unit of its first limit; then what else is limited."""
    budget = search.settings.budget
    first = budget.first
    return f"{search.lowest_target / first.shown_size:.3g} to {budget.words()}"
