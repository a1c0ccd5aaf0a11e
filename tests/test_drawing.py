"""Compact pictures: what they show is true, of any network, and what they are made of is well-formed."""

from __future__ import annotations

import dataclasses
import io
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import architectures, gated_architectures
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from igcnas.drawing.canvas import save_scene, scene_figure
from igcnas.drawing.connections import masked
from igcnas.drawing.elision import shown_channels, some
from igcnas.drawing.explanation import KINDS, Explanation, block_of
from igcnas.drawing.layout import block_scene
from igcnas.drawing.learned import exported_connections, module_connections, possible_connections
from igcnas.drawing.matrices import matrices_scene
from igcnas.drawing.network import compute_network
from igcnas.drawing.network_layout import network_scene
from igcnas.drawing.scene import Lines, Rects, Scene, Text, stacked
from igcnas.drawing.sketch import BlockSketch, compute_sketch
from igcnas.drawing.svg import scene_svg
from igcnas.drawing.thumbnails import block_svg, network_svg
from igcnas.errors import ArchitectureError
from igcnas.modules.build import build
from igcnas.modules.layers import FullyLearnableGroupConv, GroupableConv, LearnedGroupConv
from igcnas.modules.lowering import lower
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, Bottleneck, DenseLayer, InvertedResidual
from igcnas.network.cost import count
from igcnas.network.grouping import (
    DENSE,
    Condensing,
    Dense,
    Group,
    Interleaved,
    KroneckerGrouping,
    LearnedGrouping,
    MultiSpectral,
    SparseProduct,
)
from igcnas.network.literature import FAMILIES
from igcnas.network.paths import connections, path_counts, summarize
from igcnas.network.plan import plan
from igcnas.network.primitives import Convolution, Gather, Permutation

ANY = st.one_of(architectures(learned=True), gated_architectures())
SOME = settings(max_examples=25)


def explain(words: str) -> Explanation:
    name, *parameters = words.split()
    return KINDS[name].from_text(parameters)


def one_stage(block, *, width: int, repeats: int = 2, stem: int = 0, **more) -> Architecture:
    return Architecture(
        family="test",
        input_shape=(3, 8, 8),
        num_classes=5,
        stem_channels=stem or width,
        stages=(Stage(block=block, width=width, repeats=repeats),),
        **more,
    )


def moving(block: Explanation) -> list:
    return [layer for layer in block.primitives if isinstance(layer, Convolution | Permutation | Gather)]


def stages_of(architecture: Architecture) -> range:
    return range(len(architecture.stages))


# A block of any network.


def test_the_block_is_the_one_that_repeats():
    igc = FAMILIES["igc"].build()
    block = block_of(igc, stage=1)
    assert block.in_channels == 96  # the first block of the stage has 48
    assert block.title == "IGC V1 block, L = 24, M = 4"
    assert block.captions == {
        "conv1_primary": "primary: L = 24 partitions of M = 4",
        "conv1_secondary": "secondary: M = 4 partitions of L = 24",
    }
    assert block.what == "Block 2 of 6 in stage 2 of 3: 96 channels of 16x16."
    assert block_of(FAMILIES["igcv3"].build(), stage=0).what.startswith("Block 1 of 1")


def test_a_block_of_a_network_is_the_block_of_the_papers():
    network = one_stage(BasicBlock(grouping=Interleaved(L=4, M=3), residual=False), width=12)
    ours, papers = block_of(network), explain("igcv1 L=4 M=3")
    assert ours.weights == papers.weights
    assert np.array_equal(ours.counts(), papers.counts())
    assert ours.captions == papers.captions


def test_a_caption_counts_partitions_on_the_layer_where_the_width_changes():
    block = BasicBlock(grouping=Interleaved(L=4, M=4), residual=False)
    captions = block_of(one_stage(block, width=16, repeats=1, stem=8)).captions
    assert captions["conv1_primary"] == "primary: L = 4 partitions of 2 -> 4"


