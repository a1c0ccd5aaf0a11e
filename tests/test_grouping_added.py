"""A learned grouping added as ARCHITECTURE.md describes: counted, named, explained, drawn, trained, lowered."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from onnx import TensorProto
from torch import nn

from igcnas.cli import main
from igcnas.data.dataset import Dataset, Split
from igcnas.drawing.explanation import block_of
from igcnas.drawing.learned import module_connections
from igcnas.drawing.sketch import compute_sketch
from igcnas.errors import IgcnasError
from igcnas.export.folder import export_network
from igcnas.export.onnx import write_onnx
from igcnas.export.onnx.graph import Graph
from igcnas.modules.build import build
from igcnas.modules.layers import LEARNED, GatedModule, LearnedModule, gated_arguments
from igcnas.modules.lowering import Replacement, lower
from igcnas.network import grouping as groupings
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import InvertedResidual
from igcnas.network.canonical import canonical_id
from igcnas.network.conventions import msgc
from igcnas.network.cost import count, count_plan
from igcnas.network.grouping import KINDS, ChosenByImage
from igcnas.network.grouping.base import DecidedOnce
from igcnas.network.learned import Overhead
from igcnas.network.plan import plan
from igcnas.network.primitives import Convolution, GatedConvolution, Gather, Layer, Size
from igcnas.system.checks import require_positive
from igcnas.training.recipes import short_settings
from igcnas.training.tensors import TrainingData
from igcnas.training.trainer import train


@dataclass(frozen=True, slots=True, kw_only=True)
class Strongest(DecidedOnce):
    """The module in grouping/: every filter reads the same `inputs` input channels, those of the largest weights."""

    kind: ClassVar[str] = "strongest"
    inputs: int

    def __post_init__(self) -> None:
        require_positive(inputs=self.inputs)

    def check(self, in_channels: int, out_channels: int) -> None:
        """Nothing more."""

    def connections(self, in_channels: int, out_channels: int) -> int:
        return min(self.inputs, in_channels) * out_channels

    def decision_parameters(self, in_channels: int, out_channels: int) -> int:
        return 0

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        return (Convolution(name, in_channels, out_channels, kernel, stride, 1, in_size, self),)

    def label(self) -> str:
        return f"S{self.inputs}"


class StrongestConv(LearnedModule):
    """The module in layers/."""

    def __init__(self, layer: Convolution) -> None:
        super().__init__()
        assert isinstance(layer.learned, Strongest)
        self.inputs = min(layer.learned.inputs, layer.in_channels)
        self.weight = nn.Parameter(torch.randn(layer.out_channels, layer.in_channels, layer.kernel, layer.kernel))
        self.stride, self.padding = layer.stride, layer.kernel // 2

    def kept(self) -> list[int]:
        strength = self.weight.detach().abs().sum((0, 2, 3))
        return sorted(strength.topk(self.inputs).indices.tolist())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = torch.zeros(self.weight.shape[1])
        mask[self.kept()] = 1.0
        return nn.functional.conv2d(x, self.weight * mask[:, None, None], stride=self.stride, padding=self.padding)

    def lowered(self, layer: Convolution, names: set[str]) -> Replacement:
        kept = self.kept()
        gather = Gather(f"{layer.name}_in", tuple(kept))
        plain = layer._replace(learned=None, in_channels=len(kept))
        state = {f"{layer.name}.weight": self.weight.detach()[:, kept]}
        return Replacement((gather, plain), state, {"kept": kept, "filters": [0] * layer.out_channels})


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two places that the recipe names."""
    monkeypatch.setitem(KINDS._known, Strongest.kind, Strongest)
    monkeypatch.setitem(LEARNED, Strongest.kind, StrongestConv)


def network(inputs: int = 3, *, stages: int = 1) -> Architecture:
    block = InvertedResidual(expansion=2, expand=Strongest(inputs=inputs), project=Strongest(inputs=inputs))
    stage = Stage(block=block, width=8, repeats=2)
    return Architecture(family="added", input_shape=(1, 8, 8), num_classes=3, stem_channels=8, stages=(stage,) * stages)


def test_it_is_counted_and_its_description_survives_json():
    one = network()
    assert Architecture.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    weights = [layer.connections for _, layer in plan(one).layers() if isinstance(layer, Convolution) and layer.learned]
    assert weights == [3 * 16, 3 * 8] * 2


def test_its_id_knows_its_fields_and_nothing_else():
    assert canonical_id(network()) == canonical_id(network())
    assert canonical_id(network(3)) != canonical_id(network(4))
    split = network(stages=2)  # four blocks, either way
    joined = network()
    whole = Architecture(**{**_fields(joined), "stages": (Stage(block=joined.stages[0].block, width=8, repeats=4),)})
    assert canonical_id(split) != canonical_id(joined)
    assert canonical_id(whole) != canonical_id(joined)


def _fields(one: Architecture) -> dict[str, object]:
    return {name: getattr(one, name) for name in Architecture.__dataclass_fields__}


