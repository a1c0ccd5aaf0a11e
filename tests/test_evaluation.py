"""How well a network answers: the numbers of an evaluation, its files, its pictures, and its part of a report."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from igcnas.data.dataset import Dataset, Split
from igcnas.results.evaluation import figures
from igcnas.results.evaluation.answers import Answers, Mistake
from igcnas.results.evaluation.asking import answers
from igcnas.results.evaluation.numbers import BINS, calibrated, evaluated
from igcnas.results.evaluation.source import source_of
from igcnas.results.evaluation.table import class_table, confusion_table, worst_classes
from igcnas.results.evaluation.temperature import fit_temperature, log_shares, negative_log_likelihood
from igcnas.results.evaluation.words import calibration_sentence, mistakes_sentence
from igcnas.results.evaluation.writing import Kept, read_kept, write
from igcnas.statistics.intervals import wilson_interval
from igcnas.training.runs.data import InMemory, open_data
from igcnas.training.runs.evaluate import Trained

CLASSES = ("cat", "dog", "=cow")
ANSWERS = st.integers(2, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.lists(st.floats(-20, 20), min_size=3, max_size=3), min_size=n, max_size=n),
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
    )
)


def some(rows: list[list[float]], labels: list[int], mistakes: tuple[Mistake, ...] = ()) -> Answers:
    return Answers(logits=np.array(rows, dtype=float), labels=np.array(labels), mistakes=mistakes)


def example(n: int = 60, classes: int = 3, *, scale: float = 1.0, seed: int = 0) -> Answers:
    """Answers that are right about as often as they say, at scale 1: a temperature of 1 / scale undoes the rest."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(n, classes)) * 2
    shares = np.exp(log_shares(logits))
    labels = np.array([generator.choice(classes, p=row) for row in shares])
    pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    chosen = logits.argmax(1)
    mistakes = tuple(
        Mistake(
            position=int(i), label=int(labels[i]), answer=int(chosen[i]), share=float(shares[i].max()), pixels=pixels
        )
        for i in np.flatnonzero(chosen != labels)[:30]
    )
    return Answers(logits=logits * scale, labels=labels, mistakes=mistakes)


@given(ANSWERS)
def test_counts_add_up_and_every_interval_holds_its_share(drawn: tuple[list[list[float]], list[int]]) -> None:
    rows, labels = drawn
    found = evaluated(some(rows, labels), CLASSES, split="test")
    confusion = np.array(found.confusion)
    assert confusion.sum() == found.images == len(labels)
    assert confusion.sum(1).tolist() == np.bincount(labels, minlength=3).tolist()
    assert found.accuracy.right == np.trace(confusion)
    rights = [top.share.right for top in found.tops]
    assert rights == sorted(rights)
    assert [top.k for top in found.tops] == [1, 2]
    for one in found.scores:
        for share in (one.precision, one.recall):
            if share.interval is None or share.value is None:
                assert share.images == 0
            else:
                assert share.interval[0] <= share.value <= share.interval[1]
                assert share.interval == wilson_interval(share.right, share.images)
    assert sum(one.images for one in found.calibration[0].bins) == len(labels)
    assert 0 <= found.calibration[0].error <= 1
    assert found.largest[1].right == max(np.bincount(labels))


def test_an_example_by_hand() -> None:
    rows = [[3, 1, 0], [3, 1, 0], [0, 2, 1], [2, 1, 0], [0, 1, 5]]
    found = evaluated(some(rows, [0, 0, 1, 1, 1]), CLASSES, split="validation")
    assert found.confusion == ((2, 0, 0), (1, 1, 1), (0, 0, 0))
    cat, dog, cow = found.scores
    assert (cat.recall.value, cat.precision.value) == (1.0, 2 / 3)
    assert (dog.recall.value, dog.precision.value, dog.confused) == (1 / 3, 1.0, ("cat", 1))
    assert (cow.recall.value, cow.precision.value, cow.confused) == (None, 0.0, None)
    assert found.balanced == pytest.approx((1 + 1 / 3) / 2)
    assert (found.largest[0], found.largest[1].value) == ("dog", 0.6)
    assert [one.name for one in worst_classes(found, 5)] == ["dog", "cat"]