@pytest.mark.parametrize(
    ("block", "width", "title"),
    [
        (InvertedResidual(expansion=6, expand=DENSE, project=DENSE), 8, "MobileNetV2 block, expansion 6"),
        (
            InvertedResidual(expansion=2, expand=Group(groups=2), project=Group(groups=4)),
            8,
            "IGC V3 block, expansion 2, G1 = 2, G2 = 4",
        ),
        (Bottleneck(mid=8, spatial=Group(groups=4)), 16, "ResNeXt block, cardinality 4, 8 channels in the middle"),
        (DenseLayer(reduce=Condensing(groups=2, factor=2)), 4, "CondenseNet layer, growth 4, C = 2"),
        (BasicBlock(grouping=SparseProduct(K=(1, 2, 4))), 8, "IGC V2 block, K = 1x2x4"),
    ],
)
def test_a_title_has_the_name_and_the_letters_of_its_paper(block, width, title):
    assert block_of(one_stage(block, width=width)).title == title


def test_a_stage_that_is_not_there_is_refused():
    with pytest.raises(ArchitectureError, match="stage 3 is none of this network; its stages are 0 to 2"):
        block_of(FAMILIES["igc"].build(), stage=3)


def test_paths_through_undecided_groups_are_not_made_up():
    network = one_stage(InvertedResidual(expansion=2, expand=LearnedGrouping(groups=2), project=DENSE), width=8)
    with pytest.raises(ArchitectureError, match="paths need its mask"):
        block_of(network).counts()
    assert compute_sketch(block_of(network)).reach is None


@SOME
@given(ANY)
def test_every_block_of_every_network_is_explained(architecture):
    for stage in stages_of(architecture):
        block = block_of(architecture, stage=stage)
        assert block.title
        assert set(block.captions) <= {layer.name for layer in block.primitives}


# What the picture of a block shows.


def true_link(layer, block: Explanation, start: int, end: int) -> bool:
    """Whether two channels are connected, by other means than the picture's."""
    if not isinstance(layer, Convolution):
        return layer.indices[end] == start
    if layer.learned is not None or layer.name in block.masks:
        return layer.name not in block.masks or bool(block.masks[layer.name][end][start])
    return bool(connections(layer)[end, start])


def assert_true(sketch: BlockSketch, block: Explanation) -> None:
    layers = moving(block)[: len(sketch.transfers)]
    for layer, transfer, before, behind in zip(
        layers, sketch.transfers, sketch.places, sketch.places[1:], strict=False
    ):
        drawn = {(link.start, link.end) for link in transfer.links}
        assert len(drawn) == len(transfer.links)
        expected = {
            (start, end) for start in before.shown for end in behind.shown if true_link(layer, block, start, end)
        }
        assert drawn == expected
        if not isinstance(layer, Convolution):  # a permutation loses no channel that is drawn, copies only add
            assert len(drawn) == len(behind.shown)
            assert len(drawn) == len(before.shown) or layer.name == "copies"
    for place in sketch.places:
        assert Counter(channel for first, last in place.partitions for channel in range(first, last + 1)) == Counter(
            range(place.channels)
        )
        for number, (first, last) in enumerate(place.partitions):
            assert {place.part_of(first), place.part_of(last)} == {number}


@SOME
@given(ANY)
def test_links_are_drawn_iff_they_exist_and_each_channel_is_in_one_partition(architecture):
    for stage in stages_of(architecture):
        block = block_of(architecture, stage=stage)
        assert_true(compute_sketch(block), block)


@pytest.mark.parametrize(
    "words",
    [
        *KINDS,
        "igcv1 L=24 M=2",
        "igcv1 L=4 M=32",
        "igcv1 L=48 M=2",
        "igcv2 K=1x8x8",
        "igcv2 K=1x8x8 channels=416",
        "igcv2 K=1x2x2x2x2x2",
        "igcv3 channels=24 G1=4 G2=2",
        "igcv3 channels=24 permute=false",
        "flgc channels=64 groups=8",
        "condensing channels=48 groups=4 factor=4",
    ],
)
def test_leaving_channels_out_never_changes_who_is_connected(words):
    block = explain(words)
    assert_true(compute_sketch(block), block)


