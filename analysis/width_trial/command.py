"""The command: options, the folder, the trainings, the tables. It prints; the rest of the package does not."""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from igcnas.cli.campaign import add_workers
from igcnas.cli.common import Parser
from igcnas.cli.data_options import add_source_arguments
from igcnas.cli.engine import add_engine
from igcnas.cli.ray_options import asked_ray
from igcnas.errors import IgcnasError
from igcnas.system import program
from igcnas.system.folders import studies

if TYPE_CHECKING:
    from igcnas.cli.common import Stop
    from igcnas.data.dataset import Dataset
    from igcnas.search.campaign import Campaign
    from igcnas.search.settings import DataSettings

    from .settings import TrialSettings
    from .training import Outcome

DESCRIPTION = (
    "Train IGC networks of equal MACs and equal depth over L/(MS) = 1/8 ... 8, and the regular convolution, and say "
    "whether accuracy peaks near L = M S. The same command goes on where it stopped; more --seeds extend it."
)
_SEEDS = 40
_DEPTH = 5
_QUIET_SECONDS = 10.0  # between lines of progress: trainings may take a second


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define every option."""
    add = parser.add_argument
    add_source_arguments(parser)
    add(
        "--budget-mflops",
        type=float,
        metavar="N",
        help="MACs of every network, in millions (default: the least at which every ratio and the regular convolution "
        "have a network)",
    )
    add("--ratios", default="1/8,1/4,1/2,1,2,4,8", metavar="R,R", help="L/(MS) to look for (default: %(default)s)")
    add(
        "--tolerance",
        type=float,
        default=1.0,
        metavar="PERCENT",
        help="most that MACs may differ from the budget (default: %(default)s)",
    )
    add("--depth", type=int, default=_DEPTH, metavar="D", help="convolutions: 2 + 3 n, residual 2 + 6 n (default: 5)")
    add("--residual", action="store_true", help="residual blocks of two IGC units, with shortcuts without weights")
    add("--seeds", type=int, default=_SEEDS, metavar="N", help="trainings of each network (default: %(default)s)")
    add("--epochs", type=int, metavar="N", help="epochs of each (default: those of a search: 15, or 8)")
    add(
        "--lr",
        metavar="X,X",
        help="learning rates; of several each network takes its own best, chosen on separate seeds (default: that of a "
        "search: 0.6, or 0.2 from 10,000 images on)",
    )
    add("--tuning-seeds", type=int, default=5, metavar="N", help="seeds that choose it (default: %(default)s)")
    add("--near", type=float, default=4.0, metavar="F", help="factor around L = M S that counts as near (default: 4)")
    add("--splits", metavar="KIND", help="repeated: new splits for each seed (default for digits); given: of the data")
    add(
        "--test-fraction",
        type=float,
        default=0.8,
        metavar="X",
        help="share of the images tested, of repeated splits (default: %(default)s)",
    )
    add("--seed", type=int, default=0, metavar="N", help="of splits and trainings (default: 0)")
    add_workers(parser)
    add("--device", default="auto", metavar="NAME", help="auto (CUDA, else CPU), cpu, cuda or cuda:N (default: auto)")
    add_engine(parser)
    add("--no-latency", action="store_true", help="do not measure how long a forward pass takes")
    add("--out", type=Path, metavar="DIR", help="folder of the trial (default: studies/width-trial-DATA)")
    add("--json", action="store_true", help="print the result as one JSON object, and progress to stderr")
    parser.set_defaults(run=run)


def main(
    arguments: Sequence[str], *, prog: str = "python -m analysis.width_optimum", ends_process: bool = False
) -> int:
    """Exit status 2 and one line for an error of the user's, 130 after Ctrl-C. `prog`: how it was called."""
    parser = Parser(prog=f"{prog} --train", description=DESCRIPTION)
    add_arguments(parser)
    options = parser.parse_args(arguments)
    options.again = f"{prog} --train {shlex.join(arguments)}".rstrip()
    unread = "the trial goes on, into its folder"
    return program.run(lambda: run(options), unread=lambda: unread, ends_process=ends_process)


