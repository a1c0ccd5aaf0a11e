"""One training: its data on the device, its schedule, and that it can stop and go on without a trace."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from igcnas.data.dataset import Dataset, Split
from igcnas.data.loading import load_dataset
from igcnas.errors import IgcnasError, TrainingError
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, InvertedResidual
from igcnas.network.cost import count
from igcnas.network.grouping import Dense, Interleaved, LearnedGrouping
from igcnas.training import trainer
from igcnas.training.device import resolve_device
from igcnas.training.metrics import accuracy
from igcnas.training.reports import EpochReport
from igcnas.training.settings import TrainingSettings
from igcnas.training.tensors import ImageTensors, TrainingData
from igcnas.training.trainer import TrainResult, train

CPU = torch.device("cpu")
SETTINGS = TrainingSettings(epochs=3, learning_rate=0.6)
DIGITS = load_dataset("digits")


def network(stage: Stage) -> Architecture:
    return Architecture(family="test", input_shape=(1, 8, 8), num_classes=10, stem_channels=4, stages=(stage,))


IGC = network(Stage(block=BasicBlock(grouping=Interleaved(L=2, M=2)), width=4, repeats=1, stride=2))
LEARNED = network(
    Stage(
        block=InvertedResidual(expansion=2, expand=LearnedGrouping(groups=2), project=LearnedGrouping(groups=2)),
        width=8,
        repeats=1,
        stride=2,
    )
)
WIDE = network(Stage(block=BasicBlock(grouping=Dense()), width=12, repeats=1, stride=2))


@pytest.fixture(scope="module")
def digits() -> TrainingData:
    return TrainingData.of(DIGITS, SETTINGS, CPU)


def made_up(count: int, *, flip: bool = False, pad: int = 2, shape: tuple[int, int, int] = (3, 5, 7)) -> TrainingData:
    """Every pixel random and the label the position of the image, so that each batch says which images it took."""
    random = np.random.default_rng(0)
    split = Split(images=random.integers(0, 256, (count, *shape), np.uint8), labels=np.arange(count) // 2)
    classes = tuple(map(str, range(count)))
    dataset = Dataset(name="random", classes=classes, train=split, load_test=lambda: split, flip=flip, pad=pad)
    data = TrainingData.of(dataset, TrainingSettings(epochs=1, validation_fraction=0.5), CPU)
    return dataclasses.replace(data, mean=torch.zeros(shape[0]), std=torch.ones(shape[0]))


def equal(first: TrainResult, second: TrainResult) -> bool:
    a, b = first.network.state_dict(), second.network.state_dict()
    return first.curve == second.curve and a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# Data on the device


def windows(image: np.ndarray[Any, Any], pad: int, *, mirrored: bool) -> list[np.ndarray[Any, Any]]:
    """Every window of the image's own size in the padded image, the slow way."""
    _, height, width = image.shape
    padded = np.pad(image, ((0, 0), (pad, pad), (pad, pad)))
    found = []
    for top in range(2 * pad + 1):
        for left in range(2 * pad + 1):
            window = padded[:, top : top + height, left : left + width]
            found.append(window[:, :, ::-1] if mirrored else window)
    return found


def origin(window: torch.Tensor, data: TrainingData, label: int) -> tuple[bool, int]:
    """Whether it is mirrored, and which window of the padded image of this label it is."""
    image = data.training.images[data.training.labels == label][0].numpy()
    pixels = np.rint(window.numpy() * 255).astype(np.uint8)
    for mirrored in (False, True):
        for position, candidate in enumerate(windows(image, data.pad, mirrored=mirrored)):
            if np.array_equal(candidate, pixels):
                return mirrored, position
    raise AssertionError("not a window of the padded image")


@pytest.mark.parametrize("flip", [False, True])
def test_batches_are_windows_of_the_padded_image_and_mirrored_only_where_allowed(flip: bool) -> None:
    data = made_up(80, flip=flip)
    images, labels = next(data.epoch(40, seed=3))
    origins = [origin(image, data, int(label)) for image, label in zip(images, labels, strict=True)]
    assert {mirrored for mirrored, _ in origins} == ({False, True} if flip else {False})
    assert len({position for _, position in origins}) > 12  # of 25; not one offset for the whole batch


def test_an_epoch_holds_each_image_at_most_once_in_an_order_of_its_seed() -> None:
    data = made_up(80)
    epochs = [torch.cat([labels for _, labels in data.epoch(12, seed)]).tolist() for seed in (1, 1, 2)]
    assert len(epochs[0]) == 36  # three whole batches of the 40
    assert len(set(epochs[0])) == 36
    assert epochs[0] == epochs[1] != epochs[2]