@pytest.mark.parametrize(
    "words", ["igcv1 L=24 M=2", "igcv2 K=1x4x4", "igcv2 K=1x4x4 channels=32", "igcv3", "igcv3 permute=false", "flgc"]
)
def test_who_meets_whom_is_what_the_matrix_of_paths_says(words):
    block = explain(words)
    found, counts = compute_sketch(block).reach, block.counts()
    assert found is not None
    assert (found.pairs, found.paths) == (counts.size, counts.sum())
    assert found.pairs - found.meeting == summarize(counts).unconnected
    assert found.condition == summarize(counts).condition


@SOME
@given(architectures(learned=False))
def test_the_reach_of_a_fixed_block_is_that_of_its_paths(architecture):
    block = block_of(architecture)
    sketch = compute_sketch(block)
    counts = path_counts(tuple(moving(block)[: len(sketch.transfers)]), block.in_channels)
    assert sketch.reach is not None
    assert sketch.reach.paths == counts.sum()
    assert sketch.reach.meeting == (counts > 0).sum()


def test_a_block_of_96_channels_shows_partitions_of_both_kinds():
    sketch = compute_sketch(explain("igcv1 L=48 M=2"))
    start, primary, moved, secondary, end = sketch.places
    assert [place.parts for place in sketch.places[:-1]] == [48, 48, 2, 2]
    assert all(place.framed for place in sketch.places[:-1])
    assert not end.framed
    assert start.shown == primary.shown == end.shown == (0, 1, 2, 3, 94, 95)  # partitions 0, 1 and 47
    assert moved.shown == secondary.shown == (0, 1, 47, 48, 49, 95)
    assert sketch.elided
    assert set(secondary.colours) == {(0, 1, 2)}


