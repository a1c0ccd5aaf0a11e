"""Balanced accuracy: what it is, how sure it is, and that words say it wherever it is meant."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score
from support.searches import SMALL, settings_of

from igcnas.cli import main
from igcnas.data.digits import load_digits
from igcnas.results.figures import front_figure
from igcnas.results.report.composing import composition
from igcnas.results.report.page import render
from igcnas.results.retraining.table import Result
from igcnas.search.folder import open_study
from igcnas.search.records import curves
from igcnas.search.study import Study
from igcnas.statistics.noise import Noise, balanced_standard_error, effective_images, standard_error
from igcnas.training.metrics import Scores, score

pytestmark = pytest.mark.usefixtures("forked_workers")

CPU = torch.device("cpu")
counts = st.lists(st.integers(1, 200), min_size=2, max_size=6)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_balanced_accuracy_is_the_mean_of_recalls_as_scikit_learn_has_it(pairs):
    labels, answers = (torch.tensor(one) for one in zip(*pairs, strict=True))
    logits = torch.nn.functional.one_hot(answers, 4).float()
    batches = list(zip(torch.split(logits, 7), torch.split(labels, 7), strict=True))
    found = score(lambda x: x, batches, device=CPU, classes=4)
    expected = np.mean([(answers[labels == one] == one).float().mean().item() for one in labels.unique()])
    assert found.balanced == pytest.approx(100 * expected)
    if set(answers.tolist()) == set(labels.tolist()) and len(set(labels.tolist())) > 1:  # of others it warns
        assert found.balanced == pytest.approx(100 * balanced_accuracy_score(labels, answers))
    assert found.top1 == pytest.approx(100 * (labels == answers).float().mean().item())


@given(counts)
def test_a_network_that_always_gives_one_answer_has_one_over_the_classes(images):
    scores = Scores(
        images=sum(images), top1=0.0, top5=None, classes=((images[0], images[0]), *((n, 0) for n in images[1:]))
    )
    assert scores.by("balanced-accuracy") == pytest.approx(100 / len(images))


@given(counts, st.floats(0.2, 0.8))
def test_the_effective_images_give_the_error_of_classes_that_are_equally_hard(images, share):
    exact = math.sqrt(sum(share * (1 - share) / n for n in images)) / len(images)
    effective = len(images) ** 2 / sum(1 / n for n in images)
    assert exact == pytest.approx(math.sqrt(share * (1 - share) / effective))
    assert effective_images(images) == max(1, round(effective))
    assert effective_images(images) <= sum(images)


def test_of_classes_of_one_size_every_image_counts():
    assert effective_images([40] * 5) == 200
    assert effective_images([0, 40, 40]) == 80  # a class without images says nothing


def test_the_error_of_a_balanced_accuracy_is_that_of_drawing_the_images_again():
    images, right = (90, 10), (80, 6)
    random = np.random.default_rng(0)
    drawn = [random.binomial(n, r / n, 40_000) / n for n, r in zip(images, right, strict=True)]
    assert balanced_standard_error(images, right) == pytest.approx(100 * np.mean(drawn, axis=0).std(), rel=0.02)
    assert balanced_standard_error((100,), (100,)) == standard_error(100.0, 100)  # never nothing


def test_a_study_of_balanced_accuracy_judges_by_the_effective_images():
    data = dataclasses.replace(settings_of(SMALL).data, class_images=(90, 10), validation_images=100)
    plain = dataclasses.replace(settings_of(SMALL), data=data)
    balanced = dataclasses.replace(plain, training=dataclasses.replace(plain.training, metric="balanced-accuracy"))
    assert (plain.effective_images, plain.measure) == (100, "accuracy")
    assert (balanced.effective_images, balanced.measure) == (36, "balanced accuracy")
    words = Noise.of([(90.0,)], 36, balanced_over=100).words()
    assert "36 images (as unsure as that is the balanced accuracy on the 100 validation images" in words


def test_a_retrained_network_of_such_a_study_is_tested_by_it():
    facts = {"network": "a", "repeat": 0, "macs": 1, "params": 1, "train_loss": 1.0, "seconds": 1.0, "device": "cpu"}
    classes = ((90, 90), (10, 0))
    found = Result(test_right=90, test_images=100, failed=None, test_classes=classes, **facts)  # type: ignore[arg-type]
    assert found.test_accuracy == 50.0
    assert found.binomial_error == balanced_standard_error((90, 10), (90, 0))
    assert dataclasses.replace(found, test_classes=()).test_accuracy == 90.0


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small search on digits of very different frequencies, with its files, its export and its report."""
    folder = tmp_path_factory.mktemp("balanced")
    digits = load_digits()
    arrays = {}
    for part, split in (("train", digits.train), ("test", digits.load_test())):
        kept = np.concatenate([np.flatnonzero(split.labels == c)[: max(8, 120 - 14 * c)] for c in range(10)])
        arrays |= {f"x_{part}": split.images[kept], f"y_{part}": split.labels[kept]}
    np.savez(folder / "few.npz", **arrays)
    words = f"search --data npz:{folder / 'few.npz'} --budget-mflops 0.05 --networks 3 --epochs 2 --no-baselines"
    options = f"--metric balanced-accuracy --workers 1 --seeds 2 --repeats 1 --study b --studies-dir {folder}"
    assert main([*words.split(), *options.split()]) == 0
    return folder / "b"