def test_it_is_explained_and_drawn_in_words_of_its_own():
    block = block_of(network())
    assert "S3" in block.title
    assert block.captions["expand"] == "expansion: strongest, S3, learned"
    sketch = compute_sketch(block)
    assert sketch.undecided == "training"
    assert any("S3" in line for transfer in sketch.transfers for line in transfer.heading)


def test_the_commands_count_explain_and_draw_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "added.json"
    path.write_text(json.dumps(network().to_dict()))
    assert main(["count", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["macs"] == count(network()).macs
    assert main(["draw", str(path), "--out", str(tmp_path / "added.svg")]) == 0
    assert "S3" in (tmp_path / "added.svg").read_text(encoding="utf-8")


def test_it_is_lowered_to_the_same_function_at_the_counted_cost():
    torch.manual_seed(0)
    one = network()
    module = build(plan(one)).eval()
    lowered = lower(plan(one), module)
    plain = build(lowered.plan)
    plain.load_state_dict(lowered.state)
    images = torch.randn(2, 1, 8, 8)
    torch.testing.assert_close(plain.eval()(images), module(images))
    assert count_plan(lowered.plan).macs == count(one).macs


def test_each_kind_of_the_literature_says_what_makes_it_another_network():
    """The ids of networks in studies that users have rest on these."""
    flgc = groupings.LearnedGrouping(groups=2)
    assert flgc.identity(4, 6, 0) == ("flgc", 2, (2, 2), (3, 3), flgc.nonempty)
    assert groupings.LearnedGrouping(groups=1).identity(4, 6, 0) is None
    assert flgc.told_apart(4, 6) == (None, None)
    gates = groupings.KroneckerGrouping(groups=2)
    assert gates.identity(8, 8, 0) == ("dgconv", 2, True)
    assert [groupings.KroneckerGrouping(groups=g).identity(8, 8, 0) for g in (1, 8)] == [None, None]
    assert groupings.KroneckerGrouping(groups=1, balanced=False).identity(8, 8, 0) == ("dgconv", 1, False)
    assert groupings.KroneckerGrouping(groups=1, balanced=False).identity(1, 1, 0) is None
    assert [list(marks) for marks in gates.told_apart(4, 4)] == [[0, 1, 2, 3]] * 2
    condensing = groupings.Condensing(groups=2, factor=3)
    assert condensing.identity(6, 4, 0) == ("condensing", 2, 3)
    assert condensing.told_apart(6, 4) == (None, [0, 1, 0, 1])
    spectral = groupings.MultiSpectral(heads=2, keep=0.5, attention=True, reduction=4)
    assert spectral.identity(8, 4, 16) == ("msgc", 2, 0.5, True, 4)
    dynamic = groupings.DynamicChannels(heads=2, keep=0.25)
    assert dynamic.identity(8, 4, 0) == ("dgc", 2, 0.25)
    assert spectral.told_apart(8, 4) == dynamic.told_apart(8, 4) == (None, [0, 0, 1, 1])
    assert flgc.caption(4) == "FLGC: G = 2 learned groups"
    assert gates.caption(4) == "DGConv: 2 learned groups"
    assert groupings.KroneckerGrouping(groups=2, balanced=False).caption(4) == "DGConv: about 2 learned groups"
    assert condensing.caption(6) == "condensing: 2 groups keep 2 inputs each"
    assert spectral.caption(8) == "MSGC: 2 heads, each image keeps 50%"
    assert groupings.DynamicChannels(heads=1, keep=0.25).caption(8) == "DGC: 1 head, each image keeps 25%"
    assert (*map(list, Strongest(inputs=3).told_apart(2, 3)),) == ([0, 1], [0, 1, 2])
    assert Strongest(inputs=3).identity(2, 3, 0) == ("strongest", 3)


# A kind that chooses for each image


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudest(ChosenByImage):
    """The module in grouping/: each image keeps the `inputs` channels whose pixels are the largest in the mean."""

    kind: ClassVar[str] = "loudest"
    inputs: int
    heads: ClassVar[int] = 1

    def check(self, in_channels: int, out_channels: int) -> None:
        """Nothing more."""

    def connections(self, in_channels: int, out_channels: int) -> int:
        return min(self.inputs, in_channels) * out_channels

    def overhead(self, in_channels: int, out_channels: int, context_channels: int) -> Overhead:
        return Overhead()

    def layers(
        self, name: str, in_channels: int, out_channels: int, kernel: int, stride: int, in_size: Size
    ) -> tuple[Layer, ...]:
        return (Convolution(name, in_channels, out_channels, kernel, stride, 1, in_size, self),)

    def gate_arguments(self, in_channels: int, context_channels: int) -> dict[str, int]:
        return {"kept": min(self.inputs, in_channels)}

    def label(self) -> str:
        return f"N{self.inputs}"


class LoudConv(nn.Module):
    """What stays after training: torch alone, because it stands in model.py."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, kept: int) -> None:
        super().__init__()
        self.kept, self.stride, self.padding, self.heads = kept, stride, kernel // 2, 1
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))

    def gates(self, context_BC: torch.Tensor) -> torch.Tensor:
        """Ones at the loudest."""
        return (context_BC >= context_BC.topk(self.kept).values[:, -1:]).to(context_BC.dtype)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Convolve what is kept."""
        x_BCHW = x_BCHW * self.gates(x_BCHW.mean((2, 3)))[:, :, None, None]
        return nn.functional.conv2d(x_BCHW, self.weight, stride=self.stride, padding=self.padding)


class LoudLayer(GatedModule, LoudConv):
    """The module in layers/."""

    frozen = LoudConv

    @staticmethod
    def gates_in_onnx(graph: Graph, layer: GatedConvolution, path: str, context: str) -> str:
        """As LoudConv.gates."""
        largest = graph.integers(gated_arguments(layer)["kept"])
        top, _ = graph.split("TopK", [context, largest], f"{path}.top", [f"{path}.top", f"{path}.places"], axis=1)
        least = graph.slice(top, f"{path}.least", starts=[-1], ends=[layer.in_channels], axes=[1])
        kept = graph.node("GreaterOrEqual", [context, least], f"{path}.kept")
        return graph.node("Cast", [kept], f"{path}.gates", to=TensorProto.FLOAT)

    def __init__(self, layer: Convolution) -> None:
        super().__init__(**gated_arguments(layer))

    def choices(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.gates(inputs[0].mean((2, 3)))[:, None]


@pytest.fixture
def loud(monkeypatch: pytest.MonkeyPatch) -> Architecture:
    """A network of that kind."""
    monkeypatch.setitem(KINDS._known, Loudest.kind, Loudest)
    monkeypatch.setitem(LEARNED, Loudest.kind, LoudLayer)
    block = InvertedResidual(expansion=2, expand=Loudest(inputs=3), project=Loudest(inputs=5))
    stage = Stage(block=block, width=8, repeats=2)
    return Architecture(family="loud", input_shape=(1, 8, 8), num_classes=3, stem_channels=8, stages=(stage,))


@pytest.fixture
def data() -> TrainingData:
    """Random images of three classes."""
    random = np.random.default_rng(0)
    images = random.integers(0, 255, (60, 1, 8, 8)).astype(np.uint8)
    split = Split(images=images, labels=np.arange(60) % 3)
    classes = ("a", "b", "c")
    dataset = Dataset(name="random", classes=classes, train=split, load_test=lambda: split, flip=False, pad=0)
    return TrainingData.of(dataset, HOW, torch.device("cpu"))


HOW = short_settings(60, epochs=1, seed=0)


def trained(one: Architecture, data: TrainingData, engine: str) -> dict[str, torch.Tensor]:
    return train(one, data, dataclasses.replace(HOW, engine=engine)).network.state_dict()


def test_a_layer_that_the_fast_engine_cannot_read_is_trained_by_torch_and_says_so(
    data: TrainingData, caplog: pytest.LogCaptureFixture
):
    fast = trained(network(), data, "fast")
    said = "StrongestConv has no reading in the fast engine; this network is trained eagerly"
    assert said in [record.getMessage() for record in caplog.records]
    eager = trained(network(), data, "eager")
    assert all(torch.equal(fast[name], eager[name]) for name in eager)


def test_gates_of_an_added_kind_are_trained_by_both_engines(loud: Architecture, data: TrainingData):
    fast, eager = trained(loud, data, "fast"), trained(loud, data, "eager")
    for name in eager:
        torch.testing.assert_close(fast[name], eager[name], rtol=1e-3, atol=1e-4)


def test_an_added_kind_that_chooses_for_each_image_is_counted_drawn_and_exported(loud: Architecture, tmp_path: Path):
    torch.manual_seed(0)
    module = build(plan(loud)).eval()
    shares = module_connections(module, torch.rand(5, 1, 8, 8))
    assert len(shares) == 4
    assert compute_sketch(block_of(loud)).undecided == "image"
    with pytest.raises(IgcnasError, match=r"use macs$"):
        msgc.figure(plan(loud))
    report = export_network(
        folder=tmp_path / "out",
        architecture=loud,
        state=module.state_dict(),
        mean=[0.5],
        std=[0.5],
        classes=["a", "b", "c"],
        test=None,
        facts={},
    )
    assert report.macs == count(loud).macs
    assert "class LoudConv(nn.Module)" in (tmp_path / "out" / "model.py").read_text(encoding="utf-8")
    assert report.parity["onnx"] < 1e-5


def test_an_added_kind_that_does_not_say_how_its_gates_are_written_is_not_exported(
    loud: Architecture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delattr(LoudLayer, "gates_in_onnx")
    lowered = lower(plan(loud), build(plan(loud)))
    with pytest.raises(
        IgcnasError, match=r"^layer expand: a LoudLayer does not say how its gates are written in ONNX;"
    ):
        write_onnx(tmp_path / "model.onnx", lowered, {})
    assert list(tmp_path.iterdir()) == []
