"""A trained network on images: from a checkpoint of a training, from an export, or from an ONNX file alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from igcnas.data.augmentation import Augmentation
from igcnas.errors import DataError, IgcnasError
from igcnas.modules.build import build
from igcnas.network.architecture import Architecture
from igcnas.network.exported import exported_in
from igcnas.network.plan import plan
from igcnas.training.metrics import Scores, score
from igcnas.training.ports import recognise
from igcnas.training.preparing import set_epsilon
from igcnas.training.pretrained import load_pretrained
from igcnas.training.recipes import IMAGENET_HEIGHT
from igcnas.training.runs.data import RunData
from igcnas.training.runs.weights import BEST, LAST, Checkpoint, loaded, read_state
from igcnas.training.source import Batches
from igcnas.training.stream import StreamData
from igcnas.training.tensors import TrainingData
from igcnas.units import counted

SPLITS = ("validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """Something that answers images with logits.

    answer: normalised float images to logits, on `device`. mean, std: how to normalise; zeros and ones where the
    network does so itself, None for those of the data. data: what the checkpoint says of the data it was trained on, {}
    if nothing. foreign: weights from elsewhere, trained nobody knows on which images.
    """

    path: Path
    form: str
    input_shape: tuple[int, int, int]
    num_classes: int
    answer: Callable[[torch.Tensor], torch.Tensor]
    device: torch.device
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    data: dict[str, Any]
    foreign: bool = False


def open_trained(path: Path, device: torch.device) -> Trained:
    """The network at a path: the folder of a training (its best), of an export, a .safetensors of a training, an .onnx.

    IgcnasError if there is none.
    """
    if path.is_dir():
        for name in (BEST, LAST, "model.onnx"):
            if (path / name).is_file():
                return open_trained(path / name, device)
        raise IgcnasError(f"{path} holds neither {BEST} nor model.onnx; give the folder of a training or of an export")
    if not path.is_file():
        raise IgcnasError(f"there is no file {path}; give the folder of a training or of an export, or a file of one")
    if path.suffix == ".onnx":
        return _open_onnx(path)
    if path.suffix == ".safetensors":
        return _open_checkpoint(path, device)
    raise IgcnasError(
        f"{path} is neither .safetensors nor .onnx; give a checkpoint of igcnas train, a model.onnx, or name the "
        "network of these weights: igcnas evaluate FILE FAMILY key=value ..."
    )


def open_weights(path: Path, architecture: Architecture, device: torch.device) -> tuple[Trained, str]:
    """A network of ours with the weights of a file that says nothing else, and a word on whose they are.

    Those of a port that is known take the normalisation that its training script has. IgcnasError where they are of
    another network, or lack what decides groups.
    """
    state = read_state(path)
    network = build(plan(architecture))
    try:
        missing = load_pretrained(network, state)
    except IgcnasError as error:
        raise IgcnasError(f"{path}: {error}") from None
    if undecided := [name for name in missing if not name.endswith((".measured", ".gate_scale"))]:
        raise IgcnasError(f"{path} lacks {undecided[0]}, which decides groups; train the network from it first")
    port = recognise(state)
    known = None if port is None else port.normalisation
    mean, std = known if known is not None and len(known[0]) == architecture.input_shape[0] else (None, None)
    trained = Trained(
        path=path,
        form="weights" if port is None else f"weights of {port.name}",
        input_shape=architecture.input_shape,
        num_classes=architecture.num_classes,
        answer=network.to(device).eval(),
        device=device,
        mean=mean,
        std=std,
        data={},
        foreign=True,
    )
    return trained, "that of the data" if mean is None else f"that of its training script, {mean} and {std}"


def _open_checkpoint(path: Path, device: torch.device) -> Trained:
    if (onnx := path.with_name("model.onnx")).is_file():  # an export's weights are those of the lowered network
        return _open_onnx(onnx)
    return trained_of(Checkpoint.read(path), device, path=path)


def trained_of(checkpoint: Checkpoint, device: torch.device, *, path: Path) -> Trained:
    """The network of a checkpoint; path: where it is from, for messages."""
    network = loaded(plan(checkpoint.architecture), checkpoint.state, where=path)
    set_epsilon(network, checkpoint.epsilon)
    network = network.to(device)
    return Trained(
        path=path,
        form="checkpoint",
        input_shape=checkpoint.architecture.input_shape,
        num_classes=checkpoint.architecture.num_classes,
        answer=network,
        device=device,
        mean=checkpoint.mean,
        std=checkpoint.std,
        data={**checkpoint.data, "epoch": checkpoint.epoch},
    )


def _open_onnx(path: Path) -> Trained:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises what its parts raise
        raise IgcnasError(f"{path} cannot be read as ONNX ({str(error).splitlines()[0]})") from None
    shapes = [tuple(one.shape) for one in (*session.get_inputs(), *session.get_outputs())]
    if [len(shape) for shape in shapes] != [4, 2] or not all(type(n) is int for shape in shapes for n in shape[1:]):
        raise IgcnasError(f"{path} does not map images to logits, but has inputs and outputs {shapes}; give another")
    image, logits = session.get_inputs()[0], session.get_outputs()[0]
    channels, height, width = image.shape[1:]

    def answer(images: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run(None, {image.name: images.cpu().numpy()})[0])

    return Trained(
        path=path,
        form="onnx",
        input_shape=(channels, height, width),
        num_classes=logits.shape[1],
        answer=answer,
        device=torch.device("cpu"),
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        data={} if (record := exported_in(path.parent)) is None else dict(record.data),
    )


def evaluate(
    trained: Trained, data: RunData, split: str, *, validation: float | None = None, seed: int = 0, workers: int = 0
) -> Scores:
    """Scores on 'validation' or 'test'; see `split_batches`."""
    batches = split_batches(trained, data, split, validation=validation, seed=seed, workers=workers)
    return score(trained.answer, batches, device=trained.device)


def validation_split(trained: Trained, validation: float | None, seed: int) -> tuple[float | None, int]:
    """Share and seed of its validation split: as it says, else these."""
    said = trained.data
    return (said["validation"], said["seed"]) if said else (validation, seed)


def split_batches(
    trained: Trained, data: RunData, split: str, *, validation: float | None = None, seed: int = 0, workers: int = 0
) -> Batches:
    """Batches of 'validation' or 'test', normalised as the network takes them, on its device.

    The validation split is the one that the checkpoint was trained with; where it does not say, that of this share and
    seed. DataError where the network was trained on the validation images, or the data are of another form.
    """
    if data.input_shape != trained.input_shape or len(data.classes) != trained.num_classes:
        raise DataError(
            f"{trained.path} takes images {trained.input_shape} of "
            f"{counted(trained.num_classes, 'class', 'classes')}, {data.name} has "
            f"{data.input_shape} of {len(data.classes)}; give the data it was trained on, with its --image-size"
        )
    said = trained.data
    if split == "validation" and trained.foreign:
        raise DataError(f"{trained.path} does not say which images it was trained on; use --split test")
    if split == "validation" and said:
        if said["fingerprint"] != data.fingerprint():
            raise DataError(f"{trained.path} was not trained on this {data.name!r}, so its split is unknown; use test")
        if said["validation"] is None:
            raise DataError(f"{trained.path} was trained on the validation images, too; use --split test")
        validation, seed = validation_split(trained, validation, seed)
    cut = "area" if trained.foreign and data.input_shape[1] >= IMAGENET_HEIGHT else "pad"
    augmentation = Augmentation(crop=said.get("crop", cut), centre=said.get("centre", 0.875), flip=False)
    fraction = validation if split == "validation" else None
    source = data.source(trained.device, fraction=fraction, seed=seed, augmentation=augmentation, workers=workers)
    assert isinstance(source, TrainingData | StreamData)
    if trained.mean is not None:
        mean, std = (torch.tensor(values, device=trained.device) for values in (trained.mean, trained.std))
        source = dataclasses.replace(source, mean=mean, std=std)
    return source.validation_batches() if split == "validation" else data.test_batches(source)
