"""igcnas evaluate: how well a checkpoint or an export answers."""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from igcnas.cli.common import add_studies_dir
from igcnas.cli.data_options import add_data_arguments, open_named_data
from igcnas.cli.train import named_architecture
from igcnas.errors import IgcnasError
from igcnas.export.latency.setting import RUNTIMES

if TYPE_CHECKING:
    from igcnas.results.evaluation.numbers import Evaluation
    from igcnas.results.evaluation.writing import Kept
    from igcnas.training.runs.data import RunData
    from igcnas.training.runs.evaluate import Trained

_WORST = 5  # classes that are printed
EPILOG = """examples:
  %(prog)s NAME
  %(prog)s NAME --split test --out evaluated
  %(prog)s runs/NAME --data digits --split test
  %(prog)s resnet20.th resnet depth=20 shortcut=pad --data cifar10 --data-dir ~/data --split test
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "evaluate",
        help="how well a trained network answers, on which classes, and how far to believe it",
        description="Reads a study (which means its final/ or best/), the folder of a training or an export, a "
        ".safetensors of igcnas train, or a model.onnx; finds the data it was trained on; and prints how often its "
        "first answer, and one of its first five, is right, precision and recall of the classes, and whether its "
        "probabilities can be believed. --out writes the confusion matrix, the reliability picture and a sheet of its "
        "surest mistakes. Weights alone, such as those of a public port, are those of the network that is named behind "
        "them, on the data of --data.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("path", metavar="PATH", help="a study by its name; folder or file of a network")
    parser.add_argument(
        "network",
        nargs="*",
        metavar="FAMILY key=value",
        help="the network that weights alone are of (see igcnas networks)",
    )
    parser.add_argument(
        "--split",
        choices=("validation", "test", "both"),
        help="which images; each look at the test split makes it less of one (default: validation; of a network that "
        "was trained on those, too, as by igcnas finish, test, which is then all of both)",
    )
    add_studies_dir(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write tables and pictures there, into a folder for each split (default for the best or final network of "
        "a study: evaluation/ in its folder, where igcnas report finds them; else nothing is written)",
    )
    add_data_arguments(parser, default=None, said="what the network was trained on, as its study or training says")
    parser.add_argument(
        "--validation",
        type=float,
        metavar="SHARE",
        help="validation split of a network that does not say its own (an ONNX file alone): the share put aside; "
        "0.25, or 0.1 from 10,000 images on, as in a search (default)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of that split (default: 0)")
    parser.add_argument(
        "--runtime",
        choices=RUNTIMES,
        help="what runs an export: onnx, openvino, or its programs by c (the compiled model.c) or torch (model.py), "
        "only of folders that you trust (default: onnx)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate; print; write."""
    if arguments.validation is not None and not 0 < arguments.validation < 1:
        raise IgcnasError(f"--validation {arguments.validation:g} must lie between 0 and 1, both excluded")
    from igcnas.results.evaluation.asking import answers
    from igcnas.results.evaluation.numbers import evaluated
    from igcnas.results.evaluation.temperature import fit_temperature
    from igcnas.results.evaluation.writing import Kept, as_json, network_digest, write
    from igcnas.training.device import resolve_device
    from igcnas.training.recipes import short_settings
    from igcnas.training.runs.evaluate import open_trained, open_weights
    from igcnas.training.stream import default_workers

    device = resolve_device(arguments.device)
    path = _network_path(arguments)
    if arguments.network and arguments.runtime:
        raise IgcnasError(f"--runtime {arguments.runtime} is for exports; leave it out for weights alone")
    if arguments.network:
        name, *parameters = arguments.network
        if arguments.data is None:
            raise IgcnasError(f"{path} does not say what it was trained on; name data with --data")
        data = open_named_data(arguments)
        trained, normalised = open_weights(path, named_architecture(name, parameters, data), device)
    else:
        trained, normalised = open_trained(path, device), ""
        if arguments.runtime is not None:
            from igcnas.results.evaluation.runtime import answered_by

            trained = answered_by(trained, arguments.runtime)
        data = _as_trained(arguments, trained)
    share = short_settings(data.images).validation_fraction if arguments.validation is None else arguments.validation
    workers = default_workers(trained.device) if arguments.workers is None else arguments.workers
    out = arguments.out or _place_in_study(trained.path)
    temperature = _temperature_of(trained.path)
    result: dict[str, Any] = {"path": str(trained.path), "form": trained.form, "data": data.name}
    kept: list[Kept] = []
    files: list[Path] = []
    for split in _splits(arguments.split, trained):
        found = answers(trained, data, split, validation=share, seed=arguments.seed, workers=workers)
        if temperature is None and split == "validation":
            temperature = fit_temperature(found.logits, found.labels)
        one = evaluated(found, data.classes, split=split, temperature=temperature)
        kept.append(Kept(evaluation=one, mistakes=found.mistakes, network=network_digest(trained.path), data=data.name))
        result[split] = {**_scores(one), **as_json(kept[-1])}
        if out is not None:
            files += write(out, kept[-1], title=data.name)
    result |= {"temperature": temperature, "files": list(map(str, files))}
    if arguments.json:
        print(json.dumps(result))
        return 0
    print(f"network   {trained.path} ({trained.form})")
    if normalised:
        print(f"images    normalised by {normalised}")
    for one_kept in kept:
        _tell(one_kept)
    for file in files:
        print(f"wrote     {file}")
    return 0