def run(arguments: argparse.Namespace) -> int:
    """Train what is missing, then say what was found."""
    if arguments.seeds < 2:
        raise IgcnasError(f"--seeds {arguments.seeds} must be 2 or more; 40 is usual, 9 resolve little")
    from igcnas.cli.common import Stop
    from igcnas.cli.search_options import asked_workers
    from igcnas.data.loading import load_dataset
    from igcnas.search.evaluation import Interrupted
    from igcnas.search.settings import DataSettings
    from igcnas.search.storage import lock_study
    from igcnas.system.files import going_on, make_folder, write_text
    from igcnas.training.device import resolve_device

    from . import figure, report
    from .course import outcomes
    from .data import default_splits, pooled
    from .result import analyse
    from .settings import guard
    from .speed import latencies

    output = sys.stderr if arguments.json else sys.stdout
    asked_workers(arguments)
    asked_ray(arguments)
    device = resolve_device(arguments.device)
    splits = arguments.splits or default_splits(arguments.data)
    dataset = load_dataset(arguments.data, data_dir=arguments.data_dir, image_size=arguments.image_size)
    folder = arguments.out or studies() / f"width-trial-{dataset.name}"
    settings = _settings(arguments, pooled(dataset, splits), splits, folder)
    networks, left_out = settings.networks()
    source = {"spec": arguments.data, "data_dir": arguments.data_dir, "image_size": arguments.image_size}
    data = DataSettings.of(dataset, settings.training, **source)
    make_folder(folder, advice="give another --out")

    def say(text: str) -> None:
        print(text, file=output, flush=True)

    with contextlib.ExitStack() as stack:
        stack.enter_context(going_on())
        stack.enter_context(lock_study(folder, other="start another with --out DIR"))
        asked = guard(folder, settings, arguments.seeds)
        stop = stack.enter_context(Stop())
        say(f"folder    {folder}; Ctrl-C stops, the same command goes on")
        for one in networks:
            ratio = f"L/(MS) {one.ratio:6.3f}" if one.kind == "igc" else " " * 13
            say(
                f"network   {one.name:<12} {ratio}  width {one.width:>4}  {one.macs / 1e6:.4f} MFLOPs "
                f"({100 * one.deviation:+.2f} %)"
            )
        if left_out:
            say(f"left out  {', '.join(left_out)}: no network within the tolerance")

        def run_campaign(campaign: Campaign[Outcome], what: str) -> list[Outcome]:
            return _trained(arguments, campaign, what, data=data, settings=settings, stop=stop, output=output)

        try:
            done = outcomes(
                folder, settings, networks, asked[-1], run_campaign,
                say=say, note=lambda text: say(f"note      {text}"),
            )  # fmt: skip
        except Interrupted:
            say("stopped; nothing is lost. To go on:")
            say(f"  {arguments.again}")
            return stop.status
        if stop():  # in the last moment: nothing is analysed yet
            say("stopped; every training is done, what is left is the analysis, by the same command")
            return stop.status
        times = {} if arguments.no_latency else latencies(folder, networks, str(device))
        result = analyse(settings, networks, left_out, done, asked)
        table = report.markdown(result, times)
        if arguments.json:
            print(json.dumps({"folder": str(folder), **report.plain(result, times)}))
        else:
            print(table)
        write_text(folder / "table.md", table)
        write_text(folder / "table.csv", report.comma_separated(result, times))
        pictures = figure.save(folder, result)
    if not arguments.json:
        for path in (folder / "table.md", folder / "table.csv", *pictures):
            print(f"wrote     {path}")
    return 0


def _trained(
    arguments: argparse.Namespace,
    campaign: Campaign[Outcome],
    what: str,
    *,
    data: DataSettings,
    settings: TrialSettings,
    stop: Stop,
    output: TextIO,
) -> list[Outcome]:
    """All results of a campaign, after what is missing is trained."""
    from igcnas.cli.campaign import slots_of, train
    from igcnas.cli.progress.campaign import CampaignProgress
    from igcnas.search.worker import WorkerSetup

    # One thread each, also where there is but one: with other threads eager steps round otherwise.
    slots = [replace(slot, threads=1) for slot in slots_of(arguments, campaign.missing(), settings.training)]
    # The networks cost the same, so that the first tells how long all will take.
    progress = CampaignProgress(output, campaign, workers=len(slots), what=what, quiet_seconds=_QUIET_SECONDS)
    setup = WorkerSetup(data=data, training=settings.training, device=arguments.device, images="none")
    return train(campaign, setup, slots, stop=stop, progress=progress, ray=asked_ray(arguments))


def _settings(arguments: argparse.Namespace, dataset: Dataset, splits: str, folder: Path) -> TrialSettings:
    """What the options mean for this data."""
    import dataclasses

    from igcnas.cli.engine import begun_engine, chosen_engine
    from igcnas.training.recipes import short_settings

    from .networks import Skeleton, smallest_budget
    from .settings import TrialSettings

    ratios = _ratios(arguments.ratios)
    training = short_settings(len(dataset.train.labels), epochs=arguments.epochs, seed=arguments.seed)
    engine = chosen_engine(arguments.engine, begun=begun_engine(folder / "settings.json", "training"))
    rates = (training.learning_rate,) if arguments.lr is None else _rates(arguments.lr)
    skeleton = Skeleton(
        input_shape=dataset.input_shape,
        classes=dataset.num_classes,
        depth=arguments.depth,
        residual=arguments.residual,
    )
    tolerance = arguments.tolerance / 100
    if not 0 < tolerance <= 0.1:
        raise IgcnasError(f"--tolerance {arguments.tolerance:g} must be percent, above 0 and at most 10; 1 is usual")
    if arguments.budget_mflops is None:
        budget = smallest_budget(skeleton, tolerance, ratios)
        if budget is None:
            raise IgcnasError(
                f"no budget has networks of all ratios within {arguments.tolerance:g} %; try a larger --tolerance, "
                "fewer --ratios, or give --budget-mflops"
            )
    elif arguments.budget_mflops > 0:
        budget = round(arguments.budget_mflops * 1e6)
    else:
        raise IgcnasError(f"--budget-mflops {arguments.budget_mflops:g} must be a positive number, as in 0.9")
    return TrialSettings(
        data_name=dataset.name,
        data_fingerprint=dataset.fingerprint(),
        input_shape=dataset.input_shape,
        classes=dataset.num_classes,
        splits=splits,
        test_fraction=arguments.test_fraction,
        budget_macs=budget,
        tolerance=tolerance,
        ratios=tuple(map(str, ratios)),
        depth=arguments.depth,
        residual=arguments.residual,
        near=arguments.near,
        rates=rates,
        tuning_seeds=arguments.tuning_seeds,
        training=dataclasses.replace(training, engine=engine),
    )


def _ratios(text: str) -> tuple[Fraction, ...]:
    try:
        found = sorted({Fraction(word.strip()) for word in text.split(",")})
    except (ValueError, ZeroDivisionError):
        found = []
    if not found or found[0] <= 0:
        raise IgcnasError(f"--ratios {text!r} must be positive ratios with commas, as in 1/4,1/2,1,2,4")
    return tuple(found)


def _rates(text: str) -> tuple[float, ...]:
    try:
        return tuple(dict.fromkeys(float(word) for word in text.split(",")))
    except ValueError:
        raise IgcnasError(f"--lr {text!r} must be learning rates with commas, as in 0.2,0.6") from None
