"""igcnas train: a named network by the recipe of its paper."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.cli.common import command_line, mega
from igcnas.cli.data_lines import majority_lines
from igcnas.cli.data_options import add_data_arguments, open_named_data
from igcnas.cli.engine import add_engine, before_training, begun_engine, chosen_engine
from igcnas.cli.output import add_output_arguments, begin_result
from igcnas.errors import IgcnasError
from igcnas.network.architecture import Architecture
from igcnas.network.literature import family
from igcnas.system.names import joined
from igcnas.training.recipes import Recipe, choose_recipe, short_settings
from igcnas.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from igcnas.training.distributed import World
    from igcnas.training.runs.data import RunData
    from igcnas.training.runs.groups import GroupState
    from igcnas.training.runs.settings import RunSettings

RUNS = Path("runs")
_LAUNCHER_SECONDS = 5.0
_ANY_SHARE = 0.1  # where nothing is put aside
EPILOG = """Run the same command again and it goes on where it stopped. With several processes:
  torchrun --nproc-per-node 2 -m igcnas train ...

examples:
  %(prog)s igc L=8 M=2 --recipe short
  %(prog)s resnet depth=20 --recipe paper --data cifar10 --data-dir ~/data
  %(prog)s msgc --recipe paper --data imagefolder:imagenet --stream --image-size 224 --pretrained resnet18.pt
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "train",
        help="train a network of the literature by its paper's recipe",
        description="Trains a named network (or an architecture.json) and writes a folder: weights of the best and the "
        "last epoch, learning curve (log.csv, curve.png, TensorBoard events), summary.json. The validation split "
        "chooses the best epoch; the test split is read once, at the end.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("family", metavar="FAMILY", help="a family (see igcnas networks) or an architecture.json")
    add("parameters", nargs="*", metavar="key=value", help="its parameters; what the data decide may be left out")
    add(
        "--recipe",
        default="paper",
        metavar="NAME",
        help="paper, short, a name of igcnas recipes, or a FILE.json of your own (default: paper)",
    )
    add_data_arguments(parser)
    add("--epochs", type=int, metavar="N", help="other than the recipe's; its schedule is scaled to them")
    add("--batch-size", type=int, metavar="N", help="images a step, all processes together; scales the learning rate")
    add("--learning-rate", type=float, metavar="X", help="other than the recipe's")
    add("--seed", type=int, default=0, metavar="N", help="of weights, batches and validation split (default: 0)")
    add(
        "--validation",
        type=float,
        metavar="SHARE",
        help="share of each class put aside for validation (default: 0.1; 0.25 of fewer than 10,000 images)",
    )
    add("--train-on-all", action="store_true", help="put nothing aside; the last weights are the result")
    add(
        "--pretrained",
        "--weights",
        type=Path,
        metavar="FILE",
        help="first weights: .safetensors, or a state dict of torch.save, also those of public ports under their names",
    )
    add(
        "--precision",
        choices=("auto", "float32"),
        default="auto",
        help="auto: bfloat16 where it pays, on CUDA (default: %(default)s)",
    )
    add_engine(parser)
    add("--out", type=Path, metavar="DIR", help="folder of this training (default: runs/FAMILY-RECIPE-DATA-ID-SEED)")
    add(
        "--checkpoint-seconds",
        type=float,
        default=60.0,
        metavar="S",
        help="time between checkpoints, also within an epoch (default: %(default)g)",
    )
    add(
        "--show-groups",
        nargs="?",
        const="",
        metavar="LAYER",
        help="after each epoch, how many inputs and filters changed their learned group, and how large groups are; of "
        "layers whose name has LAYER in it, group by group; all of it in groups.csv",
    )
    add("--json", action="store_true", help="print the result as one JSON object, and progress to stderr")
    add_output_arguments(parser)
    parser.set_defaults(run=run, unread="the training goes on, into its folder")


