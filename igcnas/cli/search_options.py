"""The options of igcnas search, and the settings of a study that they mean."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from igcnas.cli.common import add_studies_dir
from igcnas.cli.data_options import add_groups, add_source_arguments
from igcnas.cli.engine import add_engine
from igcnas.cli.output import add_output_arguments
from igcnas.cli.ray_options import add_ray, asked_ray
from igcnas.cli.recipe_options import add_recipe_arguments, asked_training, check_recipe_arguments
from igcnas.cli.timing_options import add_timing_arguments, asked_timing
from igcnas.errors import IgcnasError, unknown_name
from igcnas.network.budget import LIMITS, TIME, Budget, limit_named
from igcnas.search.objective import OBJECTIVES
from igcnas.search.patience import WAIT_SECONDS
from igcnas.search.samplers import AUTO, SAMPLERS, Sampler, resolve_sampler
from igcnas.search.settings import PRUNERS
from igcnas.search.space import known_spaces
from igcnas.search.tuning.plan import SHARE
from igcnas.system.additions import SAMPLERS as ADDED_SAMPLERS
from igcnas.system.additions import names
from igcnas.system.names import joined, shown

if TYPE_CHECKING:
    from igcnas.data.dataset import Dataset
    from igcnas.search.settings import StudySettings
    from igcnas.search.space import SearchSpace

EPILOG = """Run the same command again and it goes on where it stopped, up to the same total.

examples:
  %(prog)s --budget-mflops 0.2
  %(prog)s --budget-mflops 40 --data cifar10 --data-dir ~/data --networks 100
  %(prog)s --budget-mflops 10 --data imagefolder:photos --image-size 64 --space igcv3 --study mine
  %(prog)s --budget-mflops 0.2 --objective accuracy --pruner halving --networks 200
"""
# Where --min-epochs is not given, the first rung is at one so many-th of the schedule: earlier ones end too many good
# networks (benchmarks/results/tabular.md).
_FIRST_RUNG = 3

DESCRIPTION = (
    "Search for the best small convolutional network under a compute budget. Writes studies/NAME/: the Optuna storage, "
    "pareto.png, trials.csv, and best/ with the exported network."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Define every option."""
    add = parser.add_argument
    for limit in (*LIMITS.values(), TIME):
        add(f"--budget-{limit.option}", type=float, metavar="N", help=f"no network has more than N {limit.words}")
    add(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=N",
        help="no network has more than N of what an installed package limits (igcnas doctor lists them); several "
        "times for several",
    )
    add(
        "--space",
        default="all",
        metavar="NAME",
        help=f"search space: {', '.join(known_spaces())}, a .py file of your own, or a block family "
        "of an installed package; several joined by + are one space (default: %(default)s)",
    )
    add_source_arguments(parser)
    add_groups(parser)
    add(
        "--networks",
        type=int,
        default=60,
        metavar="N",
        help="stop when the study holds N networks, pruned ones and earlier runs included (default: %(default)s)",
    )
    add(
        "--objective",
        default="front",
        metavar="NAME",
        help="; ".join(f"{one.name}: {one.words}" for one in OBJECTIVES.values()).replace("%", "%%")
        + " (default: %(default)s)",
    )
    add_timing_arguments(parser)
    add("--epochs", type=int, metavar="N", help="epochs of each training (default: 15; 8 from 10,000 images on)")
    add_recipe_arguments(parser)
    add(
        "--tune-recipe",
        nargs="?",
        type=float,
        const=SHARE,
        metavar="SHARE",
        help="before the search, spend this share of its expected training time on the recipe: a few values of "
        "learning rate, weight decay and augmentation are tried on the baselines, and one replaces the present recipe "
        f"where it is better by more than chance (without a number: {SHARE:g})",
    )
    add("--device", default="auto", metavar="NAME", help="auto (CUDA, else CPU), cpu, cuda or cuda:N (default: auto)")
    add(
        "--workers",
        default="auto",
        metavar="N",
        help="networks trained at once, each in a process of its own; auto: on a CPU one a core, on CUDA 1 to 8 a GPU, "
        "more where networks and batches are small; as many as there is memory for. With 1 a search is "
        "reproducible; with more it depends on which training ends first (default: auto)",
    )
    add_ray(parser)
    add_engine(parser)
    add(
        "--sampler",
        default=AUTO,
        metavar="NAME",
        help="search algorithm. "
        + "; ".join(f"{name}: {_sampler_words(one)}" for name, one in SAMPLERS.items()).replace("%", "%%")
        + f"; {AUTO}: what our benchmarks favour; or one of an installed package (igcnas doctor lists them). The width "
        "always follows from the budget (default: %(default)s)",
    )
    add(
        "--pruner",
        default="none",
        metavar="NAME",
        help="halving: end a training after 1, 3, 9, ... times --min-epochs epochs unless it is in the best third of "
        "all that came so far; a tenth of those is finished all the same to see how often that is wrong. none: train "
        "all to the end (default: %(default)s)",
    )
    add(
        "--min-epochs",
        type=int,
        metavar="N",
        help="epochs that every network gets before the pruner may end it (default: a third of --epochs)",
    )
    add(
        "--seeds",
        type=int,
        default=5,
        metavar="N",
        help="after the search, train those that may be the best again with other seeds, until the best is known with "
        "probability 0.95; at most N trainings of one network; 1: no repeats (default: %(default)s)",
    )
    add("--repeats", type=int, metavar="N", help="at most N such repeats in the study (default: a third of --networks)")
    add(
        "--no-baselines",
        action="store_true",
        help="do not train the baselines first: four published networks at the budget and, unless --objective is "
        "accuracy, two at the middle and two at the lowest of the targets; every network is scored against them at "
        "equal cost",
    )
    add(
        "--seed", type=int, default=0, metavar="N", help="of proposals, trainings and the validation split (default: 0)"
    )
    add("--study", metavar="NAME", help="name of the study (default: from data, space, budget and objective)")
    add_studies_dir(parser)
    add(
        "--storage-wait",
        type=float,
        default=WAIT_SECONDS,
        metavar="SECONDS",
        help=f"how long a server of --storage that does not answer any more is waited for (default: {WAIT_SECONDS:g})",
    )
    add("--no-export", action="store_true", help="leave out best/ at the end")
    add(
        "--finish",
        action="store_true",
        help="at the end train the best network long on all data and write final/, as igcnas finish does",
    )
    add("--json", action="store_true", help="at the end print one JSON object as the last line")
    add_output_arguments(parser)


