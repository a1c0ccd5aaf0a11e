"""An exported network to use: `ExportedNetwork.load(folder).predict(pictures)`.

It runs by one of the runtimes of igcnas/export/answering.py. Pictures go
through the preparation that the export records; an export from before that was recorded takes the one that follows from
its input and data, which is what its loader did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from igcnas.data.preparation import Preparation, preparation_of
from igcnas.data.reading import Picture, read_picture
from igcnas.errors import DataError, IgcnasError
from igcnas.export.answering import answering
from igcnas.network.exported import FILE, Exported, read_exported
from igcnas.units import counted

Runtime = Literal["onnx", "torch", "c", "openvino"]
BATCH = 32  # images at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The most probable classes of one picture, the first one first; probabilities in [0, 1]."""

    classes: tuple[str, ...]
    probabilities: tuple[float, ...]

    @property
    def best(self) -> str:
        """The first one."""
        return self.classes[0]


class ExportedNetwork:
    """A trained network of an export.

    Attributes:
        folder: where it is.
        classes: the name of each column of its output.
        input_shape: channels, height and width of an image.
        preparation: what is done to a picture.
        temperature: what probabilities divide the logits by.
    """

    def __init__(self, folder: Path, record: Exported, run: Callable[[NDArray[np.float32]], NDArray[np.float32]]):
        self.folder, self.classes = folder, record.classes
        self.input_shape = record.architecture.input_shape
        self.preparation = _preparation(record, folder)
        self.temperature = 1.0 if record.temperature is None else record.temperature
        self._run = run

    @staticmethod
    def load(folder: str | Path, *, runtime: Runtime = "onnx", threads: int | None = None) -> ExportedNetwork:
        """The network in the folder of an export.

        Args:
            folder: what `igcnas export` wrote, such as studies/NAME/best.
            runtime: 'onnx' for ONNX Runtime and 'openvino' for OpenVINO, both on model.onnx; 'torch' for the folder's
                model.py, 'c' for its model.c, which a C compiler of this machine compiles. The last two are programs:
                run none that you do not trust.
            threads: of the runtime; None: as many as it likes. model.c has one.

        Raises:
            IgcnasError: the folder is no export, or a file of it is damaged.
        """
        place = Path(folder)
        if not (place / FILE).is_file():
            raise IgcnasError(f"{place} is no export: it holds no {FILE}; give the folder that igcnas export wrote")
        record = read_exported(place / FILE)
        if not record.whole or len(record.classes) != record.architecture.num_classes:
            raise IgcnasError(f"{place / FILE} does not name the classes of its network; export it again")
        return ExportedNetwork(place, record, answering(place, runtime, threads))

    def __repr__(self) -> str:
        classes = counted(len(self.classes), "class", "classes")
        return f"{type(self).__name__}({str(self.folder)!r}: {self.input_shape} to {classes})"

    def logits(self, images: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (n, classes) of images (n, channels, height, width): uint8, or float in [0, 1]; else DataError."""
        pixels = np.asarray(images)
        rule = f"give uint8, or float in [0, 1], of shape (n, {', '.join(map(str, self.input_shape))})"
        if pixels.ndim != 4 or pixels.shape[1:] != self.input_shape:
            raise DataError(f"images of shape {pixels.shape} do not fit; {rule}")
        if pixels.dtype != np.uint8 and not np.issubdtype(pixels.dtype, np.floating):
            raise DataError(f"images are {pixels.dtype}; {rule}")
        if pixels.dtype != np.uint8 and pixels.size and not (pixels.min() >= 0 and pixels.max() <= 1):
            raise DataError(f"images have values from {pixels.min():.4g} to {pixels.max():.4g}; {rule}")
        parts = [self._run(_unit(pixels[start : start + BATCH])) for start in range(0, len(pixels), BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.classes)), np.float32)

    def probabilities(self, images: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
        """The softmax of logits / temperature: (n, classes)."""
        scaled = self.logits(images) / np.float32(self.temperature)
        powers = np.exp(scaled - scaled.max(1, keepdims=True)) if len(scaled) else scaled
        shares: NDArray[np.float32] = powers / powers.sum(1, keepdims=True)
        return shares

    def read(self, picture: Picture) -> NDArray[np.uint8]:
        """A picture as this network takes it, uint8 (channels, height, width); BadPictureError where it is none."""
        return read_picture(picture, self.preparation)

    def predict(
        self, pictures: Picture | Sequence[Picture] | NDArray[np.uint8] | NDArray[np.float32], top: int = 5
    ) -> list[Prediction]:
        """What pictures show, in their order.

        Args:
            pictures: one or several of: a path, the bytes of a file, a PIL image, uint8 pixels (height, width) or
                (height, width, 3); or one array of images as the network takes them, (n, channels, height, width).
            top: so many classes of each, or all where there are fewer.

        Raises:
            DataError: a picture cannot be read (BadPictureError names it), or an array does not fit.
        """
        if isinstance(pictures, np.ndarray) and pictures.ndim == 4:
            return self.ranked(self.probabilities(pictures), top)
        several: list[Any] = [pictures] if _is_one(pictures) else list(pictures)  # type: ignore[arg-type]
        found: list[Prediction] = []
        for start in range(0, len(several), BATCH):
            images = np.stack([self.read(one) for one in several[start : start + BATCH]])
            found += self.ranked(self.probabilities(images), top)
        return found

    def ranked(self, probabilities: NDArray[np.float32], top: int = 5) -> list[Prediction]:
        """The most probable classes of each row."""
        if top < 1:
            raise DataError(f"top {top} must be 1 or more; 5 is usual")
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        return [
            Prediction(
                classes=tuple(self.classes[k] for k in row),
                probabilities=tuple(float(shares[k]) for k in row),
            )
            for row, shares in zip(order, probabilities, strict=True)
        ]


def _is_one(pictures: object) -> bool:
    return not isinstance(pictures, Iterable) or isinstance(pictures, str | bytes | np.ndarray | Path)


def _preparation(record: Exported, folder: Path) -> Preparation:
    """As the export says; where it is older than that, as follows from its data."""
    said = dict(record.preparation)
    usual = preparation_of(record.architecture.input_shape, record.data)
    if not said:
        return usual
    found = Preparation(**said)
    if (found.channels, found.height, found.width) != record.architecture.input_shape:
        raise IgcnasError(f"{folder / FILE}: the preparation is not of the network's input; export it again")
    return found


def _unit(images: NDArray[Any]) -> NDArray[np.float32]:
    floats: NDArray[np.float32] = images.astype(np.float32, copy=False)
    return floats / np.float32(255) if images.dtype == np.uint8 else floats