def run(arguments: argparse.Namespace) -> int:
    """Train; write; print."""
    _check(arguments)
    if not arguments.family.endswith(".json"):
        family(arguments.family)  # a wrong name should not wait for the data
    _early_recipe(arguments)
    from igcnas.training.device import prepare_device, resolve_device
    from igcnas.training.distributed import join, launched
    from igcnas.training.runs.settings import as_begun, changed_values

    device = resolve_device(arguments.device)
    with join(device) as world:
        assert world.device is not None
        data = open_named_data(arguments)
        if data.own_validation and arguments.validation is not None:
            raise IgcnasError(
                f"--validation {arguments.validation:g} does not apply: {data.name} has its own validation split, "
                f"{data.own_validation:,} images; leave it out"
            )
        architecture = named_architecture(arguments.family, arguments.parameters, data)
        _, height, width = architecture.input_shape
        prepare_device(world.device, height * width)
        if launched():
            _share_cores(world.device)
        recipe = choose_recipe(
            arguments.recipe, family=_family_name(arguments, architecture), height=height, images=data.images
        ).adapted(epochs=arguments.epochs, batch_size=arguments.batch_size, learning_rate=arguments.learning_rate)
        world.part(recipe.batch_size)
        settings = _settings(arguments, architecture, recipe, data)
        folder = arguments.out or RUNS / _default_name(arguments, settings)
        if data.own_validation and not _uses_own_validation(folder):
            data = open_named_data(arguments, own_validation=False)
            settings = _settings(arguments, architecture, recipe, data)
        if not arguments.recipe.endswith(".json"):
            settings = as_begun(folder, settings)
        engine = chosen_engine(
            _asked_engine(arguments, settings.recipe, world.device),
            begun=begun_engine(folder / "settings.json"),
            processes=world.size,
        )
        settings = replace(settings, engine=engine)
        return _train(arguments, settings, data, folder, world, changed_values(settings.recipe, recipe))


def _uses_own_validation(folder: Path) -> bool:
    """False for a training that was begun when a validation split still joined the training data: its splits stay."""
    from igcnas.training.runs.settings import FILE, read_settings

    if not (folder / FILE).is_file():
        return True
    begun = read_settings(folder).get("data")
    return not isinstance(begun, dict) or "own_validation" in begun


def _asked_engine(arguments: argparse.Namespace, recipe: Recipe, device: torch.device) -> str:
    """The kernels for a CPU know the layers of a plan; what a recipe drops between them, they would not see."""
    if device.type != "cpu" or not recipe.channel_dropout.share:
        return str(arguments.engine)
    if arguments.engine == "fast":
        raise IgcnasError(f"--engine fast drops no channels, as recipe {recipe.name} does; leave it out, or give eager")
    return "eager"


