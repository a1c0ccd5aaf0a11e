"""The training engine: kinds of parameters, augmentation, and going on from any step."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from igcnas.data.augmentation import Augmentation, random_window
from igcnas.data.dataset import Dataset, Split
from igcnas.data.loading import load_dataset
from igcnas.errors import IgcnasError, TrainingError
from igcnas.modules.build import build
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import InvertedResidual
from igcnas.network.grouping import Dense, LearnedGrouping
from igcnas.network.plan import plan
from igcnas.training.augment import jitter, resize_windows
from igcnas.training.engine import Engine, Stopped
from igcnas.training.metrics import Scores
from igcnas.training.optimizer import make_optimizer, parameter_kinds
from igcnas.training.recipes import RECIPES, PerKind
from igcnas.training.runs.weights import load_pretrained
from igcnas.training.tensors import TrainingData

CPU = torch.device("cpu")
RECIPE = RECIPES["flgc-cifar"].adapted(epochs=2, batch_size=128, learning_rate=0.1)


def network(*, learned: bool = True) -> Architecture:
    grouping = LearnedGrouping(groups=2) if learned else Dense()
    block = InvertedResidual(expansion=2, expand=Dense(), project=grouping)
    stage = Stage(block=block, width=8, repeats=1, stride=2)
    return Architecture(family="test", input_shape=(1, 8, 8), num_classes=10, stem_channels=4, stages=(stage,))


DIGITS = load_dataset("digits")


@pytest.fixture(scope="module")
def digits() -> TrainingData:
    return TrainingData.split(DIGITS, CPU, fraction=0.25, seed=0, augmentation=RECIPE.augmentation)


def same(first: Engine, second: Engine) -> bool:
    a, b = first.network.state_dict(), second.network.state_dict()
    return first.curve == second.curve and all(torch.equal(a[name], b[name]) for name in a)


class StopAt:
    """Asks to stop before the step of this number."""

    def __init__(self, step: int) -> None:
        self.left = step

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("step", [0, 1, 7, 8, 13])  # 8 steps an epoch
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_a_training_stopped_before_any_step_goes_on_to_the_same_bits(
    digits: TrainingData, tmp_path: Path, step: int, dropout: float
) -> None:
    recipe = dataclasses.replace(RECIPE, dropout=dropout)

    def engine(**settings: object) -> Engine:
        return Engine(plan(network()), digits, recipe, seed=3, detailed=True, keep_best=True, **settings)  # type: ignore[arg-type]

    whole = engine()
    assert whole.steps_per_epoch == 8
    whole.run()
    checkpoint = tmp_path / "checkpoint.pt"
    with pytest.raises(Stopped):
        engine(checkpoint=checkpoint, stop=StopAt(step)).run()
    torch.rand(step + 1)  # random numbers drawn by others must not matter
    resumed = engine(checkpoint=checkpoint)
    assert resumed.load()
    assert (len(resumed.curve), resumed.steps_done) == divmod(step, 8)
    resumed.run()
    assert same(resumed, whole)
    assert resumed.best_epoch == whole.best_epoch
    assert resumed.best_state is not None
    assert whole.best_state is not None
    assert all(torch.equal(resumed.best_state[name], tensor) for name, tensor in whole.best_state.items())


def test_the_best_weights_are_kept_while_accuracy_falls_also_over_a_stop(digits: TrainingData, tmp_path: Path) -> None:
    def engine(**settings: object) -> Engine:
        made = Engine(plan(network()), digits, RECIPE, seed=3, keep_best=True, **settings)  # type: ignore[arg-type]
        made.evaluate = lambda: Scores(images=9, top1=90.0 - len(made.curve), top5=None)  # type: ignore[method-assign]
        return made

    after_first: dict[str, torch.Tensor] = {}
    whole = engine()
    whole.run(lambda _report: after_first or after_first.update(copy.deepcopy(whole.network.state_dict())))
    with pytest.raises(Stopped):
        engine(checkpoint=tmp_path / "c.pt", stop=StopAt(13)).run()
    resumed = engine(checkpoint=tmp_path / "c.pt")
    resumed.load()
    resumed.run()
    for found in (whole, resumed):
        assert found.best_epoch == 1
        assert found.best_state is not None
        assert all(torch.equal(found.best_state[name], tensor) for name, tensor in after_first.items())


def test_a_checkpoint_of_another_training_is_not_taken(digits: TrainingData, tmp_path: Path) -> None:
    first = Engine(plan(network()), digits, RECIPE, seed=1, checkpoint=tmp_path / "c.pt")
    first.save()
    assert Engine(plan(network()), digits, RECIPE, seed=1, checkpoint=tmp_path / "c.pt").load()
    assert not Engine(plan(network()), digits, RECIPE, seed=2, checkpoint=tmp_path / "c.pt").load()
    torch.save({"seed": 1, "network": {}}, tmp_path / "c.pt")  # of an earlier version
    assert not Engine(plan(network()), digits, RECIPE, seed=1, checkpoint=tmp_path / "c.pt").load()
    (tmp_path / "c.pt").write_bytes(b"torn")
    with pytest.raises(TrainingError, match="is damaged"):
        Engine(plan(network()), digits, RECIPE, seed=1, checkpoint=tmp_path / "c.pt").load()


def test_a_checkpoint_of_the_other_engine_is_not_taken(digits: TrainingData, tmp_path: Path) -> None:
    recipe = RECIPES["igc-cifar"].adapted(epochs=1, batch_size=256)
    path = tmp_path / "checkpoint.pt"

    def engine(name: str) -> Engine:
        return Engine(plan(network()), digits, recipe, seed=3, checkpoint=path, engine=name)

    for wrote, other in (("fast", "eager"), ("eager", "fast")):
        engine(wrote).save()
        assert not engine(other).load()
        assert engine(wrote).load()


def test_dropout_is_before_the_classifier_and_only_in_training(digits: TrainingData) -> None:
    engine = Engine(plan(network()), digits, dataclasses.replace(RECIPE, dropout=0.5), seed=0)
    images = torch.rand(4, 1, 8, 8)
    engine.network.eval()
    assert torch.equal(engine.network(images), engine.network(images))
    seen: list[torch.Tensor] = []
    classifier = [m for m in engine.network.modules() if isinstance(m, nn.Linear)][-1]
    classifier.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    engine.network.train()
    engine.network(torch.ones(512, 1, 8, 8) * torch.rand(512, 1, 1, 1))
    assert 0.4 < (seen[0] == 0).float().mean().item() < 0.95  # ReLU6 makes zeros of its own


def test_each_kind_of_parameter_has_its_decay_and_rate() -> None:
    net = build(plan(network()))
    kinds = parameter_kinds(net)
    assert sum(map(len, kinds.values())) == len(list(net.parameters()))
    assert len(kinds["deciding"]) == 2
    assert len(kinds["biases"]) == 1
    assert len(kinds["norms"]) == 2 * sum(isinstance(m, nn.BatchNorm2d) for m in net.modules())
    recipe = dataclasses.replace(
        RECIPES["msgc-imagenet"], decay=PerKind(weights=1.0, biases=2.0, norms=3.0, deciding=4.0)
    )
    groups = make_optimizer(net, recipe).param_groups
    assert [group["weight_decay"] for group in groups] == [1.0, 2.0, 3.0, 4.0]
    assert [group["lr_scale"] for group in groups] == pytest.approx([0.2, 0.2, 0.2, 1.0])
    assert type(make_optimizer(net, RECIPES["mobilenetv2-cifar-rmsprop"])) is torch.optim.RMSprop


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_trains_a_step(name: str) -> None:
    recipe = RECIPES[name].adapted(epochs=1, batch_size=16)
    images = np.random.default_rng(0).integers(0, 256, (16, 3, 16, 16), np.uint8)
    split = Split(images=images, labels=np.arange(16) % 4)
    data = Dataset(name="x", classes=tuple("abcd"), train=split, load_test=lambda: split, flip=True, pad=2)
    source = TrainingData.split(data, CPU, fraction=None, seed=0, augmentation=recipe.augmentation)
    small = dataclasses.replace(network(), input_shape=(3, 16, 16), num_classes=4)
    engine = Engine(plan(small), source, recipe, seed=0, detailed=True, keep_best=True)
    before = {name: tensor.clone() for name, tensor in engine.network.state_dict().items()}
    engine.run()
    after = engine.network.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert engine.curve[0].val_accuracy != engine.curve[0].val_accuracy  # NaN: nothing was put aside
    assert engine.best_epoch == 1


# Augmentation


def source(augmentation: Augmentation, *, size: int = 12, colour: int | None = None) -> TrainingData:
    images = np.random.default_rng(0).integers(0, 256, (64, 3, size, size), np.uint8)
    if colour is not None:
        images[:] = colour
    split = Split(images=images, labels=np.arange(64) % 2)
    data = Dataset(name="x", classes=("a", "b"), train=split, load_test=lambda: split, flip=True, pad=3)
    made = TrainingData.split(data, CPU, fraction=None, seed=0, augmentation=augmentation)
    return dataclasses.replace(made, mean=torch.zeros(3), std=torch.ones(3))


def test_the_border_of_a_padded_crop_has_the_mean_colour_or_is_black() -> None:
    for fill, expected in (("zero", 0.0), ("mean", 100 / 255)):
        data = source(Augmentation(fill=fill), colour=100)
        data = dataclasses.replace(data, mean=torch.full((3,), 100 / 255), std=torch.ones(3))
        images = next(data.epoch(64, seed=0))[0] + 100 / 255
        assert images.min().item() == pytest.approx(expected, abs=1e-6)


def test_no_crop_and_no_flip_give_the_images_themselves() -> None:
    data = source(Augmentation(crop="none", flip=False))
    images, _ = next(data.epoch(64, seed=0))
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(images, data.training.images[order].float() / 255)


@pytest.mark.parametrize("crop", ["pad", "area", "short-side"])
def test_an_epoch_taken_up_in_the_middle_gives_the_same_batches(crop: str) -> None:
    scale = (1.1, 2.0) if crop == "short-side" else (0.2, 1.0)
    data = source(Augmentation(crop=crop, scale=scale, jitter=(0.2, 0.2, 0.2, 0.1)))
    whole = list(data.epoch(16, seed=5))
    for (a, b), (c, d) in zip(whole[2:], data.epoch(16, seed=5, first=2), strict=True):
        assert torch.equal(a, c)
        assert torch.equal(b, d)


@given(
    st.sampled_from([Augmentation(crop="area"), Augmentation(crop="short-side", scale=(1.1, 2.1), ratio=(0.75, 1.25))]),
    st.integers(5, 600),
    st.integers(5, 600),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4),
)
def test_a_random_window_lies_in_the_image(rule: Augmentation, width: int, height: int, draws: list[float]) -> None:
    left, top, inner_width, inner_height = random_window(rule, width, height, draws)
    assert inner_width > 0
    assert inner_height > 0
    assert left >= 0
    assert top >= 0
    assert left + inner_width <= width * (1 + 1e-9)
    assert top + inner_height <= height * (1 + 1e-9)


def test_a_whole_window_is_the_image_and_a_mirrored_one_its_mirror() -> None:
    images = torch.randint(256, (2, 3, 6, 8), dtype=torch.uint8)
    windows = torch.tensor([[0.0, 0.0, 8.0, 6.0]] * 2)
    out = resize_windows(images, windows, torch.tensor([False, True]))
    assert torch.allclose(out[0], images[0].float(), atol=1e-3)
    assert torch.allclose(out[1], images[1].float().flip(-1), atol=1e-3)


def test_jitter_changes_each_image_by_its_own_draws_and_keeps_luminance_when_only_the_hue_turns() -> None:
    images = 0.3 + 0.4 * torch.rand(8, 3, 4, 4)
    draws = torch.full((8, 4), 0.5)  # the middle: no change
    assert torch.allclose(jitter(images, draws, (0.3, 0.3, 0.3, 0.3)), images, atol=1e-5)
    draws[1] = torch.tensor([1.0, 0.5, 0.5, 0.5])
    brighter = jitter(images, draws, (0.2, 0.2, 0.2, 0.2))
    assert torch.allclose(brighter[1], images[1] * 1.2, atol=1e-5)
    assert torch.allclose(brighter[0], images[0], atol=1e-5)
    turned = jitter(images, torch.tensor([[0.5, 0.5, 0.5, 0.6]] * 8), (0.0, 0.0, 0.0, 0.2))
    weights = torch.tensor([0.299, 0.587, 0.114])
    assert torch.allclose(torch.einsum("c,bchw->bhw", weights, turned - images), torch.zeros(8, 4, 4), atol=1e-3)
    assert not torch.allclose(turned, images, atol=1e-2)
    muted = images = 0.5 + 0.05 * images
    for _ in range(3):
        muted = jitter(muted, torch.tensor([[0.5, 0.5, 0.5, 5 / 6]] * 8), (0.0, 0.0, 0.0, 0.5))  # a third of a turn
    assert torch.allclose(muted, images, atol=1e-4)


# Weights from elsewhere


def vanilla(tmp_path: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    state = build(plan(network(learned=False))).state_dict()
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}, tmp_path / "v.pt")
    return tmp_path / "v.pt", state


def test_vanilla_weights_go_into_a_network_that_learns_its_groups_and_what_is_missing_is_said(tmp_path: Path) -> None:
    path, state = vanilla(tmp_path)
    said: list[str] = []
    net = build(plan(network()))
    load_pretrained(path, said.append)(net)
    assert all(torch.equal(net.state_dict()[name], tensor) for name, tensor in state.items())
    assert len(said) == 1
    assert "in_logits" in said[0]
    assert "out_logits" in said[0]


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path, state = vanilla(tmp_path)
    first = next(iter(state))
    torch.save({**state, "more": torch.zeros(1)}, tmp_path / "more.pt")
    torch.save({**state, first: torch.zeros(1)}, tmp_path / "shape.pt")
    torch.save({name: tensor for name, tensor in state.items() if name != first}, tmp_path / "less.pt")
    (tmp_path / "text.pt").write_text("no weights")
    for name, words in (
        ("more.pt", "have more, which this network has not"),
        ("shape.pt", r"has shape \(1,\)"),
        ("less.pt", "weights lack "),
        ("text.pt", "holds no state dict"),
        ("none.pt", "holds no state dict"),
    ):
        with pytest.raises(IgcnasError, match=words):
            load_pretrained(tmp_path / name, print)(build(plan(network())))
    assert path.exists()
