"""Every way to train that `benchmarks.trial` compares: its name, what it is, what was predicted of it, its function.

To add one: a function (workload, place) -> (architecture, repeat) -> Outcome, and a row in VARIANTS. The outer function
does what a process does once; the inner one is a trial. Predictions were written before anything was timed; they are of
an epoch in seconds for cuda (IGCV3-D 1.0, 50,000 images, an H100, batch 128) and of throughput over that of the first
variant, on the same cores, for cpu (digits).
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from benchmarks.speed.outcome import Outcome
from benchmarks.speed.resident import ResidentBatches
from benchmarks.speed.stock import Form, Trial, train
from benchmarks.speed.workload import Workload
from igcnas.errors import IgcnasError, unknown_name
from igcnas.network.architecture import Architecture
from igcnas.training import trainer
from igcnas.training.device import prepare_device
from igcnas.training.reports import EpochReport
from igcnas.training.tensors import TrainingData

Train = Callable[[Architecture, int], Outcome]
LOADER, EAGER, FAST, GRAPH = "loader", "eager", "fast", "graph"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a process trains. loaders: processes that it may start. threads: None leaves them to the variant."""

    device: torch.device
    loaders: int
    threads: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to train. ours: igcnas, of which one process a core is the intended use.

    slow: devices on which few networks are enough. needs: says in words why it cannot run here; None if it can.
    """

    name: str
    what: str
    prepare: Callable[[Workload, Place], Train]
    predicted: Mapping[str, str]
    devices: tuple[str, ...] = ("cpu", "cuda")
    ours: bool = False
    slow: tuple[str, ...] = ()
    repeat: int = 0
    needs: Callable[[], str | None] = field(default=lambda: None)

    def missing(self, device: str) -> str | None:
        """Why it is not measured on this device, or None."""
        if device not in self.devices:
            return f"for {' and '.join(self.devices)} only"
        return self.needs()


def loader(*, tuned: bool) -> Callable[[Workload, Place], Train]:
    """(a) Loader processes, eager float32, NCHW, torch.optim.SGD as it comes."""

    def prepare(workload: Workload, place: Place) -> Train:
        from benchmarks.speed.loader import LoaderBatches  # a machine may lack Pillow

        data = TrainingData.of(workload.dataset, workload.settings, torch.device("cpu"))
        settings = workload.settings
        batches = LoaderBatches(data, settings.batch_size, place.device, loaders=place.loaders, tuned=tuned)

        def trial(architecture: Architecture, repeat: int) -> Outcome:
            return train(architecture, settings, batches, place.device, Form(waits=True), repeat=repeat)

        return trial

    return prepare


def resident(*, compiles: str | None = None) -> Callable[[Workload, Place], Train]:
    """(b), (c) Resident data, channels_last, bfloat16 on CUDA, fused SGD; eager or compiled."""

    def prepare(workload: Workload, place: Place) -> Train:
        settings = workload.settings
        batches = ResidentBatches(TrainingData.of(workload.dataset, settings, place.device), settings.batch_size)
        form = Form(channels_last=True, mixed=place.device.type == "cuda", fused=True, compiles=compiles)

        def trial(architecture: Architecture, repeat: int) -> Outcome:
            return train(architecture, settings, batches, place.device, form, repeat=repeat)

        return trial

    return prepare


def igcnas(engine: str, *, capture: bool | None = None) -> Callable[[Workload, Place], Train]:
    """Ours: `igcnas.training.trainer.train`, as the worker of a search calls it; capture: whether it must capture the
    step."""

    def prepare(workload: Workload, place: Place) -> Train:
        settings = dataclasses.replace(workload.settings, engine=engine)
        data = TrainingData.of(workload.dataset, settings, place.device)
        if place.threads is None:
            _, height, width = workload.dataset.input_shape
            prepare_device(place.device, height * width)

        def trial(architecture: Architecture, repeat: int) -> Outcome:
            measured = Trial(place.device)

            def epoch(report: EpochReport) -> None:
                measured.epoch(report.train_loss, report.val_accuracy)

            result = trainer.train(architecture, data, settings, repeat=repeat, on_epoch=epoch, capture=capture)
            return dataclasses.replace(measured.done(data.steps(settings.batch_size)), ran=result.steps)

        return trial

    return prepare


def _needs_compiler() -> str | None:
    if torch.cuda.is_available() or any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        return None
    return "Inductor needs a C++ compiler, and there is none"


_ROWS = (
    Variant(
        name=LOADER,
        what="as Optuna's PyTorch example and pytorch-cifar: images one by one through PIL in 2 processes that are "
        "started for each epoch, eager float32, NCHW, torch.optim.SGD, the loss read after each step",
        prepare=loader(tuned=False),
        predicted={"cpu": "1", "cuda": "9 to 10 s"},
        slow=("cuda",),
    ),
    Variant(
        name="loader, tuned",
        what="the same with loader processes that stay, and pinned memory",
        prepare=loader(tuned=True),
        predicted={"cpu": "1.3", "cuda": "9 s"},
        slow=("cuda",),
    ),
    Variant(
        name="resident",
        what="images resident as uint8, cropped and mirrored a whole epoch at once, channels_last, bfloat16 on CUDA, "
        "fused SGD, permutations by nn.ChannelShuffle",
        prepare=resident(),
        predicted={"cpu": "1.5", "cuda": "8.5 s"},
    ),
    Variant(
        name="compile",
        what="resident, with torch.compile in its default mode, an empty cache when the process starts",
        prepare=resident(compiles="default"),
        predicted={"cpu": "0.05", "cuda": "5 s and 60 s to compile"},
        slow=("cpu", "cuda"),
        needs=_needs_compiler,
    ),
    Variant(
        name="compile, reduce-overhead",
        what="resident, with torch.compile(mode='reduce-overhead'), which adds CUDA graphs",
        prepare=resident(compiles="reduce-overhead"),
        predicted={"cuda": "3 s and 60 s to compile"},
        devices=("cuda",),
        slow=("cuda",),
    ),
    Variant(
        name=EAGER,
        what="igcnas with stock operators (--engine eager): the oracle",
        prepare=igcnas("eager", capture=False),
        predicted={"cpu": "3", "cuda": "8.5 s"},
        ours=True,
    ),
    Variant(
        name="eager, another seed",
        what="the same with other first weights and another order: how far accuracies differ by chance",
        prepare=igcnas("eager", capture=False),
        predicted={"cpu": "3", "cuda": "8.5 s"},
        ours=True,
        repeat=1,
    ),
    Variant(
        name=FAST,
        what="igcnas with its own engine (--engine fast)",
        prepare=igcnas("fast"),
        predicted={"cpu": "6"},
        devices=("cpu",),
        ours=True,
    ),
    Variant(
        name=GRAPH,
        what="igcnas with the step of stock operators captured in a CUDA graph for each network",
        prepare=igcnas("fast", capture=True),
        predicted={"cuda": "2.9 s"},
        devices=("cuda",),
        ours=True,
    ),
)
VARIANTS: dict[str, Variant] = {variant.name: variant for variant in _ROWS}


def variant_of(name: str) -> Variant:
    """The variant of this name."""
    if name not in VARIANTS:
        raise IgcnasError(unknown_name("variant", name, VARIANTS))
    return VARIANTS[name]