def _sampler_words(sampler: Sampler) -> str:
    more = " (it also chooses how much of the budget to use; not with pruning)" if sampler.chooses_target else ""
    return sampler.sentence + more


def check_arguments(arguments: argparse.Namespace) -> None:
    """Refuse what no study can have, in one line."""
    asked_budget(arguments)
    for name, least in (("networks", 1), ("seeds", 1), ("repeats", 0), ("min_epochs", 1), ("storage_wait", 0)):
        value = getattr(arguments, name)
        if value is not None and value < least:
            raise IgcnasError(f"--{name.replace('_', '-')} {value} must be at least {least}")
    asked_workers(arguments)
    check_recipe_arguments(arguments)
    for name, known in (("objective", OBJECTIVES), ("sampler", (AUTO, *SAMPLERS)), ("pruner", PRUNERS)):
        value = getattr(arguments, name)
        added = names(ADDED_SAMPLERS) if name == "sampler" and value not in known else []
        if value not in known and value not in added:
            raise IgcnasError(unknown_name(name, value, (*known, *added)))
    if asked_ray(arguments) is not None and OBJECTIVES[arguments.objective].timed:
        raise IgcnasError(
            f"--objective {arguments.objective} compares times, which differ from machine to machine; leave out --ray, "
            "or use another --objective"
        )
    asked_timing(arguments)


def asked_budget(arguments: argparse.Namespace) -> Budget:
    """What the options allow; BudgetError where they allow nothing, or limit nothing."""
    given = {limit.name: getattr(arguments, f"budget_{limit.option}") for limit in (*LIMITS.values(), TIME)}
    asked = {name: number for name, number in given.items() if number is not None} | asked_limits(arguments)
    return Budget({name: limit_named(name).read(number) for name, number in asked.items()})


def asked_limits(arguments: argparse.Namespace) -> dict[str, float]:
    """The numbers behind --limit, by the names of the limits."""
    found = {}
    for word in arguments.limit:
        name, _, number = word.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            raise IgcnasError(f"--limit {shown(word)} must be NAME=N, as in macs=200000") from None
    return found


def asked_workers(arguments: argparse.Namespace) -> int | str:
    """A number, or 'auto'."""
    value = str(arguments.workers)
    if value == "auto":
        return value
    if not value.isdecimal() or int(value) < 1:
        raise IgcnasError(f"--workers {value} must be a number of 1 or more, or auto")
    return int(value)


def allowed_repeats(arguments: argparse.Namespace) -> int:
    """How many repeats the study may hold."""
    if arguments.seeds < 2:
        return 0
    return arguments.networks // 3 if arguments.repeats is None else int(arguments.repeats)


def study_settings(arguments: argparse.Namespace, space: SearchSpace, dataset: Dataset) -> StudySettings:
    """What the options mean for this space and this data; the training follows from the number of images."""
    from igcnas.search.settings import DataSettings, StudySettings
    from igcnas.training.recipes import short_settings

    limits = dict(asked_budget(arguments).limits)
    short = short_settings(len(dataset.train.labels), epochs=arguments.epochs, seed=arguments.seed)
    training = asked_training(arguments, short, input_shape=dataset.input_shape)
    min_epochs = arguments.min_epochs or 0
    if arguments.pruner != "none" and arguments.min_epochs is None:
        min_epochs = math.ceil(training.epochs / _FIRST_RUNG)
    return StudySettings(
        space=space.to_dict(),
        space_path=arguments.space,
        budget_macs=limits.pop("macs", None),
        limits=limits,
        objective=arguments.objective,
        sampler=resolve_sampler(arguments.sampler),
        baselines=not arguments.no_baselines,
        seed=arguments.seed,
        data=DataSettings.of(
            dataset,
            training,
            spec=arguments.data,
            data_dir=arguments.data_dir,
            image_size=arguments.image_size,
            skip_bad=arguments.skip_bad,
            groups=arguments.groups,
        ),
        training=training,
        pruner=arguments.pruner,
        min_epochs=min_epochs,
        latency=asked_timing(arguments),
    )


def default_name(settings: StudySettings) -> str:
    """Name of a study from data, space, budget and objective."""
    parts = [settings.data.name, settings.space["name"], settings.budget.letters()]
    if settings.objective != "front":
        parts.append(settings.objective)
    return joined(parts)