def _train(
    arguments: argparse.Namespace,
    settings: RunSettings,
    data: RunData,
    folder: Path,
    world: World,
    changed: list[str],
) -> int:
    from igcnas.cli.common import Stop
    from igcnas.cli.progress.train import TrainProgress
    from igcnas.search.storage import lock_study
    from igcnas.system.files import going_on, make_folder
    from igcnas.training.distributed import launched
    from igcnas.training.engine import Stopped
    from igcnas.training.runs.curve import no_events
    from igcnas.training.runs.run import Observer, read_summary, train_run
    from igcnas.training.runs.settings import guard
    from igcnas.training.runs.weights import load_pretrained
    from igcnas.training.stream import default_workers

    assert world.device is not None
    workers = default_workers(world.device) if arguments.workers is None else arguments.workers
    with contextlib.ExitStack() as stack:
        stack.enter_context(going_on())
        if world.first:
            make_folder(folder, advice="give another --out")
            stack.enter_context(lock_study(folder, other="give another --out"))
            guard(folder, settings)
        stop = stack.enter_context(Stop(patience=_LAUNCHER_SECONDS if launched() else 0.0))
        output = sys.stderr if arguments.json else sys.stdout
        progress = TrainProgress(output, settings, folder, data) if world.first else None

        def say(text: str) -> None:
            if progress is not None:
                progress.note(text)

        observer = None
        if progress is not None and read_summary(folder) is None:
            share = settings.data.validation
            examined = data.examined(fraction=_ANY_SHARE if share is None else share, seed=settings.data.seed)
            progress.announce(workers, world.size, examined)
            if (missing := no_events()) is not None:
                progress.note(missing)
            before_training(
                settings.engine,
                asked=arguments.device,
                device=world.device.type,
                processes=world.size,
                output=output,
                at_once=stop.at_once,
            )
            if changed:
                say(f"recipe    as this training was begun, before it was mended: {'; '.join(changed)}")
            if world.device.type == "cpu" and settings.recipe.channel_dropout.share:
                say("engine    eager, because the recipe drops channels inside the network")
            stack.enter_context(progress)
            observer = Observer(
                on_start=progress.start,
                on_epoch=progress.epoch,
                on_step=progress.step,
                on_groups=lambda states: _show_groups(states, arguments.show_groups, say),
            )
        first = {} if arguments.pretrained is None else {"pretrained": load_pretrained(arguments.pretrained, say)}
        try:
            summary = train_run(
                settings,
                data,
                folder,
                world=world,
                workers=workers,
                checkpoint_seconds=arguments.checkpoint_seconds,
                observer=observer,
                stop=stop,
                # Of several processes each waits for the others in the test: none may leave it alone.
                cut_off=contextlib.nullcontext if launched() else stop.at_once,
                follow_groups=arguments.show_groups,
                **first,
            )
        except (Stopped, KeyboardInterrupt):
            begin_result()
            how = ", under torchrun as before" if launched() else ""
            say(f"stopped; nothing is lost. To go on{how}:\n  {command_line()}")
            return stop.status
    if world.first:
        begin_result()
        _report(arguments, summary, folder, data)
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.validation is not None and not 0 < arguments.validation < 1:
        raise IgcnasError(f"--validation {arguments.validation:g} must lie between 0 and 1, both excluded")
    if arguments.seed < 0:
        raise IgcnasError(f"--seed {arguments.seed} must be 0 or more")
    if arguments.train_on_all and arguments.validation is not None:
        raise IgcnasError("--train-on-all puts nothing aside for validation; leave --validation out")
    if arguments.workers is not None and arguments.workers < 0:
        raise IgcnasError(f"--workers {arguments.workers} must be 0 (none of their own) or more")
    if arguments.checkpoint_seconds < 0:
        raise IgcnasError(f"--checkpoint-seconds {arguments.checkpoint_seconds:g} must be 0 or more")


def _early_recipe(arguments: argparse.Namespace) -> None:
    """Wrong names and numbers need not wait for the data."""
    recipe = choose_recipe("short" if arguments.recipe == "paper" else arguments.recipe, family="", height=0, images=0)
    recipe.adapted(epochs=arguments.epochs, batch_size=arguments.batch_size, learning_rate=arguments.learning_rate)


def named_architecture(name: str, parameters: list[str], data: RunData) -> Architecture:
    """The network of a family or a file; classes, size and channels are those of the data unless they are given."""
    channels, height, _ = data.input_shape
    if name.endswith(".json"):
        from igcnas.cli.count import read_architecture

        if parameters:
            raise IgcnasError(f"{parameters[0]!r} does not apply to a file; it says everything")
        architecture = read_architecture(name)
    else:
        known = family(name)
        given = {word.partition("=")[0] for word in parameters}
        by_data = {"classes": len(data.classes), "size": height, "channels": channels}
        words = [f"{key}={value}" for key, value in by_data.items() if key in known.parameters and key not in given]
        architecture = known.from_text([*parameters, *words])
    if architecture.input_shape != data.input_shape or architecture.num_classes != len(data.classes):
        raise IgcnasError(
            f"the network takes images {_shape(architecture.input_shape)} of "
            f"{counted(architecture.num_classes, 'class', 'classes')}, "
            f"{data.name} has {_shape(data.input_shape)} of {len(data.classes)}; make them agree, for an image folder "
            "with --image-size"
        )
    return architecture


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _family_name(arguments: argparse.Namespace, architecture: Architecture) -> str:
    """Whose recipe 'paper' is; MSGC trains MobileNetV2 longer than ResNets."""
    name = architecture.family if arguments.family.endswith(".json") else arguments.family
    if name == "msgc" and any(stage.block.kind == "inverted" for stage in architecture.stages):
        return "msgc-mobilenetv2"
    return str(name)