def test_an_epoch_of_fewer_images_than_a_batch_is_one_batch_of_them_all() -> None:
    batches = list(made_up(10).epoch(64, seed=0))
    assert [sorted(labels.tolist()) for _, labels in batches] == [[0, 1, 2, 3, 4]]


def test_normalised_training_images_have_zero_mean_and_unit_variance(digits: TrainingData) -> None:
    images = digits.normalize(digits.training.images)
    assert images.dtype == torch.float32
    assert images.mean().item() == pytest.approx(0.0, abs=1e-5)
    assert images.std(correction=0).item() == pytest.approx(1.0, abs=1e-5)


def test_statistics_are_of_the_training_part_alone_and_for_each_channel() -> None:
    images = np.zeros((8, 2, 1, 1), np.uint8)
    images[:, 1] = 100
    split = Split(images=images, labels=np.zeros(8, np.int64))
    settings = TrainingSettings(epochs=1, validation_fraction=0.5)
    dataset = Dataset(name="x", classes=("a",), train=split, load_test=lambda: split, flip=False, pad=0)
    plain = TrainingData.of(dataset, settings, CPU)
    assert plain.mean.tolist() == pytest.approx([0.0, 100 / 255])
    images[np.arange(8)] = np.arange(8, dtype=np.uint8)[:, None, None, None]
    seen = TrainingData.of(dataset, settings, CPU)
    assert seen.mean[0].item() == pytest.approx(seen.training.images.float().mean().item() / 255)
    assert seen.mean[0].item() != pytest.approx(images.mean() / 255)


def test_training_and_validation_share_no_image_and_are_fixed_by_the_seed() -> None:
    def parts(seed: int) -> tuple[set[bytes], set[bytes]]:
        data = TrainingData.of(DIGITS, dataclasses.replace(SETTINGS, seed=seed), CPU)
        training, validation = ([i.numpy().tobytes() for i in p.images] for p in (data.training, data.validation))
        assert len(training) + len(validation) == len(DIGITS.train.labels)
        return set(training), set(validation)

    training, validation = parts(0)
    assert not training & validation
    assert parts(0) == (training, validation)
    assert parts(1)[1] != validation


# Training


def test_the_same_seed_gives_the_same_weights_and_curve_to_the_bit(digits: TrainingData) -> None:
    settings = dataclasses.replace(SETTINGS, epochs=1)
    result = train(IGC, digits, settings)
    torch.rand(7)  # other draws before it must not matter
    assert equal(result, train(IGC, digits, settings))
    assert not equal(result, train(IGC, digits, dataclasses.replace(settings, seed=1)))


def test_the_seed_of_a_network_depends_on_the_network_too() -> None:
    assert SETTINGS.network_seed("a") == SETTINGS.network_seed("a") != SETTINGS.network_seed("b")
    assert SETTINGS.network_seed("a") != dataclasses.replace(SETTINGS, seed=1).network_seed("a")


@pytest.mark.parametrize("architecture", [IGC, LEARNED], ids=["fixed", "learned"])
def test_a_training_taken_up_from_its_checkpoint_equals_an_uninterrupted_one_to_the_bit(
    architecture: Architecture, digits: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "_CHECKPOINT_SECONDS", -1.0)
    checkpoint = tmp_path / "checkpoint.pt"
    whole = train(architecture, digits, SETTINGS)
    for last in (2, 3):  # on_epoch comes before the checkpoint of its epoch

        def kill(report: EpochReport, last: int = last) -> None:
            if report.epoch == last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train(architecture, digits, SETTINGS, on_epoch=kill, checkpoint=checkpoint)
    told: list[EpochReport] = []
    trained: list[int] = []
    monkeypatch.setattr(trainer._Training, "_epoch", _counting(trained))
    result = train(architecture, digits, SETTINGS, on_epoch=told.append, checkpoint=checkpoint)
    assert trained == [2]
    assert equal(result, whole)
    assert tuple(told) == whole.curve


def _counting(epochs: list[int]) -> Any:
    original = trainer._Training._epoch

    def epoch(self: Any, number: int) -> EpochReport:
        epochs.append(number)
        return original(self, number)

    return epoch


def test_a_diverging_training_says_so_in_one_line(digits: TrainingData) -> None:
    wild = dataclasses.replace(SETTINGS, learning_rate=1e6, gradient_clip=1e9, momentum=0.99)
    with pytest.raises(TrainingError, match=r"^diverged: training loss (nan|inf) in epoch \d$"):
        train(IGC, digits, wild)


