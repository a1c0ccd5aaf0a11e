"""igcnas explain: the facts of each block, the data of its picture, and mistakes in one line."""

from __future__ import annotations

import base64
import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from PIL import Image

from igcnas.cli import main
from igcnas.drawing.canvas import scene_figure
from igcnas.drawing.connections import Connections, assigned, masked
from igcnas.drawing.counts import counts_scene
from igcnas.drawing.explained import explained_scene
from igcnas.drawing.explanation import KINDS, Explanation
from igcnas.drawing.matrices import connection_figure, matrices_scene
from igcnas.drawing.palette import colours
from igcnas.drawing.scene import Raster, Rects, Text
from igcnas.drawing.sketch import compute_sketch
from igcnas.drawing.svg import scene_svg
from igcnas.errors import ArchitectureError
from igcnas.modules.build import build
from igcnas.network.plan import Plan
from igcnas.network.primitives import Convolution, Sequence


def explain(words: str) -> Explanation:
    name, *parameters = words.split()
    return KINDS[name].from_text(parameters)


def facts(capsys: pytest.CaptureFixture[str], words: str) -> dict:
    assert main(["explain", *words.split(), "--no-picture", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


# Facts.


@pytest.mark.parametrize(
    ("L", "M", "T"),
    [(24, 2, 2016), (24, 4, 5760), (24, 8, 18432), (4, 8, 2432), (4, 16, 9472), (4, 32, 37376), (64, 1, 4672)],
)
def test_weights_of_an_igc_block_are_those_of_the_papers_formula(L, M, T):
    block = explain(f"igcv1 L={L} M={M}")
    assert block.weights == T
    assert f"= {T:,} weights per position" in block.formulas[1]


@pytest.mark.parametrize(("c", "params"), [(24, 5376), (32, 8704), (64, 29696), (96, 62976), (160, 166400)])
def test_params_of_an_igcv3_block_are_6c2_plus_80c(c, params):
    assert explain(f"igcv3 channels={c} size=4").cost.params == params
    assert explain(f"mobilenetv2 channels={c} size=4").cost.params == params + 6 * c * c


@pytest.mark.parametrize("name", KINDS)
def test_the_weights_in_words_are_those_of_the_layers(name):
    block = KINDS[name].from_text([])
    assert f"{block.weights:,}" in " ".join(block.formulas)
    generators = sum(
        layer.learned.overhead(layer.in_channels, layer.out_channels, layer.context_channels).macs
        for layer in block.primitives
        if isinstance(layer, Convolution) and layer.learned is not None
    )
    assert block.cost.macs == block.weights * 32 * 32 + generators
    assert not generators or f"{generators:,} MACs an image" in " ".join(block.formulas)


@pytest.mark.parametrize(
    ("words", "condition", "fewest", "most", "unconnected"),
    [
        ("igcv1 L=2 M=3", "strict", 1, 1, 0),
        ("igcv2 K=1x8x8", "strict", 1, 1, 0),
        ("igcv2 K=1x4x4 channels=32", "incomplete", 0, 1, 512),
        ("igcv3", "loose", 12, 12, 0),
        ("igcv3 permute=false", "incomplete", 0, 24, 32),
        ("xception", "strict", 1, 1, 0),
        ("dense", "strict", 1, 1, 0),
        ("regular", "strict", 1, 1, 0),
        ("regular parts=3 channels=12 out=6", "strict", 1, 1, 0),
        ("group groups=3", "incomplete", 0, 1, 24),
        ("depthwise", "incomplete", 0, 1, 30),
        ("resnet channels=8", "loose", 8, 8, 0),
        ("flgc", "incomplete", 0, 1, 96),
        ("msgc", "incomplete", 0, 1, 72),
        ("msgc kept=12", "strict", 1, 1, 0),
        ("dgc", "incomplete", 0, 1, 108),
    ],
)
def test_the_path_statistics_of_each_block(capsys, words, condition, fewest, most, unconnected):
    paths = facts(capsys, words)["paths"]
    assert (paths["condition"], paths["fewest"], paths["most"]) == (condition, fewest, most)
    assert paths["unconnected"] == unconnected


@pytest.mark.parametrize(("channels", "out", "parts"), [(6, 6, 2), (4, 8, 2), (9, 6, 3), (5, 7, 1), (8, 8, 4)])
def test_branches_copied_convolved_and_cross_summed_are_the_regular_convolution(channels, out, parts):
    block = explain(f"regular channels={channels} out={out} parts={parts} size=5")
    weight = torch.randn(out, channels, 3, 3, dtype=torch.float64)
    images = torch.randn(2, channels, 5, 5, dtype=torch.float64)
    rows, columns = out // parts, channels // parts
    kernels = [
        weight[o * rows : (o + 1) * rows, i * columns : (i + 1) * columns] for i in range(parts) for o in range(parts)
    ]
    mask = torch.tensor(block.masks["cross_sum"], dtype=torch.float64)
    module = build(Plan(Sequence("", block.layers[:-2]), (channels, 5, 5))).double()
    convs = {name: layer for name, layer in module.named_modules() if isinstance(layer, torch.nn.Conv2d)}
    convs["branches"].weight.data = torch.cat(kernels)
    inputs = mask.shape[1] // convs["cross_sum"].groups
    for row in range(out):
        start = row // parts * inputs
        convs["cross_sum"].weight.data[row, :, 0, 0] = mask[row, start : start + inputs]
    assert mask.sum() == out * parts
    wanted = torch.nn.functional.conv2d(images, weight, padding=1)
    torch.testing.assert_close(module(images), wanted)
    assert block.weights == weight.numel()


def test_the_four_branches_are_drawn_as_permutation_group_convolution_and_permutation_back():
    sketch = compute_sketch(explain("regular"), whole=True)
    assert [transfer.heading[0] for transfer in sketch.transfers] == [
        "copies", "primary", "permutation", "cross-summation", "permutation back",
    ]  # fmt: skip
    copied, cross = sketch.places[1], sketch.places[4]
    assert copied.colours == ((0,),) * 6 + ((1,),) * 6  # each of two parts, twice
    assert copied.framed
    assert copied.partitions == ((0, 2), (3, 5), (6, 8), (9, 11))
    assert cross.colours == ((0, 1),) * 6
    assert len(sketch.transfers[3].links) == 6 * 2  # two branches for each output
    sketch = compute_sketch(explain("regular"))
    assert len(sketch.transfers) == 5
    assert sketch.reach is not None
    assert sketch.reach.condition == "strict"


def test_only_rotated_loose_products_mix_everything_in_the_end(capsys):
    assert facts(capsys, "igcv2 K=1x4x4 channels=64")["paths"]["blocks_to_meet"] is None
    assert facts(capsys, "igcv2 K=1x4x4 channels=64 restore=false")["paths"]["blocks_to_meet"] == 2


def test_the_text_shows_layers_formulas_and_the_matrix(capsys):
    assert main(["explain", "igcv1", "L=2", "M=3", "--no-picture"]) == 0
    text = capsys.readouterr().out
    assert "primary: L = 2 partitions of M = 3" in text
    assert "T = G (M S + L) = 6 * (3 * 9 + 2) = 174 weights per position" in text
    assert "exactly 1 for each of 36 pairs; strictly complementary" in text
    assert "        5 1 1 1 1 1 1" in text


def test_gates_of_a_dynamic_grouping_convolution_join_channels_that_agree_where_gates_are_off():
    for seed in range(8):
        block = explain(f"dgconv channels=16 groups=4 seed={seed}")
        gates = block.title.rsplit(" ", 1)[1]
        factors = [np.ones((2, 2)) if gate == "1" else np.eye(2) for gate in gates]
        kronecker = np.ones((1, 1))
        for factor in factors:
            kronecker = np.kron(kronecker, factor)
        assert np.array_equal(block.masks["conv"], kronecker)
        assert kronecker.sum() == 2 ** (4 + gates.count("1"))


@pytest.mark.parametrize("name", ["msgc", "dgc"])
def test_every_head_keeps_what_was_asked_for_and_images_differ(name):
    first, second = (explain(f"{name} channels=12 out=8 heads=4 kept=5 seed={seed}") for seed in (0, 1))
    mask = np.array(first.masks["conv"])
    assert (mask.sum(1) == 5).all()
    assert np.array_equal(mask[0::2], mask[1::2])  # two filters a head
    assert not np.array_equal(mask, np.array(second.masks["conv"]))
    assert first.weights == 5 * 8


def test_a_head_cannot_keep_more_than_there_is(capsys):
    assert main(["explain", "msgc", "channels=4", "kept=5"]) == 2
    assert capsys.readouterr().err == "error: a head cannot keep 5 of 4 channels; take kept=4 or fewer\n"


@pytest.mark.parametrize("seed", range(4))
def test_a_random_learned_assignment_is_what_was_asked_for(seed):
    balanced = np.array(explain(f"flgc channels=12 out=8 groups=4 seed={seed}").masks["conv"])
    assert (balanced.sum(1) == 3).all()
    assert (balanced.sum(0) == 2).all()
    condensed = np.array(explain(f"condensing channels=10 out=6 groups=2 factor=3 seed={seed}").masks["conv"])
    assert (condensed.sum(1) == 4).all()
    assert np.array_equal(condensed[0], condensed[2])
    assert not np.array_equal(condensed[0], condensed[1])


# Mistakes.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("regular parts=4", "4 parts do not divide 6 channels"),
        ("igvc1", "unknown block 'igvc1'; did you mean 'igcv1'?"),
        ("igcv1 N=3", "unknown parameter of igcv1 'N'; known: L, M, kernel, size"),
        ("igcv1 3", "'3' is not of the form key=value, as in L=2"),
        ("igcv1 L=two", "L='two': a whole number is expected"),
        ("igcv1 L=-2", "L='-2': a whole number is expected"),
        ("igcv1 L=0", "L must be a positive integer, but is 0"),
        ("igcv1 L=99999 M=1", "L is 99999, but pairs are counted for at most 4096 channels; take fewer"),
        ("igcv1 kernel=2", "kernel must be odd, but is 2"),
        ("igcv2 K=1xx", "K='1xx': numbers joined by x, as in 1x8x8, are expected"),
        ("igcv2 K=1x3 channels=8", "branches of 3 channels do not divide the 8 of K1x3"),
        ("igcv3 channels=7", "2 groups do not divide the 7 channels of the input of a group convolution"),
        ("igcv3 permute=maybe", "permute='maybe': true or false is expected"),
        ("dgconv channels=12", "a power of two"),
        ("dense --out x.txt", "x.txt is no picture that can be written: its name must end with .png, .svg, .pdf"),
        ("dense --out missing/x.png", "cannot write missing/x.png: No such file or directory"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert main(["explain", *words.split()]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# The picture of a block.


def test_the_picture_is_written_where_it_is_asked_for(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["explain", "igcv1"]) == 0
    assert "picture: explain-igcv1.png" in capsys.readouterr().out
    assert Image.open("explain-igcv1.png").size[0] > 1000
    assert main(["explain", "igcv3", "channels=4", "expansion=2", "--out", "block.svg", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["picture"] == "block.svg"
    assert ElementTree.parse("block.svg").getroot().tag.endswith("svg")


def test_the_picture_of_igc_v1_interleaves_the_colours_of_the_primary_partitions():
    sketch = compute_sketch(explain("igcv1 L=2 M=3"), whole=True)
    kinds = [transfer.kind for transfer in sketch.transfers]
    assert kinds == ["convolution", "permutation", "convolution", "permutation"]
    start, primary, moved, secondary, end = sketch.places
    assert start.colours == primary.colours == ((0,), (0,), (0,), (1,), (1,), (1,))
    assert start.partitions == primary.partitions == ((0, 2), (3, 5))
    assert moved.colours == ((0,), (1,)) * 3
    assert moved.numbers == secondary.numbers == (0, 3, 1, 4, 2, 5)
    assert moved.partitions == ((0, 1), (2, 3), (4, 5))
    assert all(place.framed for place in (start, primary, moved, secondary))
    assert end.colours == ((0, 1),) * 6
    assert end.numbers == (0, 1, 2, 3, 4, 5)
    assert sketch.transfers[0].heading == ("primary", "L = 2 partitions of M = 3", "3x3, 2 groups")


@pytest.mark.parametrize(
    "words",
    [
        *("igcv1 L=2 M=3", "igcv1 L=3 M=4", "igcv2 K=1x2x4", "igcv2 K=2x3x2", "igcv3 channels=4"),
        *("condensing", "flgc", "xception", "group", "depthwise", "resnet"),
    ],
)
def test_the_links_of_a_picture_are_the_weights_of_the_block(words):
    block = explain(words)
    sketch = compute_sketch(block, whole=True)
    assert not sketch.elided
    counts = np.eye(block.in_channels, dtype=int)
    for transfer, place in zip(sketch.transfers, sketch.places[1:], strict=True):
        matrix = np.zeros((place.channels, len(counts)), dtype=int)
        for link in transfer.links:
            matrix[link.end, link.start] += 1
        counts = matrix @ counts
    assert np.array_equal(counts, block.counts())
    weights = sum(layer.connections for layer in block.primitives if isinstance(layer, Convolution))
    drawn = [transfer for transfer in sketch.transfers if transfer.kind == "convolution"]
    assert sum(len(transfer.links) for transfer in drawn) == weights


def test_a_missing_stripe_is_a_pair_that_never_meets():
    assert set(compute_sketch(explain("igcv3"), whole=True).places[-1].colours) == {(0, 1)}
    apart = compute_sketch(explain("igcv3 permute=false"), whole=True).places[-1]
    assert apart.colours == ((0,),) * 4 + ((1,),) * 4


def test_frames_are_drawn_around_their_boxes():
    items = explained_scene(explain("igcv1 L=2 M=3")).items
    rectangles = [item for item in items if isinstance(item, Rects)]
    frames = [box for item in rectangles if item.outline and item.radius for box in item.boxes]
    columns = [item for item in rectangles if item.fill == "none" and len(item.boxes) == 6]
    boxes = [box for item in columns for box in item.boxes]
    held = [sum(x < a < a + b < x + w and y < c < c + d < y + h for a, c, b, d in boxes) for x, y, w, h in frames]
    assert len(boxes) == 5 * 6
    assert held == [3, 3, 3, 3, 2, 2, 2, 2, 2, 2]


def test_each_box_has_its_number_and_the_key_says_so():
    texts = [item.text for item in explained_scene(explain("igcv1 L=2 M=3")).items if isinstance(item, Text)]
    place = texts.index("0")
    assert texts[place : place + 30] == list("012345012345031425031425012345")
    assert "Colours: the partition of the input that something comes from" in " ".join(texts)
    texts = [item.text for item in explained_scene(explain("msgc")).items if isinstance(item, Text)]
    assert "Inputs have no group of their own." in " ".join(texts)


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("igcv1 L=2 M=3", ("1 path for each pair:", "strictly complementary")),
        ("igcv3", ("12 paths for each pair:", "loosely complementary")),
        ("igcv3 permute=false", ("32 of 64 pairs never meet (50%);", "others: 24 paths")),
    ],
)
def test_the_matrix_holds_the_counts_and_its_title_says_what_it_shows(words, title):
    counts = explain(words).counts()
    texts = [item for item in counts_scene(counts).items if isinstance(item, Text)]
    assert tuple(text.text for text in texts[:2]) == title
    written = sorted((text.y, text.x, int(text.text)) for text in texts if text.colour)
    assert [count for _, _, count in written] == counts.ravel().tolist()


def test_a_large_matrix_has_a_cell_for_each_pair_the_darker_the_more_paths():
    counts = explain("igcv2 K=1x8x8 channels=416").counts()
    [cells] = [item for item in counts_scene(counts).items if isinstance(item, Raster)]
    levels = np.array([list(row) for row in cells.rows])
    assert levels.shape == counts.shape
    assert np.array_equal(levels == 0, counts == 0)
    assert np.array_equal(levels == levels.max(), counts == counts.max())
    element = ElementTree.fromstring(scene_svg(counts_scene(counts), alone=True)).find("{*}image")
    assert element is not None
    image = Image.open(io.BytesIO(base64.b64decode(element.get("href", "").partition(",")[2]))).convert("RGB")
    assert image.size == counts.shape[::-1]
    assert image.getpixel((0, 0)) == tuple(int(cells.colours[levels[0, 0]][i : i + 2], 16) for i in (1, 3, 5))


def test_of_a_large_block_some_channels_are_drawn_and_all_paths():
    block = explain("igcv1 L=24 M=8")
    assert compute_sketch(block, whole=True).elided
    scene = explained_scene(block)
    assert "Dots: channels that are not drawn" in scene.description
    [cells] = [item for item in scene.items if isinstance(item, Raster)]
    assert len(cells.rows) == len(cells.rows[0]) == 192


@pytest.mark.parametrize("words", [*KINDS, "igcv1 L=24 M=2"])
def test_text_of_a_picture_neither_overlaps_nor_leaves_it(words):
    figure = scene_figure(explained_scene(explain(words)))
    figure.canvas.draw()
    boxes = [text.get_window_extent().padded(-1) for text in figure.axes[0].texts]
    for number, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:number])
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1


@pytest.mark.parametrize("count", [1, 7, 8, 50])
def test_partitions_have_distinct_colours(count):
    assert len(set(colours(count))) == count


# The connections of a learned layer.


def test_connections_of_an_assignment_are_blocks_when_sorted():
    state = assigned([1, 0, 1, 2, 0], [2, 1, 0, 1])
    assert state.values.tolist() == [[0, 0, 0, 1, 0], [1, 0, 1, 0, 0], [0, 1, 0, 0, 1], [1, 0, 1, 0, 0]]
    ordered = state.values[state.rows][:, state.columns]
    assert ordered.tolist() == [[1, 1, 0, 0, 0], [0, 0, 1, 1, 0], [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]]
    assert state.summary() == "7 of 20 connections; inputs x filters of groups: 2x1, 2x2, 1x1"


def test_filters_with_the_same_inputs_are_a_group_and_unused_inputs_come_last():
    state = masked([[0, 1, 1, 0], [0, 0, 1, 1], [0, 1, 1, 0]])
    assert state.groups.tolist() == [0, 1, 0]
    assert state.columns.tolist() == [2, 1, 3, 0]
    assert state.summary() == "6 of 12 connections; inputs x filters of groups: 2x2, 2x1"


def test_inputs_are_sorted_by_the_group_that_uses_them_most_and_how_much():
    means = [[0.5, 0.3, 0.1, 0.0, 0.7], [0.4, 0.9, 1.0, 0.0, 0.1]]
    assert masked(means, filter_groups=[0, 1]).columns.tolist() == [4, 0, 2, 1, 3]
    assert masked([[0, 1, 0, 1], [1, 0, 0, 1]], filter_groups=[0, 1]).columns.tolist() == [3, 1, 0, 2]


def painted(before: Connections, after: Connections) -> list[np.ndarray]:
    """The three matrices that are drawn, (filters, inputs, 4): red, green, blue of the colour, 0 for ink; opacity."""
    scene = matrices_scene({"layer": (before, after)}, title="title", when=("before", "after"))
    rectangles = [item for item in scene.items if isinstance(item, Rects)]
    found = []
    for left, top, wide, tall in (box for item in rectangles if item.fill == "none" for box in item.boxes):
        filters, inputs = after.values.shape
        cells = np.zeros((filters, inputs, 4))
        for item in rectangles:
            for x, y, w, h in item.boxes if item.fill != "none" else ():
                if left <= x < left + wide and top <= y < top + tall:
                    across, down = wide / inputs, tall / filters
                    rows = slice(round((y - top) / down), round((y + h - top) / down))
                    columns = slice(round((x - left) / across), round((x + w - left) / across))
                    cells[rows, columns] = (*to_rgb(item.fill or "black"), item.opacity)
        found.append(cells)
    return found


def test_a_mean_gate_is_a_grey_level_and_a_mask_has_the_colour_of_its_group():
    graded = masked([[0.25, 1.0], [0.5, 0.0]], filter_groups=[0, 1])
    assert graded.graded
    _, shown, _ = painted(graded, graded)
    assert shown[..., 3].tolist() == [[0.25, 1.0], [0.5, 0.0]]
    assert not shown[..., :3].any()  # ink
    assert graded.summary() == "2 of 4 connections on average"
    exact = assigned([1, 0], [0, 1])
    _, _, ordered = painted(exact, exact)
    assert ordered[..., 3].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert np.allclose(ordered[0, 0, :3] * 255, [0, 0x72, 0xB2])


def test_what_all_images_keep_is_grey_beside_what_some_keep():
    before, after = (
        masked(np.ones((2, 2)), filter_groups=[0, 1]),
        masked([[0.25, 1.0], [0.5, 0.0]], filter_groups=[0, 1]),
    )
    first, _, _ = painted(before, after)
    assert not first[..., :3].any()
    assert (first[..., 3] == 1.0).all()  # all black


def test_an_empty_group_has_filters_without_inputs():
    state = assigned([0, 0, 0], [0, 1])
    assert state.summary() == "3 of 6 connections; inputs x filters of groups: 3x1, 0x1"


def test_the_figure_shows_before_and_after_and_after_sorted_by_group(tmp_path):
    before, after = masked(np.ones((6, 8)), filter_groups=[0, 1] * 3), assigned([0, 1] * 4, [0, 1] * 3)
    figure = connection_figure(before, after, title="layer")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert {"before training", "after training", "after training, sorted by group"} <= set(texts)
    assert "layer: 8 inputs, 6 filters" in texts
    figure.savefig(tmp_path / "connections.png")
    shown = [cells[..., 3] for cells in painted(before, after)]
    for drawn, wanted in zip(
        shown, (before.values, after.values, after.values[after.rows][:, after.columns]), strict=True
    ):
        assert np.array_equal(drawn, wanted)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: masked([[0.0, 2.0]]), "values from 0 to 1"),
        (lambda: masked([0.0, 1.0]), "a matrix"),
        (lambda: masked([[0.0, 1.0]], filter_groups=[0, 1]), "1 filters need as many groups, but 2 are given"),
        (lambda: assigned([[0]], [0]), "two lists"),
        (lambda: connection_figure(assigned([0], [0]), assigned([0], [0, 0]), title=""), "differ in shape"),
    ],
)
def test_connections_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ArchitectureError, match=message):
        make()


# The page.


def documented() -> list[list[str]]:
    """Cells of the rows of docs/grouping.md that start with a command."""
    page = (Path(__file__).resolve().parent.parent / "docs" / "grouping.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:1] == "|"]
    return [row for row in rows if row[0].startswith("`igcnas explain ")]


@pytest.mark.parametrize("row", documented(), ids=lambda row: row[0])
def test_the_table_of_path_counts_is_what_the_commands_print(capsys, row):
    command, pairs, paths, unconnected, condition, weights = row
    printed = facts(capsys, command.strip("`").removeprefix("igcnas explain "))
    statistics = printed["paths"]
    shown = {f"{statistics['fewest']}", f"{statistics['most']}"}
    assert f"{statistics['pairs']:,}" == pairs
    assert set(paths.replace(" or ", " ").split()) == shown
    assert f"{statistics['unconnected']:,}" == unconnected
    assert statistics["condition"] == condition
    assert f"{printed['weights_per_position']:,}" == weights


def test_the_page_has_a_table():
    assert len(documented()) >= 10
