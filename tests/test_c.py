"""A network as one C file: it answers as torch does, whatever compiles it, and its arena holds what is alive."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.networks import all_kinds
from torch import nn

from igcnas.export.c.arena import Span, live_bound, place
from igcnas.export.c.exporter import write
from igcnas.export.c.files import texts
from igcnas.export.c.operations import Convolve, Pair
from igcnas.export.c.program import Program, program
from igcnas.export.c.values import buffers
from igcnas.export.c.writing import lifetimes, source
from igcnas.export.exporters import Trained
from igcnas.modules.build import build
from igcnas.modules.lowering import Lowered, lower
from igcnas.network import primitives
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import InvertedResidual
from igcnas.network.grouping import Dense, Group
from igcnas.network.literature import family
from igcnas.network.plan import Plan, plan

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror")
FASTEST = ("-O3", "-march=native", "-ffp-contract=fast")
# One of each thing that C does differently: gates by sign and by saliency, masks of small maps, concatenation, pooling,
# strides, unequal groups, a shortcut without parameters.
FEW = ("msgc-384cf2f39eb7", "dgc-b3f80414a4bf", "condensenet-a9ca72736bf4", "igcv3-789633ae2aba", "igcv1-4d422f7bb320")


@cache
def networks() -> dict[str, Architecture]:
    wide = {
        "rows": family("igcv3").build(classes=3, size=32, width=0.25, repeats="1-2-1-1-1-1-1"),
        "strips": Architecture(
            family="random",
            input_shape=(3, 32, 32),
            num_classes=3,
            stem_channels=24,
            stages=(
                Stage(
                    block=InvertedResidual(expansion=1, expand=Dense(), project=Dense(), always_expand=False),
                    width=24,
                    repeats=2,
                    stride=1,
                ),
                Stage(
                    block=InvertedResidual(expansion=4, expand=Dense(), project=Group(groups=2)),
                    width=24,
                    repeats=2,
                    stride=1,
                ),
                Stage(
                    block=InvertedResidual(expansion=6, expand=Dense(), project=Dense()), width=24, repeats=1, stride=2
                ),
            ),
        ),
        "padded": family("resnet").build(depth=8, classes=3, size=16, shortcut="pad"),
    }
    return {**all_kinds(), **wide}


@cache
def lowered(name: str) -> tuple[Lowered, nn.Module]:
    """The network with a normalization in front, norms that do something, and logits of some size."""
    architecture = networks()[name]
    network = plan(architecture)
    channels = architecture.input_shape[0]
    normalize = primitives.Normalize("normalize", (0.45,) * channels, (0.22,) * channels)
    whole = Plan(primitives.Sequence("network", (normalize, *network.root.layers)), network.input_shape)
    torch.manual_seed(0)
    module = build(whole).eval()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            for tensor, low, high in ((part.weight, 0.5, 1.5), (part.bias, -0.5, 0.5), (part.running_var, 0.5, 1.5)):
                tensor.data.uniform_(low, high)
            part.running_mean.normal_(0, 0.3)
        elif isinstance(part, nn.Linear) and part.out_features == architecture.num_classes:
            part.weight.data.mul_(50)
    found = lower(whole, module)
    plain = build(found.plan).eval()
    plain.load_state_dict(found.state)
    return found, plain


@cache
def made(name: str) -> Program:
    return program(lowered(name)[0])


def written(name: str, folder: Path) -> Path:
    """model.c and what belongs to it, as an export has them."""
    _, module = lowered(name)
    metadata = {"family": "a test", "id": "*/ ??/", "macs": "1", "preparation": '{"steps": {"one": "nothing"}}'}
    classes = [f'{number} "ü" \\ ??/' for number in range(networks()[name].num_classes)]
    path = folder / "model.c"
    write(
        path,
        Trained(
            plan=lowered(name)[0].plan, module=module, lowered=lowered(name)[0], classes=classes, metadata=metadata
        ),
    )
    return path


def need(command: str) -> str:
    found = shutil.which(command)
    if found is None:
        pytest.skip(f"{command} is not installed")
    return found


def checked(path: Path, compiler: str, *flags: str, by: tuple[str, ...] = ()) -> str:
    """What test.c says when it is compiled so and run."""
    target = path.with_name("tested")
    sources = [str(path), str(path.with_name("test.c"))]
    subprocess.run([need(compiler), *STRICT, *flags, "-o", str(target), *sources, "-lm"], check=True)
    run = subprocess.run([*by, str(target)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.mark.parametrize("name", list(networks()))
def test_it_answers_as_torch_does(name, tmp_path):
    path = written(name, tmp_path)
    library = path.with_suffix(".so")
    subprocess.run(
        [need("cc"), "-O0", "-march=native", *STRICT, "-shared", "-fPIC", "-o", str(library), str(path)], check=True
    )
    call = ctypes.CDLL(str(library)).model_run
    images = torch.rand(3, *networks()[name].input_shape)
    with torch.inference_mode():
        expected = lowered(name)[1](images).numpy()
    found = np.zeros_like(expected)
    pointer = ctypes.POINTER(ctypes.c_float)
    for image, row in zip(images.numpy(), found, strict=True):
        call(np.ascontiguousarray(image).ctypes.data_as(pointer), row.ctypes.data_as(pointer))
    assert np.abs(expected).max() > 0.1
    assert np.abs(found - expected).max() <= 1e-4 * max(1, np.abs(expected).max())


def test_orders_of_channels_beside_a_sum_and_behind_the_logits_are_kept(tmp_path):
    size = (4, 4)
    turned = primitives.Gather("turned", (2, 0, 1))
    layers = (
        primitives.Convolution("same", 3, 3, 1, 1, 1, size),
        primitives.Residual("sum", primitives.Sequence("body", (turned,)), primitives.Sequence("shortcut", ())),
        primitives.Activation("act", "relu", 3, size),
        primitives.GlobalPool("pool", 3, size),
        primitives.Linear("classify", 3, 3),
        primitives.Gather("renamed", (1, 2, 0)),
    )
    found = Lowered(Plan(primitives.Sequence("network", layers), (3, *size)), {}, {})
    found.state["classify.weight"] = torch.tensor([[1.0, 2, 3], [4, 5, 6], [7, 8, 10]])
    found.state["classify.bias"] = torch.ones(3)
    found.state["same.weight"] = torch.eye(3)[:, :, None, None]
    pixels = np.random.default_rng(0).integers(0, 256, (3, *size), np.uint8)
    image = torch.from_numpy(pixels) / 255
    expected = (found.state["classify.weight"] @ (image + image[[2, 0, 1]]).mean((1, 2)) + 1)[[1, 2, 0]].numpy()
    words = {"title": "a test", "macs": 9, "classes": ["a", "b", "c"], "steps": []}
    for name, text in texts(program(found), pixels=pixels, expected=expected, **words).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    checked(tmp_path / "model.c", "cc", "-O1")


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize(
    "flags", [("-O0", "-march=native"), FASTEST, ("-O2", "-mno-avx"), ("-O2", "-DPLAIN", "-pedantic")]
)
def test_every_compiler_and_width_of_vectors_agrees(compiler, flags, tmp_path):
    if "-mno-avx" in flags and not re.search("x86|i.86|AMD64", __import__("platform").machine()):
        pytest.skip("no x86")
    for name in ("strips", "rows", FEW[0]):
        checked(written(name, tmp_path), compiler, *flags)


@pytest.mark.parametrize("name", ["strips", "rows", *FEW[:3]])
def test_it_reads_and_writes_nothing_beside_its_memory(name, tmp_path):
    flags = ("-g", "-O1", "-march=native", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    checked(written(name, tmp_path), "gcc", *flags)


@pytest.mark.parametrize("name", ["rows", FEW[1]])
def test_it_runs_on_arm(name, tmp_path):
    emulator = need("qemu-aarch64-static")
    checked(written(name, tmp_path), "aarch64-linux-gnu-gcc", "-O2", "-static", by=(emulator,))


def test_a_wrong_weight_is_told_by_the_exit_status(tmp_path):
    path = written("padded", tmp_path)
    text = path.read_text(encoding="utf-8")
    wrong = re.sub(r"(static const float bias_\d+\[\] = \{\s*)[^,]+,", r"\g<1>7,", text, count=1)
    path.write_text(wrong, encoding="utf-8")
    with pytest.raises(AssertionError, match="largest difference"):
        checked(path, "cc", "-O1")


def test_the_makefile_makes_a_library_and_runs_the_test(tmp_path):
    need("make")
    written("padded", tmp_path)
    subprocess.run(["make", "library", "test", "CFLAGS=-O1"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "libmodel.a").is_file()


@pytest.mark.parametrize("name", list(networks()))
def test_buffers_that_are_alive_together_lie_apart(name):
    spans = lifetimes(made(name))
    offsets, size = place(spans)
    apart(spans, offsets, size)


SPANS = st.lists(
    st.builds(lambda n, a, b: Span(n, a, a + b), st.integers(0, 200), st.integers(0, 9), st.integers(0, 5))
)


@given(SPANS)
def test_no_two_spans_that_live_together_overlap(spans):
    offsets, size = place(spans)
    apart(spans, offsets, size)


def apart(spans: list[Span], offsets: list[int], size: int) -> None:
    placed = list(zip(offsets, spans, strict=True))
    for k, (at, one) in enumerate(placed):
        assert at + one.numbers <= size
        for other_at, other in placed[:k]:
            if one.first <= other.last and other.first <= one.last and one.numbers and other.numbers:
                assert at + one.numbers <= other_at or other_at + other.numbers <= at
    assert size >= live_bound(spans)


def test_norms_permutations_sums_and_activations_are_no_passes_of_their_own():
    passes = {one.function for one in made("igcv3-789633ae2aba").operations if hasattr(one, "function")}
    assert passes == {"scale_planes", "average_planes"}  # the image, and the mean before the classifier


def test_a_sum_is_written_where_the_shortcut_lies():
    inplace = [
        one
        for one in made("igcv3-789633ae2aba").operations
        if isinstance(one, Convolve) and one.groups[0].added and one.groups[0].added == one.groups[0].outputs
    ]
    assert inplace


def test_a_depthwise_convolution_and_the_1x1_behind_it_are_one_pass():
    pairs = [one for one in made("strips").operations if isinstance(one, Pair)]
    assert [one.depthwise.stride for one in pairs] == [1, 1, 2]
    assert any(one.depthwise.out_size[0] % one.rows for one in pairs)  # a last strip of fewer rows


def test_the_planes_of_a_pair_are_never_whole_in_memory():
    expanded, between = 144 * 32 * 32, 144 * 16 * 16  # of the widest block, before and behind its depthwise convolution
    assert 4 * expanded < source(made("strips"), "model").arena_bytes < 4 * (expanded + between + 24 * 16 * 16)


def test_no_pair_writes_where_it_still_reads():
    alone = [one for one in made("strips").operations if isinstance(one, Convolve) and one.depthwise]
    assert len(alone) == 2  # of blocks without expansion, whose sum lies where the depthwise convolution reads
    pairs = [one for name in networks() for one in made(name).operations if isinstance(one, Pair)]
    assert not any(buffers(one.writes()) & buffers(one.depthwise.reads()) for one in pairs)


def test_outputs_that_nothing_reads_are_not_made():
    name = "igcv1-4d422f7bb320"
    read = {plane for one in made(name).operations for plane in one.reads()} | set(made(name).logits)
    assert all(one.writes() <= read for one in made(name).operations if not getattr(one, "gates", ()))