def _splits(asked: str | None, trained: Trained) -> tuple[str, ...]:
    """Those that are read: the test split alone of a network that was trained on its validation images."""
    on_all = bool(trained.data) and trained.data.get("validation") is None
    if asked == "both":
        return ("test",) if on_all else ("validation", "test")
    return (asked or ("test" if on_all else "validation"),)


def _network_path(arguments: argparse.Namespace) -> Path:
    """The file or folder that was named; of a study its exported network."""
    path = Path(arguments.path)
    from igcnas.cli.predict import network_folder
    from igcnas.search.folder import has_records
    from igcnas.search.settings import study_names

    is_study = arguments.path in study_names(arguments.studies_dir)
    with contextlib.suppress(OSError, ValueError):  # no path at all
        if path.exists() and not has_records(path) and not (is_study and _holds_nothing(path)):
            return path
        is_study = is_study or path.exists()
    return network_folder(arguments.path, arguments.studies_dir) if is_study else path


def _holds_nothing(path: Path) -> bool:
    """Whether it is a folder without a network, such as one of pictures that a study has its name from."""
    return path.is_dir() and not any(path.glob("*.onnx")) and not any(path.glob("*.safetensors"))


def _place_in_study(network: Path) -> Path | None:
    """Where the evaluation of the best or final network of a study is kept."""
    from igcnas.results.evaluation.writing import KEPT, is_kept
    from igcnas.search.folder import has_records

    study = network.parent.parent
    of_study = is_kept(network.parent.name) and has_records(study)
    return study / KEPT / network.parent.name if of_study else None


def _temperature_of(network: Path) -> float | None:
    from igcnas.network.exported import exported_in

    record = exported_in(network.parent)
    return None if record is None else record.temperature


def _scores(found: Evaluation) -> dict[str, Any]:
    """Top-1 and top-5 in percent with their standard errors."""
    from igcnas.search.records import standard_error

    tops = {top.k: 100.0 * top.share.right / top.share.images for top in found.tops}
    scores: dict[str, Any] = {"images": found.images}
    for k in (1, 5):
        value = tops.get(k)
        scores[f"top{k}"] = value
        scores[f"top{k}_standard_error"] = None if value is None else standard_error(value, found.images)
    return scores


def _tell(kept: Kept) -> None:
    """One split in words, with its worst classes."""
    from igcnas.results.evaluation.table import class_table, worst_classes
    from igcnas.results.evaluation.words import calibration_sentence, mistakes_sentence

    found = kept.evaluation
    scores = _scores(found)
    line = f"top-1 {scores['top1']:.2f} % +- {scores['top1_standard_error']:.2f}"
    if scores["top5"] is not None:
        line += f", top-5 {scores['top5']:.2f} % +- {scores['top5_standard_error']:.2f}"
    print(f"{found.split:<11}{line} ({found.images:,} images of {kept.data}; one standard error)")
    name, largest = found.largest
    always = f"answering {name!r} always would score {100 * largest.right / largest.images:.2f} %"
    print(f"classes    balanced accuracy {100 * found.balanced:.2f} % (mean recall); {always}")
    print(f"shares     {calibration_sentence(found)}")
    print(f"mistakes   {mistakes_sentence(kept)}")
    worst = worst_classes(found, _WORST)
    if len(found.classes) > len(worst):
        print(f"           the {len(worst)} classes of the lowest recall (--out writes all):")
    for row in class_table(found, only=worst).text().splitlines():
        print(f"           {row}")


def _as_trained(arguments: argparse.Namespace, trained: Trained) -> RunData:
    """The data that the options name, or that it was trained on; read as in the training unless the user says how."""
    if arguments.data is None:
        from igcnas.results.evaluation.source import source_of

        source = source_of(trained.path, trained.data)
        if source is None:
            raise IgcnasError(_unknown_data(arguments, trained))
        arguments.data = source.spec
        arguments.data_dir = arguments.data_dir or source.data_dir
        arguments.image_size = arguments.image_size or source.image_size
        arguments.groups = arguments.groups or source.groups
    elif arguments.image_size is None and arguments.data.startswith("imagefolder:"):
        arguments.image_size = _square(trained)
    images = arguments.data.startswith("imagefolder:")
    if images and trained.data:
        if arguments.stream is None:
            arguments.stream = bool(trained.data.get("streamed", False))
        if arguments.image_size is None and arguments.stream:
            arguments.image_size = trained.input_shape[1]
    if arguments.groups is None:
        arguments.groups = trained.data.get("groups")
    arguments.skip_bad |= images and bool(trained.data.get("skip_bad", False))
    # networks from before own validation splits were used say nothing of them: their splits stay
    own = bool(trained.data.get("own_validation", False)) if trained.data.get("validation") is not None else True
    return open_named_data(arguments, own_validation=own)


def _square(trained: Trained) -> int | None:
    """The side of its images, for --image-size; None where they are no square."""
    _, height, width = trained.input_shape
    return height if height == width else None


def _unknown_data(arguments: argparse.Namespace, trained: Trained) -> str:
    """That nothing tells where its data are, and the command that says so."""
    side = _square(trained)
    words = ["igcnas", "evaluate", arguments.path]
    words += ["--data", "imagefolder:FOLDER", *(["--image-size", str(side)] if side else [])]
    words += ["--split", arguments.split] if arguments.split else []
    what = f" {trained.data['name']!r}" if trained.data else ""
    return (
        f"where the data{what} of {trained.path} are is not known here; name them: {shlex.join(words)} "
        "(npz:FILE for arrays)"
    )