def test_running_out_of_memory_is_a_failed_training_in_one_line(
    digits: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nmany more lines")

    monkeypatch.setattr(trainer._Training, "_epoch", full)
    with pytest.raises(TrainingError, match=r"^out of memory: CUDA out of memory\.$"):
        train(IGC, digits, SETTINGS)


def test_the_learning_rate_warms_up_and_is_annealed_to_near_zero(digits: TrainingData) -> None:
    training, rates = trainer._Training(IGC, digits, SETTINGS), []

    def watch(_report: object) -> None:
        rates.append(training.optimizer.param_groups[0]["lr"])
        assert {group["lr"] for group in training.optimizer.param_groups} == {rates[-1]}

    training.run(on_step=watch)
    steps = 3 * (len(digits.training) // 64)
    warm = round(0.1 * steps)
    assert len(rates) == steps
    assert rates[:warm] == pytest.approx([0.6 * (step + 1) / warm for step in range(warm)])
    assert rates[warm:] == sorted(rates[warm:], reverse=True)
    assert max(rates) == pytest.approx(0.6)
    assert rates[-1] < 0.01 * 0.6


def test_weight_decay_is_on_weights_but_not_on_norms_biases_and_logits(digits: TrainingData) -> None:
    training = trainer._Training(LEARNED, digits, SETTINGS)
    decay = {id(p): group["weight_decay"] for group in training.optimizer.param_groups for p in group["params"]}
    kinds = set()
    for module in training.network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            weight = name == "weight" and not isinstance(module, nn.BatchNorm2d)
            assert decay[id(parameter)] == (SETTINGS.weight_decay if weight else 0.0), f"{module} {name}"
            kinds.add((type(module).__name__, name))
    assert {("BatchNorm2d", "weight"), ("Linear", "bias"), ("FullyLearnableGroupConv", "in_logits")} <= kinds


def test_accuracy_is_the_share_of_right_answers_in_evaluation_mode() -> None:
    class Brightness(nn.Module):  # says class 1 for a bright image; answers nonsense in training mode
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            bright = x.mean((1, 2, 3)) > 0.5
            return nn.functional.one_hot(bright.long() ^ int(self.training), 2)

    images = torch.zeros(1200, 1, 2, 2, dtype=torch.uint8)  # more than two batches of evaluation
    images[:900] = 255
    labels = torch.ones(1200, dtype=torch.int64)
    assert accuracy(Brightness().train(), ImageTensors(images, labels), lambda x: x / 255.0) == 75.0


def test_a_small_network_learns_the_digits(digits: TrainingData) -> None:
    macs = count(WIDE).macs
    assert macs < 100_000
    result = train(WIDE, digits, dataclasses.replace(SETTINGS, epochs=4))
    assert result.val_accuracy > 70.0
    assert result.val_accuracy == result.curve[-1].val_accuracy
    assert result.val_accuracy == accuracy(result.network, digits.validation, digits.normalize)
    assert [report.epoch for report in result.curve] == [1, 2, 3, 4]
    assert result.curve[-1].train_loss < result.curve[0].train_loss


def test_training_moves_the_logits_of_a_learned_grouping(digits: TrainingData) -> None:
    settings = dataclasses.replace(SETTINGS, epochs=1)
    before = {k: v.clone() for k, v in trainer._Training(LEARNED, digits, settings).network.state_dict().items()}
    after = train(LEARNED, digits, settings).network.state_dict()
    logits = [name for name in after if name.endswith("_logits")]
    assert len(logits) == 4
    assert not any(torch.equal(before[name], after[name]) for name in logits)


@pytest.mark.parametrize("name", ["epochs", "batch_size"])
def test_settings_refuse_zero(name: str) -> None:
    with pytest.raises(IgcnasError, match=f"{name} must be at least 1"):
        dataclasses.replace(SETTINGS, **{name: 0})


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_settings_refuse_to_validate_on_nothing_or_on_everything(fraction: float) -> None:
    with pytest.raises(IgcnasError, match="validation_fraction"):
        dataclasses.replace(SETTINGS, validation_fraction=fraction)


@pytest.mark.parametrize("name", ["tpu", "cpu:0", "cuda:x", ""])
def test_an_unknown_device_is_named_with_the_known_ones(name: str) -> None:
    with pytest.raises(IgcnasError, match=f"^unknown device '{name}'; known: auto, cpu, cuda, cuda:N$"):
        resolve_device(name)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(IgcnasError, match="use --device auto"):
        resolve_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1").index == 1
    with pytest.raises(IgcnasError, match="torch sees 2 CUDA devices"):
        resolve_device("cuda:2")
