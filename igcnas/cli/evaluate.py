"""igcnas evaluate: top-1 and top-5 of a checkpoint or an export."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.cli.data_options import add_data_arguments, open_named_data
from igcnas.cli.train import named_architecture
from igcnas.errors import IgcnasError

if TYPE_CHECKING:
    from igcnas.training.runs.data import RunData
    from igcnas.training.runs.evaluate import Trained

EPILOG = """examples:
  %(prog)s runs/NAME --data digits --split test
  %(prog)s resnet20.th resnet depth=20 shortcut=pad --data cifar10 --data-dir ~/data --split test
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "evaluate",
        help="top-1 and top-5 of a trained network",
        description="Reads the folder of a training or an export, a .safetensors of igcnas train, or a model.onnx, and "
        "prints how often its first answer, and one of its first five, is right. Weights alone, such as those of a "
        "public port, are those of the network that is named behind them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", type=Path, metavar="PATH", help="folder or file of the network")
    parser.add_argument(
        "network",
        nargs="*",
        metavar="FAMILY key=value",
        help="the network that weights alone are of (see igcnas networks)",
    )
    parser.add_argument(
        "--split",
        choices=("validation", "test", "both"),
        default="validation",
        help="which images; each look at the test split makes it less of one (default: %(default)s)",
    )
    add_data_arguments(parser)
    parser.add_argument(
        "--validation",
        type=float,
        metavar="SHARE",
        help="validation split of a network that does not say its own (an ONNX file alone): the share put aside; "
        "0.25, or 0.1 from 10,000 images on, as in a search (default)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of that split (default: 0)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate; print."""
    if arguments.validation is not None and not 0 < arguments.validation < 1:
        raise IgcnasError(f"--validation {arguments.validation:g} must lie between 0 and 1, both excluded")
    from igcnas.search.records import standard_error
    from igcnas.training.device import resolve_device
    from igcnas.training.recipes import short_settings
    from igcnas.training.runs.evaluate import SPLITS, evaluate, open_trained, open_weights
    from igcnas.training.stream import default_workers

    device = resolve_device(arguments.device)
    if arguments.network:
        name, *parameters = arguments.network
        data = open_named_data(arguments)
        trained, normalised = open_weights(arguments.path, named_architecture(name, parameters, data), device)
    else:
        trained, normalised = open_trained(arguments.path, device), ""
        data = _as_trained(arguments, trained)
    share = short_settings(data.images).validation_fraction if arguments.validation is None else arguments.validation
    workers = default_workers(trained.device) if arguments.workers is None else arguments.workers
    result: dict[str, Any] = {"path": str(trained.path), "form": trained.form, "data": data.name}
    for split in SPLITS if arguments.split == "both" else (arguments.split,):
        scores = evaluate(trained, data, split, validation=share, seed=arguments.seed, workers=workers)
        error = standard_error(scores.top1, scores.images)
        result[split] = {
            "images": scores.images,
            "top1": scores.top1,
            "top1_standard_error": error,
            "top5": scores.top5,
            "top5_standard_error": None if scores.top5 is None else standard_error(scores.top5, scores.images),
        }
    if arguments.json:
        print(json.dumps(result))
        return 0
    print(f"network   {trained.path} ({trained.form})")
    if normalised:
        print(f"images    normalised by {normalised}")
    for split in SPLITS:
        if found := result.get(split):
            line = f"{split:<11}top-1 {found['top1']:.2f} % +- {found['top1_standard_error']:.2f}"
            if found["top5"] is not None:
                line += f", top-5 {found['top5']:.2f} % +- {found['top5_standard_error']:.2f}"
            print(f"{line} ({found['images']:,} images of {data.name}; one standard error)")
    return 0


def _as_trained(arguments: argparse.Namespace, trained: Trained) -> RunData:
    """The data that the options name, read as in the training unless the user says how."""
    images = arguments.data.startswith("imagefolder:")
    if images and trained.data:
        if arguments.stream is None:
            arguments.stream = bool(trained.data["streamed"])
        if arguments.image_size is None and arguments.stream:
            arguments.image_size = trained.input_shape[1]
    if arguments.groups is None:
        arguments.groups = trained.data.get("groups")
    arguments.skip_bad |= images and bool(trained.data.get("skip_bad", False))
    # networks from before own validation splits were used say nothing of them: their splits stay
    own = bool(trained.data.get("own_validation", False)) if trained.data.get("validation") is not None else True
    return open_named_data(arguments, own_validation=own)