def all_are_joined(sketch: BlockSketch) -> bool:
    """Whether every channel that is drawn has a link on both sides."""
    return all(
        {link.start for link in transfer.links} == set(before.shown)
        and {link.end for link in transfer.links} == set(behind.shown)
        for transfer, before, behind in zip(sketch.transfers, sketch.places, sketch.places[1:], strict=False)
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_no_channel_looks_as_if_it_were_connected_to_nothing(family):
    architecture = FAMILIES[family].build()
    for stage in stages_of(architecture):
        assert all_are_joined(compute_sketch(block_of(architecture, stage=stage)))


def test_two_equal_units_are_drawn_once():
    sketch = compute_sketch(block_of(FAMILIES["resnet"].build()))
    assert sketch.times == 2
    assert len(sketch.transfers) == 1
    assert sketch.shortcut == "identity shortcut around both"
    different = BasicBlock(grouping=Dense(), second=Group(groups=2))
    assert compute_sketch(block_of(one_stage(different, width=8))).times == 1


NARROW, WIDE = BasicBlock(grouping=DENSE), InvertedResidual(expansion=2, expand=DENSE, project=DENSE)


@pytest.mark.parametrize("block", [NARROW, WIDE], ids=["narrow", "wide"])
def test_no_line_goes_through_the_name_of_a_shortcut(block):
    scene = block_scene(compute_sketch(block_of(one_stage(block, width=4))))
    label = next(item for item in scene.items if isinstance(item, Text) and "shortcut" in item.text)
    left, top, right, bottom = label.box
    level = [end for item in scene.items if isinstance(item, Lines) for end in item.ends if end[1] == end[3]]
    assert level
    assert not [(x, y) for x, y, end, _ in level if top < y < bottom and min(x, end) < right and max(x, end) > left]


@pytest.mark.parametrize("words", ["igcv1 L=2 M=3", "igcv1 L=3 M=4", "igcv2 K=1x2x4", "group", "flgc", "depthwise"])
def test_small_blocks_are_drawn_whole(words):
    block = explain(words)
    assert compute_sketch(block) == compute_sketch(block, whole=True)
    assert not compute_sketch(block).elided


def test_some_of_many_are_the_first_and_the_last():
    assert shown_channels(12, []) == tuple(range(12))
    assert shown_channels(64, []) == some(64, 6)
    assert shown_channels(40, [[channel // 10 for channel in range(40)]])[:3] == (0, 1, 9)
    for size in range(1, 60):
        chosen = shown_channels(size, [[channel % 3 for channel in range(size)]])
        assert {channel % 3 for channel in chosen} == {channel % 3 for channel in range(size)}


# What a network shows.


@SOME
@given(ANY)
def test_the_parts_of_a_network_add_up_to_its_counts(architecture):
    picture, total = compute_network(architecture), count(architecture)
    assert sum(part.macs for part in picture.parts) == picture.macs == total.macs
    assert sum(part.params for part in picture.parts) == picture.params == total.params
    assert [len(part.widths) for part in picture.parts if part.kind == "stage"] == [
        stage.repeats for stage in architecture.stages
    ]


@SOME
@given(architectures(learned=True))
def test_the_parts_of_a_trained_network_add_up_to_its_counts(architecture):
    lowered = lower(plan(architecture), build(plan(architecture))).plan
    picture = compute_network(architecture, trained=lowered)
    assert sum(part.macs for part in picture.parts) == picture.macs
    assert sum(part.params for part in picture.parts) == picture.params


@SOME
@given(ANY)
def test_channels_and_sizes_of_the_strip_are_those_of_the_module(architecture):
    module = build(plan(architecture)).eval()
    x = torch.zeros(1, *architecture.input_shape)
    shapes = {}
    for name, child in module.named_children():
        x = child(x)
        shapes[name.replace("stage", "stage ")] = x.shape
    for part in compute_network(architecture).parts:
        if part.size is not None:
            assert (part.widths[-1], *part.size) == tuple(shapes[part.name][1:])


def test_the_stages_of_igc_l24m2_have_the_shares_of_the_paper_network():
    parts = {part.name: part for part in compute_network(FAMILIES["igc"].build()).parts}
    assert parts["stage 1"].macs == 6 * 32 * 32 * 48 * (2 * 9 + 24)
    assert parts["stage 3"].widths == (192,) * 6


def test_bars_are_in_proportion_to_the_shares():
    picture = compute_network(FAMILIES["igc"].build())
    bars = next(item for item in network_scene(picture).items if isinstance(item, Rects) and item.fill == "#0072B2")
    heights = [box[3] for box in bars.boxes]
    assert np.allclose(np.array(heights) / sum(heights), [part.macs / picture.macs for part in picture.parts])


# SVG.


def scenes_of(architecture: Architecture) -> list[Scene]:
    blocks = [block_scene(compute_sketch(block_of(architecture, stage=stage))) for stage in stages_of(architecture)]
    return [network_scene(compute_network(architecture)), *blocks]


@SOME
@given(ANY)
def test_svg_of_any_network_is_well_formed_and_safe_to_inline_many_times(architecture):
    for text in [network_svg(architecture), *(block_svg(architecture, stage=n) for n in stages_of(architecture))]:
        root = ElementTree.fromstring(text)
        assert root.get("role") == "img"
        assert root.get("viewBox", "").startswith("0 0 ")
        assert root[0].tag.endswith("title")
        assert root[0].text
        assert root[1].tag.endswith("desc")
        assert not [
            element for element in root.iter() if element.get("id") or element.tag.endswith(("style", "script"))
        ]
        assert "nan" not in text
        assert len(text) < 32_000  # two units of 16 channels that differ; most are below 10,000


@SOME
@given(ANY)
def test_texts_neither_overlap_nor_leave_the_picture(architecture):
    for scene in scenes_of(architecture):
        boxes = [item.box for item in scene.items if isinstance(item, Text)]
        for number, (left, top, right, bottom) in enumerate(boxes):
            assert left >= 0
            assert right <= scene.width + 1
            assert top >= 0
            assert bottom <= scene.height
            for other in boxes[:number]:
                apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
                assert apart


def test_names_of_users_are_escaped():
    nasty = dataclasses.replace(FAMILIES["igc"].build(), family="<b>&\"'\x00\x1b]]>")
    root = ElementTree.fromstring(network_svg(nasty))
    assert root[0].text is not None
    assert root[0].text.startswith("<b>&\"']]> L24M2")
    assert not [element for element in root.iter() if element.tag.endswith("b")]


def test_ink_follows_the_page_and_a_file_has_ink_of_its_own():
    scene = network_scene(compute_network(FAMILIES["igc"].build()))
    inline, alone = scene_svg(scene), scene_svg(scene, alone=True)
    assert 'fill="currentColor"' in inline
    assert "background" not in inline
    assert "color:#222;background:#fff" in alone
    assert set(re.findall(r"#[0-9a-fA-F]{6}", inline)) == {"#56B4E9", "#0072B2", "#E69F00"}


def test_svg_needs_no_matplotlib():
    code = """
import sys
from igcnas.drawing.thumbnails import block_svg, network_svg
from igcnas.drawing.explanation import KINDS
from igcnas.network.literature import FAMILIES
network = FAMILIES["mobilenetv2"].build()
block_svg(network), network_svg(network)
from igcnas.drawing.palette import colours
colours(12)
print(sorted({"matplotlib", "torch", "PIL"} & set(sys.modules)))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_one_scene_is_drawn_in_every_format(tmp_path):
    scene = stacked(scenes_of(FAMILIES["igc"].build()))
    for suffix in (".svg", ".png", ".pdf"):
        save_scene(tmp_path / f"picture{suffix}", scene)
    assert ElementTree.parse(tmp_path / "picture.svg").getroot().get("width") == f"{scene.width}"
    assert Image.open(tmp_path / "picture.png").size[0] == int(2 * scene.width)
    assert (tmp_path / "picture.pdf").read_bytes().startswith(b"%PDF")
    figure = scene_figure(scene)
    assert len(figure.axes[0].texts) == sum(isinstance(item, Text) for item in scene.items)


def test_texts_fit_the_room_that_was_left_for_them():
    for architecture in (FAMILIES["igc"].build(), FAMILIES["igcv3"].build(), FAMILIES["condensenet"].build()):
        for scene in scenes_of(architecture):
            figure = scene_figure(scene)
            figure.savefig(io.BytesIO())
            items = [item for item in scene.items if isinstance(item, Text)]
            for item, text in zip(items, figure.axes[0].texts, strict=True):
                assert text.get_window_extent().width <= 1.07 * item.width + 2, item.text


# What training decided.


def trained(block, *, width: int = 16, **more):
    """A network whose learned layers have decided, at random, as after training."""
    architecture = one_stage(block, width=width, **more)
    network = plan(architecture)
    torch.manual_seed(3)
    module = build(network).eval()
    with torch.no_grad():
        for child in module.modules():
            if isinstance(child, FullyLearnableGroupConv):
                child.in_logits.normal_()
                child.out_logits.normal_()
            elif isinstance(child, GroupableConv):
                child.gates.normal_()
            elif isinstance(child, LearnedGroupConv):
                child.weight.normal_()
                child.finish()
    return architecture, network, module


LEARNED = [
    InvertedResidual(expansion=2, expand=LearnedGrouping(groups=4), project=LearnedGrouping(groups=4)),
    InvertedResidual(expansion=2, expand=LearnedGrouping(groups=3, balanced=False), project=DENSE),
    Bottleneck(mid=16, spatial=KroneckerGrouping(groups=4)),
    Bottleneck(mid=16, spatial=KroneckerGrouping(groups=4, balanced=False)),
    DenseLayer(reduce=Condensing(groups=4, factor=4)),
]


def lowered_matrix(lowered, path: str, inputs: int) -> np.ndarray:
    """The matrix (out, in) of paths through what a learned layer became."""
    *above, name = path.split(".")
    node = lowered.plan.root
    for part in above:
        children = {child.name: child for child in getattr(node, "layers", ())}
        node = children[part] if part in children else getattr(node, part)
    names = (name, f"{name}_in", f"{name}_out")
    return path_counts(tuple(layer for layer in node.layers if layer.name in names), inputs)


@pytest.mark.parametrize("block", LEARNED, ids=lambda block: block.label())
def test_the_matrix_after_training_is_that_of_the_lowered_network(block):
    architecture, network, module = trained(block)
    shown = module_connections(module)
    lowered = lower(network, module)
    learned = {path: layer for path, layer in network.layers() if getattr(layer, "learned", None) is not None}
    assert shown.keys() == learned.keys()
    exported = exported_connections(network, lowered.assignments)
    for path, layer in learned.items():
        matrix = shown[path].values
        assert np.array_equal(matrix, exported[path].values)
        assert np.array_equal(matrix, lowered_matrix(lowered, path, layer.in_channels))
    masks = {path: state.values for path, state in shown.items()}
    decided = block_of(architecture, masks=masks)
    assert_true(compute_sketch(decided), decided)
    assert compute_sketch(decided).undecided == ""
    assert "stroke-dasharray" not in block_svg(architecture, masks=masks)
    assert "stroke-dasharray" in block_svg(architecture)


def test_a_channel_that_is_drawn_has_a_partner_that_is_drawn():
    wide = InvertedResidual(expansion=6, expand=LearnedGrouping(groups=8), project=LearnedGrouping(groups=8))
    architecture, _, module = trained(wide)
    masks = {path: state.values for path, state in module_connections(module).items()}
    sketch = compute_sketch(block_of(architecture, masks=masks))
    assert sketch.elided
    assert all_are_joined(sketch)


def test_every_pair_is_possible_before_training():
    _, network, module = trained(LEARNED[-1])
    for path, state in possible_connections(network).items():
        assert state.values.shape == module_connections(module)[path].values.shape
        assert state.values.all()


def test_two_units_that_learned_are_both_drawn():
    architecture, _, module = trained(BasicBlock(grouping=Interleaved(L=4, M=4, learned=True)), width=16)
    masks = {path: state.values for path, state in module_connections(module).items()}
    assert len(masks) == 4
    assert compute_sketch(block_of(architecture)).times == 2
    sketch = compute_sketch(block_of(architecture, masks=masks))
    assert sketch.times == 1
    assert len(sketch.transfers) == 4


def test_where_each_image_decides_nothing_is_claimed_of_all():
    network = one_stage(BasicBlock(grouping=MultiSpectral(heads=2)), width=8)
    masks = {path: np.ones((8, 8)) for path, layer in plan(network).layers() if getattr(layer, "learned", None)}
    sketch = compute_sketch(block_of(network, masks=masks))
    assert sketch.undecided == "image"
    assert sketch.reach is None
    assert not any(link.sure for transfer in sketch.transfers for link in transfer.links)


def test_a_mask_of_another_shape_is_refused():
    network, path = one_stage(LEARNED[0], width=16), "stage1.block2.residual.body.expand"
    with pytest.raises(ArchitectureError, match=r"the mask of expand has shape \(16, 16\), not \(32, 16\)"):
        block_of(network, masks={path: np.ones((16, 16))})


def test_the_cells_of_a_matrix_cover_its_connections():
    before, after = masked(np.ones((6, 4))), masked(np.eye(6, 4))
    scene = matrices_scene({"layer": (before, after)}, title="title", when=("before", "after"))
    cells = [
        box
        for item in scene.items
        if isinstance(item, Rects) and item.fill not in (None, "none")
        for box in item.boxes
        if box[2] != 7.0  # the bars of groups
    ]
    area = sum(width * height for _, _, width, height in cells)
    assert np.isclose(area / 14.0**2, 24 + 4 + 4)
    assert ElementTree.fromstring(scene_svg(scene)).tag.endswith("svg")
    with pytest.raises(ArchitectureError, match="differ in shape"):
        matrices_scene({"layer": (before, masked(np.ones((2, 4))))}, title="", when=("", ""))


def test_the_pictures_of_the_docs_are_there_and_small():
    folder = Path(__file__).resolve().parent.parent / "docs"
    shown = re.findall(r"\]\((figures/[\w-]+\.(?:png|svg))\)", (folder / "drawing.md").read_text(encoding="utf-8"))
    assert len(shown) >= 4
    for name in shown:
        assert (folder / name).stat().st_size < 150_000
