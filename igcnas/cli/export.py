"""igcnas export: anything that was trained, in files that other programs open."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from igcnas.cli.common import add_studies_dir
from igcnas.cli.data_options import add_data_arguments
from igcnas.errors import IgcnasError
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.results.best import Exported
    from igcnas.search.study import Study

EPILOG = """examples:
  %(prog)s NAME
  %(prog)s NAME --trial 3 17 --out exported
  %(prog)s runs/NAME
  %(prog)s studies/NAME/retrain-60/trial-3-seed0.safetensors --opset 21
  %(prog)s resnet20.th resnet depth=20 shortcut=pad --data cifar10 --data-dir ~/data
  %(prog)s NAME --c
  %(prog)s --family igc L=24 M=2 depth=20 --out measured --c
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Define the command."""
    parser = commands.add_parser(
        "export",
        help="write a trained network as ONNX, safetensors, model.py, JSON and a card",
        description="Exports the best network of a study into best/ in its folder, or other networks of it into "
        "trials/NUMBER/export/, and reads the test split once for each; or the network of a training, a retraining or "
        "a finish from its checkpoint, into a folder beside that, without reading any data. Checks that torch, ONNX "
        "Runtime and model.py agree.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "subject",
        metavar="SUBJECT",
        nargs="?",
        help="a study by its name or folder; the folder of a training, a retraining or a finish; a .safetensors of one",
    )
    add(
        "network",
        nargs="*",
        metavar="FAMILY key=value",
        help="the network that weights alone are of (see igcnas networks); its classes are those of --data",
    )
    add_studies_dir(parser)
    add(
        "--trial",
        type=int,
        nargs="+",
        metavar="NUMBER",
        help="these networks of a study (see trials.csv), or of a retraining, instead of the best",
    )
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="write into this folder instead; of several networks each into a folder of its own in it",
    )
    add(
        "--opset",
        type=int,
        metavar="N",
        help="operator set of model.onnx, 17 to 26 (default: 17, which the most runtimes read)",
    )
    add(
        "--temperature",
        action="store_true",
        help="fit a temperature on the validation images of a study, by which probabilities are less sure or surer; "
        "logits stay as they are",
    )
    add(
        "--also",
        action="append",
        default=[],
        metavar="NAME",
        help="one more form of the network, which an installed package adds (igcnas doctor lists them); several times "
        "for several",
    )
    add(
        "--c",
        action="store_true",
        help="also write model.c: the network as one C99 file without dependencies, with header, Makefile and a test; "
        "checking it needs a C compiler",
    )
    add(
        "--no-times",
        action="store_true",
        help="do not measure how long the network takes on this machine (in ONNX Runtime and, with --c, model.c; batch "
        "1, one thread), which card.md says beside its MACs",
    )
    add(
        "--family",
        nargs="+",
        metavar="FAMILY key=value",
        help="in place of SUBJECT: this network with its first weights, for measuring; needs --out",
    )
    add_data_arguments(parser, default=None, said="none: for weights alone")
    add("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run, unread="the export goes on")


def run(arguments: argparse.Namespace) -> int:
    """Export; print where to."""
    from igcnas.export.c.compiling import compiler
    from igcnas.export.c.exporter import NAME, OWN
    from igcnas.export.exporters import exporters
    from igcnas.export.folder import FILES
    from igcnas.export.onnx import check_opset

    check_opset(arguments.opset)
    if arguments.c:
        compiler()  # refused before data are read, as is what follows
        arguments.also = [*arguments.also, NAME]
    exporters(arguments.also, taken=FILES, own=OWN)
    _check_subject(arguments)
    numbers: list[int | None] = [None] if arguments.trial is None else list(dict.fromkeys(arguments.trial))
    output = sys.stderr if arguments.json else sys.stdout
    found = []
    for number in numbers:
        target = arguments.out if len(numbers) == 1 or arguments.out is None else arguments.out / f"trial-{number}"
        one = _export(arguments, number, target)
        _tell(one, output, number if len(numbers) > 1 else None)
        print(f"wrote     {one.folder}", file=output, flush=True)
        found.append({"trial": number, **_plain(one)})
    if arguments.json:
        print(json.dumps({"subject": arguments.subject or arguments.family[0], "exports": found}))
    return 0


def write(study: Study, number: int | None, *, also: Sequence[str] = ()) -> Path:
    """Export the best network, or the one of this number; print how well it answers; the folder it went to.

    also: further forms, by their names.
    """
    from igcnas.results.best import export_of

    found = export_of(study, number, also=also, times=True)
    _tell(found, sys.stdout, None)
    return found.folder


def _export(arguments: argparse.Namespace, number: int | None, out: Path | None) -> Exported:
    options: dict[str, Any] = {"also": arguments.also, "opset": arguments.opset, "out": out}
    options["times"] = not arguments.no_times
    if arguments.family:
        from igcnas.network.literature import family
        from igcnas.results.first_weights import export_untrained

        name, *parameters = arguments.family
        assert out is not None
        return export_untrained(
            family(name).from_text(parameters),
            folder=out,
            also=arguments.also,
            opset=arguments.opset,
            times=options["times"],
        )
    path = Path(arguments.subject)
    if arguments.network:
        return _export_weights(arguments, path, options)
    if _is_checkpoint(path, arguments.studies_dir):
        from igcnas.results.exporting import export_found, find

        if arguments.temperature:
            raise IgcnasError("--temperature is for studies, whose validation images are known; leave it out")
        if number is not None and path.is_file():
            raise IgcnasError(f"--trial {number} does not apply to one checkpoint; leave it out")
        return export_found(find(path, number), **options)
    from igcnas.results.best import export_of
    from igcnas.search.folder import find_study
    from igcnas.search.study import Study

    study = Study.read(find_study(arguments.subject, arguments.studies_dir))
    return export_of(study, number, temperature=arguments.temperature, **options)


def _check_subject(arguments: argparse.Namespace) -> None:
    """IgcnasError unless there is one thing to export, and a place for a network that has none."""
    if arguments.family is None:
        if arguments.subject is None:
            raise IgcnasError("nothing is named; give a study, a training or a .safetensors, or --family for a network")
        return
    if arguments.subject is not None:
        raise IgcnasError(f"--family {arguments.family[0]} stands in place of {arguments.subject!r}; give one of them")
    if arguments.out is None:
        raise IgcnasError(f"--family {arguments.family[0]} has no folder of its own; name one with --out DIR")
    if arguments.temperature or arguments.trial is not None or arguments.data is not None:
        raise IgcnasError("--temperature, --trial and --data are for trained networks; leave them out with --family")


def _export_weights(arguments: argparse.Namespace, path: Path, options: dict[str, Any]) -> Exported:
    """Weights alone, of the network that is named behind them."""
    from igcnas.cli.data_options import open_named_data
    from igcnas.cli.train import named_architecture
    from igcnas.results.exporting import export_found, from_weights

    name, *parameters = arguments.network
    if arguments.data is None:
        raise IgcnasError(f"{path} does not say its classes; name the data that has them with --data")
    if arguments.temperature or arguments.trial is not None:
        raise IgcnasError("--temperature and --trial are for studies; leave them out for weights alone")
    data = open_named_data(arguments)
    return export_found(from_weights(path, named_architecture(name, parameters, data), data), **options)


def _is_checkpoint(path: Path, studies: Path) -> bool:
    """Whether it is a file, or a folder that is no study and gives none its name."""
    from igcnas.search.folder import has_records, is_study

    with contextlib.suppress(OSError, ValueError):  # no path at all
        if path.suffix == ".safetensors" or path.is_file():
            return True
        if not path.is_dir() or has_records(path):
            return False
        return any(path.glob("*.safetensors")) or not is_study(path, studies)
    return False


def _tell(found: Exported, output: TextIO, number: int | None) -> None:
    if number is not None:
        print(f"network   {number}", file=output)
    for name, difference in found.parity.items():
        print(f"parity    {name}: largest relative difference {difference:.1e}", file=output)
    for name, accuracy in found.accuracies.items():
        print(f"test      {name}: {accuracy:.2f} % of {counted(found.images, 'image')}", file=output)
    for one in found.times:
        print(f"time      {one.words()}", file=output)
    if found.always is not None:
        print(f"balance   {found.always}", file=output)
    if found.temperature is not None:
        print(f"shares    softmax of logits / {found.temperature:.4g}, fitted on the validation images", file=output)


def _plain(found: Exported) -> dict[str, Any]:
    return {
        "folder": str(found.folder),
        "parity": dict(found.parity),
        "test_accuracy": dict(found.accuracies),
        "test_images": found.images or None,
        "temperature": found.temperature,
        "times": [asdict(one) for one in found.times],
    }
