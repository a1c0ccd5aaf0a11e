"""What is run: small searches, trainings, retrainings, an audit, exports and tables, by the command line of a tree."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Journals of earlier versions, as tests/support/real_studies.py unpacks them.
_EARLIER = Path(__file__).parents[2] / "tests" / "data" / "studies"
_LIMIT_SECONDS = 1800

_SMALL = "--device cpu --workers 1 --seed 3 --data digits --budget-mflops 0.1"
_TRAIN = "--data digits --recipe short --device cpu --seed 3"
_COUNTED = (
    "igc",
    "regconv",
    "igcv2",
    "igcv3",
    "mobilenetv2",
    "flgc-mobilenetv2",
    "dg-resnext",
    "msgc",
    "dgc",
    "condensenet",
    "resnet",
)
_EXPLAINED = ("igcv1", "igcv2", "igcv3", "flgc", "dgconv", "condensing", "msgc", "dgc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command: its arguments, and whether what it prints is one JSON object."""

    arguments: str
    json: bool = False


def steps(*, networks: int) -> Iterator[Step]:
    """Every command, in order.

    Args:
        networks: of the first search, which all that follows it is about.
    """
    yield Step(
        arguments=f"search --study front --networks {networks} --epochs 2 --seeds 2 --repeats 1 --engine fast {_SMALL}"
    )
    yield Step(
        arguments="search --study pruned --networks 9 --epochs 3 --engine eager --space learned --sampler tpe "
        f"--objective accuracy,params --pruner halving --min-epochs 1 --seeds 1 --no-baselines {_SMALL}"
    )
    for space in ("msgc", "dgconv", "condensing"):
        yield Step(
            arguments=f"search --study {space} --space {space} --networks 2 --epochs 2 --engine eager --sampler random "
            f"--objective accuracy --seeds 1 --no-baselines --no-export {_SMALL}"
        )
    yield Step(arguments=f"train igc L=4 M=2 depth=8 --epochs 2 --out runs/igc {_TRAIN}")
    yield Step(arguments=f"train flgc-mobilenetv2 groups=2 width=0.25 --epochs 1 --out runs/flgc {_TRAIN}")
    yield Step(arguments="evaluate runs/igc --json", json=True)
    yield Step(arguments="audit front --networks 3 --epochs 3 --seeds 1 --bands 1 --device cpu")
    yield Step(arguments="retrain front --top 2 --epochs 2 --seeds 1 --device cpu --json", json=True)
    yield Step(arguments="export msgc")
    yield Step(arguments="export dgconv --trial 1")
    for name in ("front", "pruned", "gp-4", "random-4"):
        yield Step(arguments=f"status {name} --json", json=True)
    yield Step(arguments="status front")
    yield Step(arguments="report front --json --no-figures", json=True)
    yield Step(arguments="report random-4 --json --no-figures --no-importance", json=True)
    yield Step(arguments="importance gp-4 --json", json=True)
    yield Step(arguments="compare gp-4 random-4 --json", json=True)
    yield Step(arguments="plot gp-4")
    yield Step(arguments="count studies/front/best/architecture.json --layers --convention all --json", json=True)
    for family in _COUNTED:
        yield Step(arguments=f"count {family} --layers --convention all --json", json=True)
    yield Step(arguments="count igcv3 --layers --convention all")
    for block in _EXPLAINED:
        yield Step(arguments=f"explain {block} --json --out explain-{block}.svg", json=True)
    yield Step(arguments="explain igcv3 --no-picture")
    yield Step(arguments="draw igcv2 --out draw-igcv2.svg --json", json=True)
    yield Step(arguments="draw igc L=24 M=2 --out draw-igc.svg --json", json=True)
    yield Step(arguments="draw runs/flgc --what connections --out draw-flgc.svg --json", json=True)
    yield Step(arguments="draw front --trial 1 --out draw-front.svg --json", json=True)
    yield Step(arguments="networks --json", json=True)
    yield Step(arguments="recipes --json", json=True)
    yield Step(arguments="recipes igc-cifar --json", json=True)


def unpack_earlier(folder: Path) -> None:
    """The studies of earlier versions into folder/studies, where they are not there yet."""
    for study in sorted(_EARLIER.iterdir()):
        target = folder / "studies" / study.name
        if not target.exists():
            target.mkdir(parents=True)
            shutil.copy(study / "settings.json", target)
            (target / "journal.log").write_bytes(gzip.decompress((study / "journal.log.gz").read_bytes()))


def run(step: Step, *, root: Path, python: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """The command in `folder`, in one thread, with the igcnas of the tree `root`."""
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1", "COLUMNS": "120"}
    command = [str(python), "-m", "igcnas", *step.arguments.split()]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=_LIMIT_SECONDS,
        check=False,
    )
