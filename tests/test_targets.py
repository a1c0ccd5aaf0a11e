"""What a network is to answer: labels, shares of mixed images, and a teacher's answers; and the mean of its weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.campaigns import DIGITS, SHORT, network
from torch.nn import functional

from igcnas.errors import TrainingError
from igcnas.modules.build import build
from igcnas.modules.lowering import lower
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import InvertedResidual
from igcnas.network.grouping import Condensing, LearnedGrouping
from igcnas.network.plan import plan
from igcnas.training.averaging import WeightAverage
from igcnas.training.engine import Engine, Stopped
from igcnas.training.recipes import Recipe, short_recipe
from igcnas.training.reports import EpochReport
from igcnas.training.steps import right_answers
from igcnas.training.targets import Targets
from igcnas.training.teaching import teacher_of
from igcnas.training.tensors import TrainingData

CPU = torch.device("cpu")
PLAIN = short_recipe(SHORT)
CLASSES = 10
shapes = st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 12), st.integers(1, 12))
seeds = st.integers(0, 2**63 - 1)


def batch(shape: tuple[int, ...], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(shape, generator=generator)
    return images, torch.randint(CLASSES, (shape[0],), generator=generator)


def targets(teacher: Any = None, **values: Any) -> Targets:
    return Targets(dataclasses.replace(PLAIN, **values), CLASSES, teacher)


# Targets


def test_a_plain_recipe_leaves_images_and_labels_as_they_are():
    images, labels = batch((4, 3, 8, 8))
    assert targets()(images, labels, seed=1) == (images, labels)
    assert not targets().shares


def test_a_recipe_without_a_teacher_does_not_take_one():
    assert not targets(distillation=0.5).shares


@given(shapes, seeds, st.sampled_from([{"mixup": 0.2}, {"cutmix": 1.0}, {"mixup": 0.2, "cutmix": 1.0}]))
def test_the_shares_of_an_image_are_those_of_its_two_classes_and_add_up_to_one(shape, seed, mixing):
    images, labels = batch(shape, seed % 1000)
    _, shares = targets(label_smoothing=0.0, **mixing)(images, labels, seed=seed)
    assert torch.allclose(shares.sum(1), torch.ones(len(labels)))
    others = labels.flip(0)
    rest = shares.clone()
    rest[torch.arange(len(labels)), labels] = 0
    rest[torch.arange(len(labels)), others] = 0
    assert rest.abs().max() == 0
    assert shares.min() >= 0


@given(shapes, seeds)
def test_a_mixed_image_is_the_weighted_sum_that_its_target_says(shape, seed):
    images, labels = batch(shape, seed % 1000)
    labels = torch.arange(len(labels)) % CLASSES
    mixed, shares = targets(label_smoothing=0.0, mixup=1.0)(images, labels, seed=seed)
    others = labels.flip(0)
    for image in range(len(labels)):
        if labels[image] == others[image]:
            continue
        share = shares[image, labels[image]]
        expected = share * images[image] + (1 - share) * images.flip(0)[image]
        assert torch.allclose(mixed[image], expected, atol=1e-5)


@given(shapes, seeds)
def test_a_pasted_rectangle_has_the_share_of_the_area_that_its_target_says(shape, seed):
    count, _, height, width = shape
    own, other = torch.zeros(shape), torch.ones(shape)
    images = torch.cat([own, other])
    labels = torch.tensor([0] * count + [1] * count)
    mixed, shares = targets(label_smoothing=0.0, cutmix=1.0)(images, labels, seed=seed)
    pasted = mixed[0].mean()
    assert shares[0, 1] == pytest.approx(float(pasted), abs=1e-5)
    rows = mixed[0, 0].amax(1).sum()
    columns = mixed[0, 0].amax(0).sum()
    assert rows * columns == pytest.approx(float(pasted) * height * width, abs=1e-3)  # one rectangle, whole
    assert images[0].max() == 0  # the batch of the caller is as it was


def test_the_same_seed_mixes_alike_and_another_otherwise():
    images, labels = batch((8, 3, 8, 8))
    mix = targets(mixup=0.4, cutmix=1.0)
    first, again, other = (mix(images, labels, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_a_coin_decides_between_both_ways_of_mixing():
    images, labels = torch.cat([torch.zeros(4, 1, 8, 8), torch.ones(4, 1, 8, 8)]), torch.arange(8)
    mix = targets(mixup=1.0, cutmix=1.0)
    pasted = [bool(((m := mix(images, labels, seed=seed)[0]) == m.round()).all()) for seed in range(200)]
    assert 60 < sum(pasted) < 140


def test_smoothing_is_that_of_the_cross_entropy():
    images, labels = batch((6, 1, 8, 8))
    logits = torch.randn(6, CLASSES)
    _, shares = Targets(
        dataclasses.replace(PLAIN, label_smoothing=0.1, distillation=0.5), CLASSES, lambda x: torch.zeros(len(x), 10)
    )(images, labels, seed=0)
    uniform = torch.full((6, CLASSES), 1 / CLASSES)
    expected = 0.5 * functional.cross_entropy(logits, labels, label_smoothing=0.1)
    expected = expected + 0.5 * functional.cross_entropy(logits, uniform)
    assert functional.cross_entropy(logits, shares) == pytest.approx(float(expected), rel=1e-5)


def test_a_teacher_sees_the_very_images_that_the_pupil_sees():
    seen = []

    def teacher(images: torch.Tensor) -> torch.Tensor:
        seen.append(images)
        return torch.zeros(len(images), CLASSES)

    images, labels = batch((4, 1, 8, 8))
    given_to_pupil, _ = targets(teacher, mixup=1.0, distillation=1.0)(images, labels, seed=3)
    assert torch.equal(seen[0], given_to_pupil)
    assert not torch.equal(seen[0], images)


def test_of_shares_the_largest_is_the_right_answer():
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0]])
    assert right_answers(logits, torch.tensor([[0.7, 0.3], [0.9, 0.1]])) == 0.5
    assert right_answers(logits, torch.tensor([0, 1])) == 1.0


# In training


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return TrainingData.of(DIGITS, SHORT, CPU)


def engine(data: TrainingData, recipe: Recipe, *, width: int = 4, **how: Any) -> Engine:
    return Engine(plan(network(width)), data, recipe, seed=7, **how)


def weights(trained: Engine) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in trained.network.state_dict().items()}


MIXED = dataclasses.replace(PLAIN, mixup=0.2, cutmix=1.0, averaging=0.3)


@pytest.mark.parametrize("recipe", [MIXED, dataclasses.replace(PLAIN, mixup=0.4)], ids=["all", "mixup"])
def test_both_engines_learn_the_same_from_mixed_images(data, recipe):
    fast, eager = (engine(data, recipe, engine=kind) for kind in ("fast", "eager"))
    for one in (fast, eager):
        one.run()
    assert fast.curve[-1].train_loss == pytest.approx(eager.curve[-1].train_loss, rel=1e-3)


def test_a_training_with_all_of_it_is_interrupted_and_goes_on_to_the_same_bits(data, tmp_path):
    teacher = taught_by(data)
    whole = engine(data, dataclasses.replace(MIXED, distillation=0.5), teacher=teacher)
    whole.run()
    left = [3]

    def stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    path = tmp_path / "c.pt"
    recipe = dataclasses.replace(MIXED, distillation=0.5)
    interrupted = engine(data, recipe, teacher=teacher, checkpoint=path, stop=stop)
    with pytest.raises(Stopped):
        interrupted.run()
    resumed = engine(data, recipe, teacher=teacher, checkpoint=path)
    assert resumed.load()
    resumed.run()
    assert resumed.curve == whole.curve
    for name, tensor in weights(whole).items():
        assert torch.equal(tensor, weights(resumed)[name]), name


def taught_by(data: TrainingData, kind: str = "fast") -> Any:
    wide = engine(data, PLAIN, width=8)
    wide.run()
    return teacher_of(network(8), wide.network.state_dict(), where="a test", device=CPU, engine=kind)


def test_a_teacher_answers_as_its_module_does_with_either_engine(data):
    images = data.normalize(data.validation.images[:70])
    fast, eager = taught_by(data, "fast"), taught_by(data, "eager")
    assert torch.allclose(fast(images), eager(images), atol=1e-4)
    assert torch.allclose(fast(images[:3]), eager(images[:3]), atol=1e-4)  # another batch than the first


def test_a_pupil_of_a_teacher_alone_comes_to_answer_as_it(data):
    teacher = taught_by(data)
    recipe = dataclasses.replace(PLAIN, distillation=1.0, epochs=8)
    pupil, other = engine(data, recipe, teacher=teacher), engine(data, dataclasses.replace(recipe, distillation=0.0))
    images = data.normalize(data.validation.images)
    distances = []
    for one in (pupil, other):
        one.run()
        answers = one.network(images).log_softmax(1)
        distances.append(float(functional.kl_div(answers, teacher(images).softmax(1), reduction="batchmean").detach()))
    assert distances[0] < 0.6 * distances[1]


# The mean of the weights


def test_the_mean_is_the_exponential_one_that_its_share_says():
    linear = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(linear, share=0.5, steps=8)  # looks back over four steps
    expected = 0.0
    for step in range(1, 9):
        linear.weight.data.fill_(float(step))
        average.update(settled=True)
        expected += (step - expected) * max(1 / 4, 1 / step)
    with average.applied():
        assert linear.weight.item() == pytest.approx(expected)
    assert linear.weight.item() == 8.0


def test_until_groups_are_settled_the_mean_is_the_weights():
    linear = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(linear, share=0.5, steps=100)
    for step in range(5):
        linear.weight.data.fill_(float(step))
        average.update(settled=False)
    with average.applied():
        assert linear.weight.item() == 4.0


def test_only_parameters_and_statistics_of_norms_are_averaged():
    norm = torch.nn.BatchNorm2d(2)
    average = WeightAverage(norm, share=0.5, steps=100)
    norm.running_mean.fill_(4.0)
    norm.num_batches_tracked.fill_(9)
    with average.applied():
        assert norm.running_mean.tolist() == [0.0, 0.0]
        assert norm.num_batches_tracked == 9


def test_validation_judges_the_mean_which_is_what_remains(data):
    recipe = dataclasses.replace(PLAIN, averaging=0.5, epochs=3)
    seen: list[EpochReport] = []
    averaged, plain = engine(data, recipe), engine(data, dataclasses.replace(recipe, averaging=0.0))
    averaged.run(seen.append)
    plain.run()
    assert averaged.curve[-1].train_loss == plain.curve[-1].train_loss  # the training itself is the same
    assert averaged.evaluate().top1 == seen[-1].val_accuracy
    assert any(not torch.equal(a, b) for a, b in zip(weights(averaged).values(), weights(plain).values(), strict=True))


@pytest.mark.parametrize("grouping", [LearnedGrouping(groups=2), Condensing(groups=2, factor=2)], ids=str)
def test_a_mean_of_learned_groups_is_a_network_that_can_be_lowered(data, grouping):
    block = InvertedResidual(expansion=2, expand=grouping, project=grouping)
    stage = Stage(block=block, width=8, repeats=1, stride=2)
    learned = Architecture(family="test", input_shape=(1, 8, 8), num_classes=10, stem_channels=4, stages=(stage,))
    trained = Engine(plan(learned), data, dataclasses.replace(PLAIN, averaging=0.2, epochs=3), seed=7)
    trained.run()
    assert trained.evaluate().top1 == trained.curve[-1].val_accuracy
    lowered = lower(trained.plan, trained.network)
    frozen = build(lowered.plan)
    frozen.load_state_dict(lowered.state)
    images = data.normalize(data.validation.images[:20])
    assert torch.allclose(frozen.eval()(images), trained.network(images), atol=1e-4)


def test_a_checkpoint_without_the_mean_begins_again(data, tmp_path: Path):
    plain = engine(data, PLAIN, checkpoint=tmp_path / "c.pt")
    plain.run()
    plain.save()
    notes: list[str] = []
    assert not engine(data, dataclasses.replace(PLAIN, averaging=0.5), checkpoint=tmp_path / "c.pt").load(notes.append)
    assert "this training begins again" in notes[0]


def test_a_network_that_diverges_with_shares_fails_as_with_labels(data):
    with pytest.raises(TrainingError, match="diverged"):
        engine(data, dataclasses.replace(MIXED, learning_rate=1e30, gradient_clip=None)).run()
