"""The proof of captured steps, here on the CPU with a stand-in for the capture: right ones pass, wrong ones do not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn

from igcnas.errors import CaptureError, MachineError
from igcnas.modules.layers import LEARNED as LEARNED_LAYERS
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock
from igcnas.network.grouping import GROUPINGS, Interleaved, MultiSpectral
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import Activation, Convolution, Pool
from igcnas.training import proof
from igcnas.training.comparing import Subject
from igcnas.training.graph import GraphSteps, Tensors
from igcnas.training.grouping_loss import GroupingLoss
from igcnas.training.recipes import Recipe
from igcnas.training.specimens import CLASSES, FIXED, LEARNED, SHAPE
from igcnas.training.steps import EagerSteps, LossOf
from igcnas.training.trust import NOT_NOW

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small(name: str, block: BasicBlock) -> Architecture:
    stage = Stage(block=block, width=8, repeats=1, stride=2)
    return Architecture(family=name, input_shape=SHAPE, num_classes=CLASSES, stem_channels=8, stages=(stage,))


# Two blocks suffice to find a wrong step; a whole specimen takes a second for each of four trainings.
SMALL = (
    small("small", BasicBlock(grouping=Interleaved(L=4, M=2))),
    small("gated", BasicBlock(grouping=MultiSpectral(heads=1), second=MultiSpectral(heads=2))),
)


class Recomputed:
    """What a capture is on a CPU: the computation is done again at each replay, into the same tensors."""

    def __init__(self, compute: Callable[[], Tensors], _pool: object) -> None:
        self.compute, self.outputs = compute, ()

    def replay(self) -> None:
        found = self.compute()
        if not self.outputs:
            self.outputs = found
        for held, new in zip(self.outputs, found, strict=True):
            held.copy_(new)

    def reset(self) -> None:
        self.outputs = ()


def eager(
    network_plan: Plan, network: nn.Sequential, recipe: Recipe, objective: GroupingLoss, loss_of: LossOf,
    *, mixed: bool, detailed: bool,
) -> EagerSteps:  # fmt: skip
    objective.place_numbers(CPU)
    return EagerSteps(network, recipe, loss_of, mixed=mixed, detailed=detailed)


def captured_by(capture: Any) -> Any:
    def make(
        network_plan: Plan, network: nn.Sequential, recipe: Recipe, objective: GroupingLoss, loss_of: LossOf,
        *, mixed: bool, detailed: bool,
    ) -> GraphSteps:  # fmt: skip
        objective.place_numbers(CPU)
        steps = GraphSteps(network, recipe, loss_of, mixed=mixed, detailed=detailed, capture=capture)
        capture.steps = steps
        return steps

    return make


def found(capture: Any, *, architectures: tuple[Architecture, ...] = SMALL) -> proof.Found:
    return proof.prove(CPU, eager=eager, captured=captured_by(capture), architectures=architectures, timed_steps=1)


def test_the_specimens_have_every_grouping_and_every_layer_that_can_be_trained() -> None:
    plans = [plan(architecture) for architecture in (FIXED, LEARNED)]
    layers = [layer for one in plans for _, layer in one.layers()]
    text = json.dumps([architecture.to_dict() for architecture in (FIXED, LEARNED)])
    assert [grouping.kind for grouping in GROUPINGS if f'"{grouping.kind}"' not in text] == []
    learned = {layer.learned.kind for layer in layers if isinstance(layer, Convolution) and layer.learned is not None}
    assert set(LEARNED_LAYERS) <= learned
    assert {layer.kind for layer in layers if isinstance(layer, Activation | Pool)} == {
        "relu", "relu6", "max", "average"
    }  # fmt: skip
    assert {"PadShortcut", "Permutation", "GlobalPool", "Linear", "Norm"} <= {type(layer).__name__ for layer in layers}


def test_right_steps_of_every_kind_are_found_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "_speedup", lambda *_: 3.0)
    verdict = found(Recomputed, architectures=(FIXED, LEARNED))
    assert verdict == proof.Found(captured=True, why="right, and 3.0 times as fast as eager", speedup=3.0)


class WrongLoss(Recomputed):
    """From the second replay on: the first one is held against an eager pass by the steps themselves."""

    def replay(self) -> None:
        super().replay()
        self.replays = getattr(self, "replays", 0) + 1
        if self.replays > 1 and self.outputs[0].ndim == 0:
            self.outputs[0].add_(0.2)


class StaleImages(Recomputed):
    """Each replay sees the batch of the first one."""

    def __init__(self, compute: Callable[[], Tensors], pool: object) -> None:
        super().__init__(compute, pool)
        self.images = self.steps._inputs[0].clone()  # type: ignore[attr-defined]

    def replay(self) -> None:
        self.steps._inputs[0].copy_(self.images)  # type: ignore[attr-defined]
        super().replay()


class StaleAnswers(Recomputed):
    """Evaluation sees the weights of its first replays."""

    def replay(self) -> None:
        if self.outputs and self.outputs[0].ndim == 2:
            return
        super().replay()


class NoStep(Recomputed):
    """The optimizer does nothing."""

    def replay(self) -> None:
        parameters = self.steps.parameters  # type: ignore[attr-defined]
        before = [parameter.detach().clone() for parameter in parameters]
        super().replay()
        with torch.no_grad():
            for parameter, old in zip(parameters, before, strict=True):
                parameter.copy_(old)


class StaleRate(Recomputed):
    """The rate is that of the step that was captured."""

    def __init__(self, compute: Callable[[], Tensors], pool: object) -> None:
        super().__init__(compute, pool)
        self.rates = [group["lr"] for group in self.steps.optimizer.param_groups]  # type: ignore[attr-defined]

    def replay(self) -> None:
        for group, rate in zip(self.steps.optimizer.param_groups, self.rates, strict=True):  # type: ignore[attr-defined]
            group["lr"] = rate
        super().replay()


class SameNoise(Recomputed):
    """Random numbers are those of the step that was captured."""

    def replay(self) -> None:
        if self.outputs:
            torch.set_rng_state(self.state)
        else:
            self.state = torch.get_rng_state()
        super().replay()


class NoGradient(Recomputed):
    """One gradient is not that of this step."""

    def replay(self) -> None:
        super().replay()
        if self.outputs[0].ndim == 0:
            weight = self.steps.network.get_parameter("stem.conv.weight")  # type: ignore[attr-defined]
            weight.grad.zero_()


class NotCounted(Recomputed):
    """Running statistics stand still."""

    def replay(self) -> None:
        buffers = dict(self.steps.network.named_buffers())  # type: ignore[attr-defined]
        before = {name: buffer.clone() for name, buffer in buffers.items()}
        super().replay()
        for name, buffer in buffers.items():
            buffer.copy_(before[name])


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (WrongLoss, "the loss of a step is off by"),
        (StaleImages, "the loss of a step is off by"),
        (StaleAnswers, "evaluation is off by"),
        (NoStep, "the loss of five steps is off by"),
        (StaleRate, "five steps"),
        (SameNoise, "the loss of a step is off by"),
        (NoGradient, "gradients are off by 1 (stem.conv.weight)"),
        (NotCounted, "weights after five steps are off by"),
    ],
)
def test_what_is_captured_wrongly_is_found(wrong: type[Recomputed], why: str) -> None:
    verdict = found(wrong)
    assert not verdict.captured
    assert why in verdict.why
    assert verdict.why.endswith("in float32")


def refused(_compute: Callable[[], Tensors], _pool: object) -> Recomputed:
    raise RuntimeError("operation not permitted when stream is capturing\nCUDA kernel errors might be reported later")


def test_a_capture_that_cuda_refuses_is_a_finding_with_its_reason() -> None:
    verdict = found(refused)
    assert verdict == proof.Found(
        captured=False,
        why="CUDA could not capture the step of this network (operation not permitted when stream is capturing)",
    )


class Untidy(Recomputed):
    """After a failure the device refuses everything, also what tidies up."""

    def replay(self) -> None:
        raise CaptureError("the first loss of a captured step is off by 3")

    def reset(self) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


def test_of_several_failures_the_first_is_told() -> None:
    assert found(Untidy).why == "the first loss of a captured step is off by 3"


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory. Tried"), RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when")]
)
def test_a_full_gpu_says_nothing_of_captured_steps(error: Exception) -> None:
    def full(_compute: Callable[[], Tensors], _pool: object) -> Recomputed:
        raise error

    with pytest.raises(MachineError):
        found(full)


@pytest.mark.parametrize(("times", "captured"), [(3.0, True), (1.05, True), (1.02, False), (0.5, False)])
def test_right_steps_must_also_be_faster(times: float, captured: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(subject: Subject, *_: object) -> float:
        return 2.0 if subject.steps.kind == "graph" else 2.0 * times

    monkeypatch.setattr(proof, "_seconds", seconds)
    verdict = found(Recomputed, architectures=SMALL[:1])
    assert verdict.captured is captured
    assert verdict.speedup == pytest.approx(times)
    assert ("no faster than eager" in verdict.why) is not captured


def test_without_a_gpu_the_program_says_so_in_one_line_and_gives_no_verdict(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert proof.main(["--device", "cuda", "--json"]) == NOT_NOW
    assert proof.main(["--device", "cpu"]) == NOT_NOW
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 2