def test_of_equal_logits_the_first_class_is_the_answer_as_argmax_has_it() -> None:
    found = evaluated(some([[1, 1, 1]], [0]), CLASSES, split="test")
    assert found.accuracy.right == 1


def test_calibration_error_is_the_gap_between_shares_and_frequencies() -> None:
    logits = np.log(np.array([[0.75, 0.15, 0.1]] * 4))
    assert calibrated(logits, np.array([0, 0, 0, 1])).error == pytest.approx(0)
    assert calibrated(logits, np.array([0, 0, 1, 1])).error == pytest.approx(0.25)
    assert calibrated(logits, np.array([0, 0, 0, 0])).error == pytest.approx(0.25)
    (full,) = [one for one in calibrated(logits, np.array([0, 0, 0, 1])).bins if one.images]
    assert (full.low, full.high, full.right) == (0.7, 0.8, 3)
    sure = calibrated(np.array([[900.0, 0.0]]), np.array([0]))
    assert (sure.bins[BINS - 1].images, sure.error, sure.likelihood) == (1, 0.0, 0.0)


@given(st.floats(0.2, 5))
def test_a_temperature_undoes_a_scale_of_the_logits(scale: float) -> None:
    plain, scaled = example(300), example(300, scale=scale)
    assert fit_temperature(scaled.logits, scaled.labels) == pytest.approx(
        scale * fit_temperature(plain.logits, plain.labels), rel=0.02
    )


def test_the_fitted_temperature_makes_labels_likelier_than_its_neighbours() -> None:
    found = example(300, scale=3.0)
    fitted = fit_temperature(found.logits, found.labels)
    assert fitted == pytest.approx(3, rel=0.25)
    best = negative_log_likelihood(found.logits, found.labels, fitted)
    for other in (1.0, 0.9 * fitted, 1.1 * fitted):
        assert best < negative_log_likelihood(found.logits, found.labels, other)


def test_a_temperature_changes_no_answer_and_lowers_the_error_of_a_network_that_is_too_sure() -> None:
    found = evaluated(example(300, scale=3.0), CLASSES, split="test", temperature=3.0)
    plain, warm = found.calibration
    assert warm.error < plain.error
    assert sum(one.right for one in warm.bins) == sum(one.right for one in plain.bins) == found.accuracy.right
    assert "(fitted on validation images): the network was too sure" in calibration_sentence(found)


def trained(mean: tuple[float, ...], std: tuple[float, ...], answer: torch.nn.Module) -> Trained:
    return Trained(
        path=Path("x"),
        form="checkpoint",
        input_shape=(1, 2, 2),
        num_classes=2,
        answer=answer,
        device=torch.device("cpu"),
        mean=mean,
        std=std,
        data={},
    )


def test_the_surest_mistakes_come_first_with_their_own_pixels() -> None:
    class Brightness(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            bright = (x * 0.25 + 0.5).mean((1, 2, 3))
            return torch.stack([torch.zeros_like(bright), 8 * (bright - 0.5)], 1)

    levels = np.array([10, 60, 120, 200, 250], dtype=np.uint8)
    images = np.broadcast_to(levels[:, None, None, None], (5, 1, 2, 2)).copy()
    labels = np.array([1, 0, 1, 0, 0])  # wrong: 0 (very), 2 (hardly), 3 (some), 4 (very)
    test = Split(images=images, labels=labels)
    train = Split(images=images, labels=np.array([0, 0, 0, 1, 1]))
    dataset = Dataset(name="d", classes=("dark", "bright"), train=train, load_test=lambda: test, flip=False, pad=0)
    found = answers(trained((0.5,), (0.25,), Brightness()), InMemory(dataset), "test", shown=3)
    assert [one.position for one in found.mistakes] == [4, 0, 3]
    assert [int(one.pixels[0, 0, 0]) for one in found.mistakes] == [250, 10, 200]
    assert [(one.label, one.answer) for one in found.mistakes] == [(0, 1), (1, 0), (0, 1)]
    shares = [one.share for one in found.mistakes]
    assert shares == sorted(shares, reverse=True)
    assert found.logits.shape == (5, 2)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("split", ["validation", "test"])
def test_mistakes_on_an_image_folder_are_named_by_the_files_that_they_show(
    split: str, stream: bool, tmp_path: Path
) -> None:
    class Cat(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x.mean((1, 2, 3)) + 90, torch.zeros(len(x))], 1)

    for part, count in (("train", 8), ("test", 5)):
        for label, name in enumerate(("cat", "dog")):
            (tmp_path / part / name).mkdir(parents=True)
            for k in range(count):
                level = 100 * label + 10 * k + (5 if part == "test" else 0)
                Image.new("RGB", (8, 8), (level, level, 200)).save(tmp_path / part / name / f"{part}{k}.png")
    (tmp_path / "train" / "cat" / "bad.png").touch()
    data = open_data(f"imagefolder:{tmp_path}", image_size=8, stream=stream, skip_bad=True)
    network = dataclasses.replace(trained((0.5,) * 3, (0.25,) * 3, Cat()), input_shape=(3, 8, 8))
    found = answers(network, data, split, validation=0.5, seed=1)
    assert len(found.mistakes) == {"validation": 4, "test": 5}[split]
    folder = tmp_path / ("test" if split == "test" else "train")
    for one in found.mistakes:
        assert one.file.startswith("dog/")
        assert np.array_equal(np.asarray(Image.open(folder / one.file)), one.pixels)