def _settings(arguments: argparse.Namespace, architecture: Architecture, recipe: Recipe, data: RunData) -> RunSettings:
    from igcnas.data.groups import placed
    from igcnas.training.runs.settings import RunDataSettings, RunSettings
    from igcnas.training.runs.weights import file_hash

    kind, separator, place = arguments.data.partition(":")
    share = short_settings(data.images).validation_fraction if arguments.validation is None else arguments.validation
    return RunSettings(
        architecture=architecture,
        recipe=recipe,
        data=RunDataSettings(
            spec=f"{kind}:{Path(place).expanduser().absolute()}" if separator else kind,
            data_dir=None if arguments.data_dir is None else str(arguments.data_dir.expanduser().absolute()),
            image_size=arguments.image_size,
            name=data.name,
            fingerprint=data.fingerprint(),
            classes=data.classes,
            streamed=data.streamed,
            validation=None if arguments.train_on_all else share,
            seed=arguments.seed,
            own_validation=data.own_validation > 0 and not arguments.train_on_all,
            skip_bad=arguments.skip_bad,
            groups=None if arguments.groups is None else placed(arguments.groups),
        ),
        seed=arguments.seed,
        pretrained=None if arguments.pretrained is None else file_hash(arguments.pretrained),
        precision=arguments.precision,
    )


def _default_name(arguments: argparse.Namespace, settings: RunSettings) -> str:
    name = Path(arguments.family).stem if arguments.family.endswith(".json") else arguments.family
    parts = [name, settings.recipe.name, settings.data.name, settings.architecture.id[:6], f"seed{settings.seed}"]
    return joined(parts, keep="._-")


def _share_cores(device: torch.device) -> None:
    """Processes of one machine divide its cores."""
    import os

    import torch

    if device.type == "cpu":
        torch.set_num_threads(max(1, torch.get_num_threads() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))


def _show_groups(states: list[GroupState], layer: str, say: Callable[[str], None]) -> None:
    from igcnas.training.runs.groups import detail, summary

    shown = [state for state in states if layer in state.layer] if layer else []
    for line in [detail(state) for state in shown] or [summary(states)]:
        say(f"groups    {line}")


def _report(arguments: argparse.Namespace, summary: dict[str, Any], folder: Path, data: RunData) -> None:
    if arguments.json:
        print(json.dumps({"folder": str(folder), **summary}))
        return
    for name in ("validation", "test"):
        if (found := summary[name]) is not None:
            top5 = "" if found["top5"] is None else f", top-5 {found['top5']:.2f} %"
            print(
                f"{name:<11}top-1 {found['top1']:.2f} % +- {found['top1_standard_error']:.2f}{top5} "
                f"({found['images']:,} images)"
            )
    for line in majority_lines(data):
        print(line)
    print(f"chosen     epoch {summary['best_epoch']} of {summary['epochs']}, by {summary['chosen_by']}")
    after = f"{summary['measured_macs']:,} measured after training"
    excess = ": more than expected" if summary["exceeds_expected"] else ""
    print(f"costs      {summary['macs']:,} MACs expected, {after}{excess}; {summary['params']:,} params")
    print(f"wrote      {folder} ({summary['seconds']:.1f} s of training, {mega(summary['macs'])} MFLOPs)")
