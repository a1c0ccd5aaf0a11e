"""ONNX files written from plans: they are the torch modules, for any batch and in every opset that can be asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator
from support.equality import finished, randomised, rebuilt
from support.networks import all_kinds
from support.oracle import export_by_torch
from torch import nn

from igcnas.errors import ExportError
from igcnas.export.onnx import INPUT, OPSETS, OUTPUT, write_onnx
from igcnas.modules.build import build
from igcnas.modules.lowering import Lowered, lower
from igcnas.network.architecture import Architecture
from igcnas.network.flow import Operation, flow
from igcnas.network.grouping import DynamicChannels
from igcnas.network.learned import Learned
from igcnas.network.literature import family
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import (
    Activation,
    Convolution,
    GatedConvolution,
    Gather,
    Layer,
    Linear,
    Normalize,
    PadShortcut,
    Pool,
    Sequence,
    SplitConvolution,
)

torch.set_num_threads(1)

PUBLISHED = {
    "igc": family("igc").build(L=4, M=2, depth=8, size=9),
    "regconv": family("regconv").build(width=4, depth=8, size=9),
    "igcv2": family("igcv2").build(width=16, K="4-4", depth=8, size=9),
    "igcv3": family("igcv3").build(width=0.25, repeats="1-2-1-1-1-1-1", size=17),
    "mobilenetv2": family("mobilenetv2").build(width=0.25, size=17),
    "flgc-mobilenetv2": family("flgc-mobilenetv2").build(width=0.25, groups=4, size=17),
    "resnext": family("resnext").build(groups=4, base=2, size=33, classes=5),
    "dg-resnext": family("dg-resnext").build(groups=4, base=2, size=33, classes=5),
    "msgc": family("msgc").build(host="mobilenetv2-cifar", attention=True, size=16),
    "dgc": family("dgc").build(stages="2-2-1", growth="4-8-8", size=9),
    "dgc-dropped": family("dgc").build(stages="2-2-1", growth="4-8-8", size=9, ties="dropped"),
    "condensenet": family("condensenet").build(stages="2-2-1", growth="8-8-8", size=9),
    "resnet-pad": family("resnet").build(depth=8, width=4, shortcut="pad", size=9),
}
NETWORKS: dict[str, Architecture] = {**all_kinds(), **PUBLISHED}


@cache
def trained(name: str) -> Lowered:
    """A network as it is exported: the normalization in front, all norms as if they had seen data."""
    network = plan(NETWORKS[name])
    channels = network.input_shape[0]
    normalize = Normalize("normalize", (0.4, 0.5, 0.6)[:channels], (0.2, 0.25, 0.3)[:channels])
    whole = Plan(Sequence("", (normalize, *network.root.layers)), network.input_shape)
    return lower(whole, finished(having_seen_data(randomised(whole), network.input_shape)))


def having_seen_data(module: nn.Sequential, input_shape: tuple[int, int, int]) -> nn.Sequential:
    """The same module, all norms with the statistics of some images; else the logits of deep ones are rounding."""
    norms = [child for child in module.modules() if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
        norm.weight.data.uniform_(0.5, 2.0)
        norm.bias.data.normal_(std=0.3)
    list(module.children())[-1].weight.data.normal_()
    with torch.no_grad():
        module(torch.rand(16, *input_shape))
    return module.eval()


def plain(*layers: Layer, channels: int, size: tuple[int, int]) -> Lowered:
    """A network of these layers alone, with random weights."""
    network = Plan(Sequence("", layers), (channels, *size))
    torch.manual_seed(0)
    module = build(network)
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            tensor.normal_()
    return Lowered(network, module.state_dict(), {})


def run(path: Path, images: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {INPUT: images.numpy()})
    return torch.from_numpy(found)


def is_its_module(path: Path, lowered: Lowered, batches: tuple[int, ...] = (1, 2, 5)) -> bool:
    """Whether the file gives the logits of the torch module, in each of these batches.

    Within 1e-5 of max(1, largest logit), or, in a network so deep that torch itself rounds by that much, three times
    its rounding.
    """
    module, exact = rebuilt(lowered), rebuilt(lowered).double()
    generator = torch.Generator().manual_seed(3)
    for batch in batches:
        images = torch.rand(batch, *lowered.plan.input_shape, generator=generator)
        with torch.no_grad():
            expected, rounding = module(images), (module(images) - exact(images.double())).abs().max()
        found = run(path, images)
        if found.shape != expected.shape or not close(found, expected, 3 * float(rounding)):
            return False
    return True


def close(found: torch.Tensor, expected: torch.Tensor, rounding: float = 0.0) -> bool:
    scale = max(1.0, float(expected.abs().max()))
    return float((found - expected).abs().max()) <= min(max(1e-5 * scale, rounding), 5e-5 * scale)


def checked(path: Path) -> onnx.ModelProto:
    """The model, after ONNX has checked it and inferred all shapes, which must be those that the file says."""
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_the_file_is_the_torch_module_for_batches_of_any_size(name: str, tmp_path: Path) -> None:
    lowered = trained(name)
    assert write_onnx(tmp_path / "model.onnx", lowered, {}) == 17
    checked(tmp_path / "model.onnx")
    assert is_its_module(tmp_path / "model.onnx", lowered)


@cache
def each_operation_once() -> dict[str, frozenset[type]]:
    """As few of the networks as have all operations of a plan, with what each of them adds."""
    found: dict[str, frozenset[type]] = {}
    for name in sorted(NETWORKS, key=lambda name: len(flow(trained(name).plan))):
        new = frozenset(type(step.operation) for step in flow(trained(name).plan)) - frozenset().union(*found.values())
        if new:
            found[name] = new
    return found


def test_every_operation_of_a_plan_is_in_some_network_here() -> None:
    assert frozenset().union(*each_operation_once().values()) == set(get_args(Operation))


@pytest.mark.parametrize("opset", range(OPSETS[0], OPSETS[1] + 1))
def test_every_operation_is_written_in_every_opset(opset: int, tmp_path: Path) -> None:
    for name in (*each_operation_once(), "dgc-dropped", "msgc"):
        path = tmp_path / f"{name}.onnx"
        assert write_onnx(path, trained(name), {}, opset) == opset
        assert [(one.domain, one.version) for one in checked(path).opset_import] == [("", opset)]
        assert is_its_module(path, trained(name), (2,)), name


@pytest.mark.parametrize("kind", ["resnet-pad", "flgc-", "msgc-mobilenetv2-", "dgc-", "condensenet-"])
def test_the_exporter_of_torch_says_the_same_and_writes_as_many_convolutions(kind: str, tmp_path: Path) -> None:
    lowered = trained(next(name for name in NETWORKS if name.startswith(kind)))
    export_by_torch(tmp_path / "torch.onnx", rebuilt(lowered), lowered.plan.input_shape)
    write_onnx(tmp_path / "ours.onnx", lowered, {})
    for batch in (1, 2, 5):
        images = torch.rand(batch, *lowered.plan.input_shape, generator=torch.Generator().manual_seed(batch))
        assert close(run(tmp_path / "ours.onnx", images), run(tmp_path / "torch.onnx", images))
    ours, theirs = (counted(tmp_path / name) for name in ("ours.onnx", "torch.onnx"))
    splits = [layer for _, layer in lowered.plan.layers() if isinstance(layer, SplitConvolution)]
    empty = sum(not i and o > 0 for layer in splits for i, o in zip(layer.in_groups, layer.out_groups, strict=True))
    assert ours["Conv"] == theirs["Conv"] + empty
    assert all(ours[one] == theirs[one] for one in ("Gather", "Add", "Gemm", "Relu", "Clip", "Mul", "TopK", "Cast"))


def counted(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


@pytest.mark.parametrize("name", ["flgc-mobilenetv2", "dgc"])
def test_the_reference_of_onnx_itself_says_the_same(name: str, tmp_path: Path) -> None:
    small = next(key for key in all_kinds() if key.startswith(name.partition("-")[0]))
    write_onnx(tmp_path / "model.onnx", trained(small), {})
    images = torch.rand(2, *trained(small).plan.input_shape)
    (found,) = ReferenceEvaluator(str(tmp_path / "model.onnx")).run(None, {INPUT: images.numpy()})
    assert close(torch.from_numpy(found), run(tmp_path / "model.onnx", images))


sizes = st.tuples(st.integers(1, 11), st.integers(1, 11))


@settings(max_examples=60, deadline=None)
@given(
    groups=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=5).filter(
        lambda found: sum(i for i, _ in found) > 0 and sum(o for _, o in found) > 0
    ),
    bias=st.booleans(),
)
def test_groups_of_any_sizes_are_convolved_as_torch_does(
    tmp_path_factory: pytest.TempPathFactory, groups: list[tuple[int, int]], bias: bool
) -> None:
    layer = SplitConvolution("split", tuple(i for i, _ in groups), tuple(o for _, o in groups), (3, 2), bias)
    lowered = plain(layer, channels=layer.in_channels, size=(3, 2))
    path = tmp_path_factory.mktemp("split") / "model.onnx"
    write_onnx(path, lowered, {})
    checked(path)
    assert is_its_module(path, lowered, (1, 3))


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(["max", "average"]), kernel=st.integers(2, 5), stride=st.integers(1, 3), size=sizes)
def test_windows_at_the_border_are_pooled_as_torch_does(
    tmp_path_factory: pytest.TempPathFactory, kind: str, kernel: int, stride: int, size: tuple[int, int]
) -> None:
    # As plans have them: a maximum over windows with a centre, an average over windows that do not overlap.
    kernel, stride = (kernel | 1, stride) if kind == "max" else (kernel, kernel)
    lowered = plain(Pool("pool", kind, 2, kernel, stride, size), channels=2, size=size)
    path = tmp_path_factory.mktemp("pool") / "model.onnx"
    write_onnx(path, lowered, {})
    checked(path)
    assert is_its_module(path, lowered, (1, 3))


@settings(max_examples=40, deadline=None)
@given(channels=st.integers(1, 4), new=st.integers(0, 5), stride=st.integers(1, 3), size=sizes)
def test_a_shortcut_without_weights_takes_the_pixels_that_torch_takes(
    tmp_path_factory: pytest.TempPathFactory, channels: int, new: int, stride: int, size: tuple[int, int]
) -> None:
    lowered = plain(PadShortcut("pad", channels, channels + new, stride, size), channels=channels, size=size)
    path = tmp_path_factory.mktemp("pad") / "model.onnx"
    write_onnx(path, lowered, {})
    checked(path)
    assert is_its_module(path, lowered, (1, 3))


def every_kernel() -> Iterator[Convolution]:
    for kernel in (1, 3, 5, 7):
        for stride in (1, 2):
            for groups in (1, 2, 6):
                for bias in (False, True):
                    yield Convolution("conv", 6, 12, kernel, stride, groups, (5, 8), bias=bias)


@pytest.mark.parametrize("layer", list(every_kernel()), ids=lambda one: "-".join(map(str, (*one[3:6], one.bias))))
def test_a_convolution_of_any_kernel_stride_groups_and_bias_is_that_of_torch(
    layer: Convolution, tmp_path: Path
) -> None:
    lowered = plain(layer, channels=6, size=(5, 8))
    write_onnx(tmp_path / "model.onnx", lowered, {})
    checked(tmp_path / "model.onnx")
    assert is_its_module(tmp_path / "model.onnx", lowered)


@pytest.mark.parametrize("kind", ["relu", "relu6"])
def test_an_activation_cuts_where_torch_cuts(kind: str, tmp_path: Path) -> None:
    scale = Normalize("scale", (0.5,), (0.05,))  # from -10 to 10
    lowered = plain(scale, Activation("act", kind, 1, (9, 9)), channels=1, size=(9, 9))
    write_onnx(tmp_path / "model.onnx", lowered, {})
    found = run(tmp_path / "model.onnx", torch.linspace(0, 1, 81).view(1, 1, 9, 9))
    assert float(found.min()) == 0.0
    assert float(found.max()) == {"relu": 10.0, "relu6": 6.0}[kind]
    assert is_its_module(tmp_path / "model.onnx", lowered)


def salient(*, ties: str, keep: float) -> Lowered:
    """A layer of which all input channels are equally salient in the first head, and in pairs in the second."""
    grouping: Learned = DynamicChannels(heads=2, keep=keep, ties=ties)
    layer = GatedConvolution("conv", 6, 4, 3, 1, (4, 4), grouping, 0, 0)
    lowered = plain(layer, channels=6, size=(4, 4))
    lowered.state["conv.squeeze.weight"].zero_()
    bias = lowered.state["conv.expand.bias"]
    bias.copy_(torch.tensor([1.0] * 6 + [1.0, 2.0, 2.0, 1.0, 1.0, 0.5]))
    return lowered


@pytest.mark.parametrize(
    ("ties", "keep", "kept"),
    [
        ("first", 0.5, [{0, 1, 2}, {0, 1, 2}]),
        ("dropped", 0.5, [set(), {1, 2}]),
        ("dropped", 1.0, [set(range(6)), set(range(6))]),
    ],
)
def test_of_equally_salient_channels_those_stay_that_stay_in_torch(
    ties: str, keep: float, kept: list[set[int]], tmp_path: Path
) -> None:
    lowered = salient(ties=ties, keep=keep)
    write_onnx(tmp_path / "model.onnx", lowered, {})
    assert is_its_module(tmp_path / "model.onnx", lowered)
    one = torch.rand(1, 6, 4, 4)
    before = run(tmp_path / "model.onnx", one)
    for head, channels in enumerate(kept):
        read = set()
        for channel in range(6):
            other = one.clone()
            other[:, channel] += 1.0
            if (run(tmp_path / "model.onnx", other) != before)[0, 2 * head : 2 * head + 2].any():
                read.add(channel)
        assert read == channels


def test_a_linear_layer_without_bias_and_a_gather_of_a_vector_are_written(tmp_path: Path) -> None:
    network = plan(NETWORKS["resnet-pad"])
    *before, last = network.root.layers
    assert isinstance(last, Linear)
    order = Gather("order", tuple(reversed(range(last.in_features))))
    linear = Linear(last.name, last.in_features, 3, bias=False)
    whole = Plan(Sequence("", (*before, order, linear)), network.input_shape)
    lowered = Lowered(whole, randomised(whole).state_dict(), {})
    write_onnx(tmp_path / "model.onnx", lowered, {})
    checked(tmp_path / "model.onnx")
    assert is_its_module(tmp_path / "model.onnx", lowered)


@pytest.mark.parametrize("name", ["flgc-mobilenetv2", "msgc", "dgc"])
def test_a_file_says_shapes_and_names_that_a_reader_knows_from_the_plan(name: str, tmp_path: Path) -> None:
    lowered = trained(name)
    write_onnx(tmp_path / "model.onnx", lowered, {})
    graph = onnx.load(tmp_path / "model.onnx").graph
    dims = {one.name: [d.dim_param or d.dim_value for d in one.type.tensor_type.shape.dim] for one in all_values(graph)}
    assert dims[INPUT] == ["batch", *lowered.plan.input_shape]
    assert dims[OUTPUT] == ["batch", NETWORKS[name].num_classes]
    steps = {step.path: step.shape for step in flow(lowered.plan)}
    for path, _ in list(lowered.plan.layers())[:-1]:
        assert dims[path] in (["batch", steps[path].channels, *steps[path].size], ["batch", steps[path].channels])
    paths = {step.path for step in flow(lowered.plan)}
    assert all(any(node.name == path or node.name.startswith(f"{path}.") for path in paths) for node in graph.node)
    assert len({node.name for node in graph.node}) == len(graph.node)
    named = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer if one.name in lowered.state}
    assert len(named) > 0.5 * len(graph.initializer)
    assert all(np.array_equal(array, lowered.state[key].numpy()) for key, array in named.items())


def all_values(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    return [*graph.input, *graph.value_info, *graph.output]


def test_a_file_is_one_with_its_weights_as_bytes_and_nothing_of_this_computer(tmp_path: Path) -> None:
    write_onnx(tmp_path / "model.onnx", trained("flgc-mobilenetv2"), {"family": "flgc", "classes": '["\u00e9"]'})
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    model = onnx.load(tmp_path / "model.onnx", load_external_data=False)
    assert all(one.HasField("raw_data") and not one.external_data for one in model.graph.initializer)
    assert {one.key: one.value for one in model.metadata_props} == {"family": "flgc", "classes": '["\u00e9"]'}
    assert model.ir_version <= 10  # what the oldest onnxruntime of pyproject.toml reads
    content = (tmp_path / "model.onnx").read_bytes()
    assert b".py" not in content
    assert str(Path(__file__).parents[1]).encode() not in content


def test_the_same_network_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_onnx(tmp_path / name, trained("msgc"), {"b": "1", "a": "2"})
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_what_is_still_learned_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    network = plan(PUBLISHED["flgc-mobilenetv2"])
    with pytest.raises(ExportError, match=r"^layer \S+ is still learned; lower the network first$"):
        write_onnx(tmp_path / "model.onnx", Lowered(network, build(network).state_dict(), {}), {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("opset", [OPSETS[0] - 1, OPSETS[1] + 1])
def test_another_opset_is_refused_in_one_line_that_says_which_can_be_had(opset: int, tmp_path: Path) -> None:
    with pytest.raises(
        ExportError, match=rf"^--opset {opset} cannot be written; 17 to \d\d can, and without the option"
    ):
        write_onnx(tmp_path / "model.onnx", trained("igc"), {}, opset)
    assert list(tmp_path.iterdir()) == []