def kept(split: str = "test", **options: float) -> Kept:
    found = example(80)
    return Kept(
        evaluation=evaluated(found, CLASSES, split=split, **options),
        mistakes=found.mistakes[:24],
        network="abc",
        data="d",
    )


def test_an_evaluation_is_written_and_read_back(tmp_path: Path) -> None:
    one = kept(temperature=1.5)
    files = write(tmp_path, one, title="d")
    assert all(file.is_file() for file in files)
    back = read_kept(tmp_path, "test")
    assert back is not None
    assert back.evaluation == one.evaluation
    assert (back.network, back.data) == ("abc", "d")
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(back.mistakes, one.mistakes, strict=True))
    assert read_kept(tmp_path, "validation") is None
    rows = list(csv.reader(io.StringIO((tmp_path / "test/confusion.csv").read_text(encoding="utf-8"))))
    assert rows[0] == ["class", "cat", "dog", "'=cow"]
    assert [list(map(int, row[1:])) for row in rows[1:]] == [list(row) for row in one.evaluation.confusion]
    told = json.loads((tmp_path / "test/evaluation.json").read_text(encoding="utf-8"))["evaluation"]["scores"][0]
    assert told["recall"]["low"] <= told["recall"]["value"] <= told["recall"]["high"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda place: (place / "evaluation.json").write_text("{"),
        lambda place: (place / "mistakes.npy").write_bytes(b""),
        lambda place: (place / "mistakes.npy").unlink(),
        lambda place: np.save(place / "mistakes.npy", np.zeros((2, 8, 8, 3), np.uint8)),
        lambda place: (place / "evaluation.json").write_text(
            (place / "evaluation.json")
            .read_text()
            .replace('"label": 0', '"label": 7')
            .replace('"label": 1', '"label": 7')
        ),
    ],
)
def test_an_evaluation_that_is_damaged_is_passed_over(tmp_path: Path, spoil) -> None:
    write(tmp_path, kept(), title="d")
    spoil(tmp_path / "test")
    assert read_kept(tmp_path, "test") is None


def test_a_network_without_mistakes_is_written_too(tmp_path: Path) -> None:
    found = evaluated(some([[9, 0, 0], [0, 9, 0]], [0, 1]), CLASSES, split="test")
    one = Kept(evaluation=found, mistakes=(), network="", data="d")
    write(tmp_path, one, title="d")
    back = read_kept(tmp_path, "test")
    assert back is not None
    assert back.mistakes == ()
    assert mistakes_sentence(one) == "none of 2 images"


def test_tables_have_a_row_for_each_class() -> None:
    found = kept().evaluation
    assert [row[0] for row in class_table(found).rows] == list(CLASSES)
    assert [list(row[1:]) for row in confusion_table(found).rows] == [list(row) for row in found.confusion]


