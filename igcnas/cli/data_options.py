"""The options that name data, and how they come to the network."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.data.loading import DATASETS

if TYPE_CHECKING:
    from igcnas.training.runs.data import RunData


def data_help() -> str:
    """What may be named as data."""
    known = ", ".join(f"{name} ({words})" if words else name for name, words in DATASETS.items())
    return f"{known}, or NAME[:PATH] of an installed package"


def add_source_arguments(
    parser: argparse.ArgumentParser, *, default: str | None = "digits", said: str = "%(default)s"
) -> None:
    """Which images, at which size. said: the default in words."""
    parser.add_argument("--data", default=default, metavar="SPEC", help=f"{data_help()} (default: {said})")
    add_place_arguments(parser)


def add_place_arguments(parser: argparse.ArgumentParser) -> None:
    """Where they are, at which size, and whether all must be good."""
    add = parser.add_argument
    add("--data-dir", type=Path, metavar="DIR", help="where the files of CIFAR or SVHN are")
    add("--image-size", type=int, metavar="N", help="resize and crop the images of an image folder to N x N pixels")
    add("--skip-bad", action="store_true", help="leave out the images of an image folder that cannot be decoded")


def add_groups(parser: argparse.ArgumentParser) -> None:
    """Which images belong together."""
    parser.add_argument(
        "--groups",
        metavar="FILE.csv|PATTERN",
        help="pictures that stay together on one side of a split: a CSV file with the columns picture (its path within "
        "the folder) and group, or a regular expression in which parentheses mark the group in that path, such as "
        "'patient(\\d+)_'; of npz the array that has the group of each training image",
    )


def add_data_arguments(
    parser: argparse.ArgumentParser, *, default: str | None = "digits", said: str = "%(default)s"
) -> None:
    """All options of data that may be streamed, and the device. said: the default data in words."""
    add_source_arguments(parser, default=default, said=said)
    add_groups(parser)
    add = parser.add_argument
    add(
        "--stream",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="decode an image folder while training, instead of into memory (default: where the decoded images exceed "
        "--memory-limit-gb)",
    )
    add("--memory-limit-gb", type=float, default=4.0, metavar="GB", help="see --stream (default: %(default)s)")
    add("--workers", type=int, metavar="N", help="processes that decode streamed images (default: by the cores)")
    add("--device", default="auto", metavar="NAME", help="auto (CUDA, else CPU), cpu, cuda or cuda:N (default: auto)")


def open_named_data(arguments: argparse.Namespace, *, own_validation: bool = True) -> RunData:
    """The data that the options name; own_validation False as in trainings from before that was looked at."""
    from igcnas.training.runs.data import open_data

    return open_data(
        arguments.data,
        data_dir=arguments.data_dir,
        image_size=arguments.image_size,
        stream=arguments.stream,
        memory_limit_gb=arguments.memory_limit_gb,
        skip_bad=arguments.skip_bad,
        own_validation=own_validation,
        groups=arguments.groups,
    )
