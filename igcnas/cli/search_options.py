"""The options of igcnas search, and the settings of a study that they mean."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from igcnas.cli.common import add_studies_dir
from igcnas.cli.data_options import add_source_arguments
from igcnas.space import known_spaces

if TYPE_CHECKING:
    from igcnas.data import Dataset
    from igcnas.space import SearchSpace
    from igcnas.study import StudySettings

EPILOG = """Run the same command again and it goes on where it stopped, up to the same total.

examples:
  %(prog)s --budget-mflops 0.2
  %(prog)s --budget-mflops 40 --data cifar10 --data-dir ~/data --networks 100
  %(prog)s --budget-mflops 10 --data imagefolder:photos --image-size 64 --space igcv3 --study mine
"""
DESCRIPTION = (
    "Search for the best small convolutional network under a compute budget. Writes studies/NAME/: the Optuna storage, "
    "pareto.png, trials.csv, and best/ with the exported network."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define every option."""
    add = parser.add_argument
    add(
        "--budget-mflops",
        type=float,
        required=True,
        metavar="N",
        help="most a network may cost for one image, in millions of multiply-accumulates of convolutions and linear "
        "layers (one multiply-accumulate counts once; batch norm and activations are free)",
    )
    add(
        "--space",
        default="all",
        metavar="NAME",
        help=f"search space: {', '.join(known_spaces())}, or a .py file of your own (default: %(default)s)",
    )
    add_source_arguments(parser)
    add(
        "--networks",
        type=int,
        default=60,
        metavar="N",
        help="stop when the study holds N trained networks, earlier runs included (default: %(default)s)",
    )
    add(
        "--objective",
        choices=("front", "accuracy"),
        default="front",
        help="front: accuracy against MACs up to the budget; accuracy: all at the budget (default: %(default)s)",
    )
    add("--epochs", type=int, metavar="N", help="epochs of each training (default: 15; 8 from 10,000 images on)")
    add("--device", default="auto", metavar="NAME", help="auto (CUDA, else CPU), cpu, cuda or cuda:N (default: auto)")
    add("--sampler", choices=("tpe", "random"), default="tpe", help="who proposes structures (default: %(default)s)")
    add("--no-baselines", action="store_true", help="do not train the known networks first")
    add(
        "--seed", type=int, default=0, metavar="N", help="of proposals, trainings and the validation split (default: 0)"
    )
    add("--study", metavar="NAME", help="name of the study (default: from data, space, budget and objective)")
    add_studies_dir(parser)
    add("--no-export", action="store_true", help="leave out best/ at the end")
    add("--json", action="store_true", help="at the end print one JSON object as the last line")


def study_settings(arguments: argparse.Namespace, space: SearchSpace, dataset: Dataset) -> StudySettings:
    """What the options mean for this space and this data; the training follows from the number of images."""
    from igcnas.recipes import short_settings
    from igcnas.study import DataSettings, StudySettings

    training = short_settings(len(dataset.train.labels), epochs=arguments.epochs, seed=arguments.seed)
    return StudySettings(
        space=space.to_dict(),
        space_path=arguments.space,
        budget_macs=round(arguments.budget_mflops * 1e6),
        objective=arguments.objective,
        sampler=arguments.sampler,
        baselines=not arguments.no_baselines,
        seed=arguments.seed,
        data=DataSettings.of(
            dataset, training, spec=arguments.data, data_dir=arguments.data_dir, image_size=arguments.image_size
        ),
        training=training,
    )


def default_name(settings: StudySettings) -> str:
    """Name of a study from data, space, budget and objective."""
    parts = [settings.data.name, settings.space["name"], f"{settings.budget_macs / 1e6:g}M"]
    if settings.objective != "front":
        parts.append(settings.objective)
    return "-".join("".join(c if c.isalnum() or c in "._" else "_" for c in part) for part in parts)