@pytest.mark.parametrize("classes", [2, 10, 25, 120])
def test_the_confusions_of_few_and_of_many_classes_fit_their_picture(classes: int) -> None:
    names = [f"a class with a long name, number {k}" for k in range(classes)]
    found = evaluated(example(400, classes), names, split="test")
    figure = figures.confusion_figure(found, title="t")
    (axes, *_) = figure.axes
    shown = np.array(axes.images[0].get_array())
    sizes = np.array(found.confusion).sum(1)
    assert np.allclose(shown.sum(1), sizes > 0)
    numbers = [text.get_text() for text in axes.texts]
    assert len(numbers) == (np.count_nonzero(found.confusion) if classes <= 20 else 0)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert (len(labels) == classes and all(len(label) <= 18 for label in labels)) or classes > 60


def test_the_sheet_shows_each_mistake_with_its_answer_and_its_class() -> None:
    one = kept()
    figure = figures.mistakes_figure(one.mistakes, CLASSES, title="t")
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    first = one.mistakes[0]
    assert len(titles) == len(one.mistakes)
    assert titles[0] == f"said {CLASSES[first.answer]}, {first.share:.0%}\nis {CLASSES[first.label]}"


def test_pictures_of_one_name_are_told_apart_by_the_folder_of_their_class() -> None:
    mistake = kept().mistakes[0]
    files = ["cat/0001.png", "dog/0001.png", "deep/er/dog/a name that is much too long.png", ""]
    shown = [dataclasses.replace(mistake, file=file, position=7) for file in files]
    figure = figures.mistakes_figure(shown, CLASSES, title="t")
    texts = [axes.texts[0].get_text() for axes in figure.axes if axes.texts]
    assert texts == ["cat/0001.png", "dog/0001.png", "dog/a name th…too long.png", "image 7"]


def test_no_point_of_the_reliability_picture_touches_the_frame() -> None:
    sure = evaluated(some([[99, 0, 0], [0, 99, 0]], [0, 2]), CLASSES, split="test")
    figure = figures.reliability_figure(sure, title="t")
    axes = figure.axes[0]
    figure.canvas.draw()
    frame = axes.get_window_extent()
    (line,) = [one for one in axes.lines if one.get_marker() == "o"]
    radius = line.get_markersize() / 2 * figure.dpi / 72
    for x, y in axes.transData.transform(line.get_xydata()):
        assert frame.x0 + radius < x < frame.x1 - radius
        assert frame.y0 + radius < y < frame.y1 - radius
    assert line.get_xydata()[-1][0] > 0.999


def test_the_reliability_picture_names_both_errors() -> None:
    figure = figures.reliability_figure(kept(temperature=2.0).evaluation, title="t")
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert [text.split(":")[0] for text in texts] == ["shares are frequencies", "as it is", "temperature 2"]


def test_data_are_found_by_the_settings_around_the_network_and_only_if_they_are_its_own(tmp_path: Path) -> None:
    place = tmp_path / "study" / "best"
    place.mkdir(parents=True)
    data = {"spec": "npz:/there.npz", "fingerprint": "f", "data_dir": None, "image_size": None}
    (tmp_path / "study" / "settings.json").write_text(json.dumps({"data": data, "other": 1}))
    found = source_of(place / "model.onnx", {"fingerprint": "f", "name": "there"})
    assert found is not None
    assert found.spec == "npz:/there.npz"
    assert source_of(place / "model.onnx", {"fingerprint": "g", "name": "there"}) is None
    assert source_of(place / "model.onnx", {"fingerprint": "g", "name": "digits"}).spec == "digits"
    assert source_of(tmp_path / "elsewhere.onnx", {}) is None
    (tmp_path / "study" / "settings.json").write_text("{")
    assert source_of(place / "model.onnx", {"fingerprint": "f"}) is None


def test_a_sheet_of_grey_pictures_is_grey(tmp_path: Path) -> None:
    grey = Mistake(position=0, label=0, answer=1, share=0.9, pixels=np.full((4, 4, 1), 128, np.uint8))
    one = Kept(evaluation=kept().evaluation, mistakes=(grey,), network="", data="d")
    write(tmp_path, one, title="d")
    pixels = np.asarray(Image.open(tmp_path / "test/mistakes.png").convert("RGB")).reshape(-1, 3)
    assert (pixels == 128).all(1).sum() > 1000