def test_what_is_stored_is_balanced_and_the_counts_of_each_class_beside_it(searched):
    study = Study.read(searched)
    images = study.settings.data.class_images
    for record in study.records:
        shares = [right / of for right, of in zip(record.class_right, images, strict=True)]
        assert record.val_accuracy == pytest.approx(100 * sum(shares) / len(shares))
        assert record.curve[-1][2] == record.val_accuracy


def _tested(study: Study) -> float:
    """The balanced accuracy of the exported network on the test images, by scikit-learn and ONNX Runtime."""
    session = onnxruntime.InferenceSession(str(study.folder / "best" / "model.onnx"))
    test = study.data.load_test()
    (logits,) = session.run(None, {session.get_inputs()[0].name: test.images.astype(np.float32) / 255})
    return float(100 * balanced_accuracy_score(test.labels, logits.argmax(1)))


def test_words_say_balanced_accuracy_wherever_it_is_that(searched, capsys):
    assert main(["status", str(searched)]) == 0
    said = capsys.readouterr().out
    assert "% balanced accuracy" in said
    assert "balanced accuracy %" in said
    study = Study.read(searched)
    figure = front_figure(study.records, study.settings, title="b")
    assert figure.axes[0].get_ylabel().startswith("validation balanced accuracy")
    page = render(composition(study, importance=False).report)
    assert "Balanced accuracy against cost" in page
    assert "Validation balanced accuracy" in page
    assert "validation accuracy" not in page
    facts = json.loads((searched / "best" / "architecture.json").read_text(encoding="utf-8"))["facts"]
    assert "validation balanced accuracy" in facts
    assert facts["validation accuracy"].endswith("(of all images)")
    assert facts["test balanced accuracy"].startswith(f"{_tested(study):.2f} % +- ")


def test_whoever_opens_the_study_elsewhere_reads_what_is_measured(searched):
    assert open_study(searched).metric_names == ["val_balanced_accuracy", "macs"]
    table = curves(searched)
    last = table[table["number"] == 0].iloc[-1]
    assert last["val_balanced_accuracy"] == Study.read(searched).records[0].val_accuracy


def test_the_table_has_both_accuracies_under_their_names(searched):
    rows = list(csv.DictReader((searched / "trials.csv").read_text(encoding="utf-8").splitlines()))
    study = Study.read(searched)
    for row, record in zip(rows, study.records, strict=True):
        assert float(row["val_balanced_accuracy"]) == record.val_accuracy
        assert float(row["val_accuracy"]) == pytest.approx(100 * sum(record.class_right) / study.images)
