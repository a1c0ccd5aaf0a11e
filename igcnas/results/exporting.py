"""Anything trained as a folder that anyone can use: found by its name, exported from its checkpoint.

A study is exported by best.py, which knows its data; all others say of themselves what they were trained on, in a
checkpoint (training/runs/weights.py). The test split is read for a study alone, whose export is tested with it; what a
training or a retraining measured of its own network is told as it was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from igcnas.errors import IgcnasError, StudyError
from igcnas.results.best import Exported
from igcnas.training.runs.weights import BEST, LAST, Checkpoint
from igcnas.training.stream import StreamData
from igcnas.training.tensors import TrainingData
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.data.preparation import Preparation
    from igcnas.network.architecture import Architecture
    from igcnas.training.runs.data import RunData

_WEIGHTS = "weights.safetensors"  # of an export: those of the lowered network, no checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A checkpoint to export, where its export goes unless the user says, and rows of its card.

    checkpoint: what is in the file; None until it is read.
    """

    file: Path
    target: Path
    facts: Mapping[str, str]
    checkpoint: Checkpoint | None = None


def find(path: Path, trial: int | None = None) -> Found:
    """The checkpoint at a path: a file, or the folder of a training, a retraining or a finish.

    trial: which network of a retraining. IgcnasError where there is none.
    """
    if path.is_file():
        return Found(file=path, target=path.with_name(f"{path.stem}-export"), facts=_facts_of(path.parent, path))
    if not path.is_dir():
        raise IgcnasError(
            f"there is no {path}; give a study, the folder of a training, a retraining or a finish, or a .safetensors "
            "of one"
        )
    file = next((path / name for name in (BEST, LAST) if (path / name).is_file()), None) or _one(path, trial)
    inside = "export" if file.stem in (Path(BEST).stem, Path(LAST).stem) else f"{file.stem}-export"
    return Found(file=file, target=path / inside, facts=_facts_of(path, file))


def export_found(
    found: Found,
    *,
    out: Path | None = None,
    also: Sequence[str] = (),
    opset: int | None = None,
    temperature: float | None = None,
    times: bool = False,
) -> Exported:
    """Export it; see `export_checkpoint`."""
    checkpoint = found.checkpoint or Checkpoint.read(found.file)
    target = found.target if out is None else out
    return export_checkpoint(
        checkpoint, folder=target, facts=found.facts, also=also, opset=opset, temperature=temperature, times=times
    )


def export_checkpoint(
    checkpoint: Checkpoint,
    *,
    folder: Path,
    facts: Mapping[str, str],
    also: Sequence[str] = (),
    opset: int | None = None,
    temperature: float | None = None,
    test: Any = None,
    preparation: Preparation | None = None,
    times: bool = False,
) -> Exported:
    """Export the network of a checkpoint into a folder. Nothing but `test` (images, labels) is tested on.

    facts: rows of the card. also: names of further forms. opset: of the ONNX file. temperature: what probabilities
    divide the logits by. preparation: of pictures; None: as the checkpoint says of its data. times: say how long it
    takes on this machine.
    """
    from igcnas.export.folder import export_network

    data = {key: value for key, value in checkpoint.data.items() if key != "epoch"}
    rows = {"architecture": checkpoint.architecture.title(), "data": str(data.get("name", "unknown"))}
    rows |= {"epoch": str(checkpoint.epoch)} if checkpoint.epoch else {}
    report = export_network(
        folder=folder,
        architecture=checkpoint.architecture,
        state=checkpoint.state,
        mean=checkpoint.mean,
        std=checkpoint.std,
        classes=checkpoint.classes,
        test=test,
        facts=rows | dict(facts),
        data=data or None,
        also=also,
        opset=opset,
        temperature=temperature,
        preparation=preparation,
        epsilon=checkpoint.epsilon,
        times=times,
    )
    return Exported(
        folder=folder,
        parity=report.parity,
        accuracies=report.accuracies,
        images=0 if test is None else len(test[1]),
        times=report.times,
        temperature=temperature,
    )


def from_weights(path: Path, architecture: Architecture, data: RunData) -> Found:
    """A file of weights alone, of this network, as a checkpoint to export: classes are those of the data.

    So is the normalisation, but for a public port that is known. IgcnasError where they are of another network.
    """
    from igcnas.data.augmentation import Augmentation
    from igcnas.training.runs.evaluate import open_weights

    device = torch.device("cpu")
    trained, words = open_weights(path, architecture, device)
    assert isinstance(trained.answer, nn.Module)
    mean, std = trained.mean, trained.std
    if mean is None or std is None:
        source = data.source(device, fraction=None, seed=0, augmentation=Augmentation(), workers=0)
        assert isinstance(source, TrainingData | StreamData)
        mean, std = tuple(source.mean.tolist()), tuple(source.std.tolist())
    checkpoint = Checkpoint(
        architecture=architecture,
        state=trained.answer.state_dict(),
        mean=mean,
        std=std,
        classes=data.classes,
        epoch=0,
        data={},
    )
    facts = {"data": f"unknown; classes are those of {data.name}", "weights": path.name, "normalisation": words}
    return Found(file=path, target=path.with_name(f"{path.stem}-export"), facts=facts, checkpoint=checkpoint)


def _one(folder: Path, trial: int | None) -> Path:
    """The checkpoint of a folder that may hold several."""
    files = sorted(file for file in folder.glob("*.safetensors") if file.name != _WEIGHTS)
    if trial is not None:
        files = [file for file in files if file.stem == f"trial-{trial}" or file.stem.startswith(f"trial-{trial}-")]
        if not files:
            raise StudyError(f"{folder} holds no training of network {trial}; see its table.csv")
    elif len(files) > 1:
        files = _of_first(folder, files)
    if not files:
        if (folder / "model.onnx").is_file():
            raise IgcnasError(f"{folder} is an export already, and holds no checkpoint to make another of; copy it")
        raise IgcnasError(
            f"{folder} holds no checkpoint (.safetensors); give a study, the folder of a training, a retraining or a "
            "finish, or a file of one"
        )
    return files[0]


def _of_first(folder: Path, files: list[Path]) -> list[Path]:
    """The trainings of one network; of a retraining those of the one that its search put first.

    The test must choose nothing.
    """
    from igcnas.results.retraining.execution import stem_of
    from igcnas.results.retraining.plan import read_settings

    if len({file.stem.rpartition("-seed")[0] or file.stem for file in files}) == 1:
        return files
    if (folder / "table.csv").is_file() or (folder / "settings.json").is_file():
        try:
            finalists = read_settings(folder).finalists
        except (StudyError, OSError):
            finalists = ()
        for finalist in finalists:
            found = [file for file in files if file.stem.startswith(f"{stem_of(finalist.name)}-seed")]
            if found:
                return found
    names = ", ".join(file.name for file in files[:4]) + (" ..." if len(files) > 4 else "")
    raise IgcnasError(f"{folder} holds {len(files)} checkpoints ({names}); give the path of one")


def _facts_of(folder: Path, file: Path) -> dict[str, str]:
    """What is known of how it was trained, and of its accuracy, for the card."""
    from igcnas.training.runs.run import read_summary

    facts = {"checkpoint": f"{folder.name}/{file.name}"}
    summary = read_summary(folder) if file.name == BEST else None
    if summary is not None:
        facts["training"] = (
            f"recipe {summary['recipe']}, {counted(summary['epochs'], 'epoch')}, batch {summary['batch_size']}, seed "
            f"{summary['seed']}; epoch {summary['best_epoch']} chosen by {summary['chosen_by']}"
        )
        for split in ("validation", "test"):
            if (told := summary[split]) is not None:
                facts[f"{split} accuracy"] = (
                    f"{told['top1']:.2f} +- {told['top1_standard_error']:.2f} % (n = {told['images']}), as the "
                    "training measured it"
                )
    elif (result := _retrained(file)) is not None:
        facts["training"] = f"a retraining of {result['network']}, on training and validation images"
        share = 100 * result["test_right"] / result["test_images"]
        facts["test accuracy"] = f"{share:.2f} % (n = {result['test_images']}), as the retraining measured it"
    return facts


def _retrained(file: Path) -> dict[str, Any] | None:
    """The result beside the weights of a training of a retraining."""
    from igcnas.system.reading import read_json

    try:
        found = read_json(file.with_suffix(".json"), dict[str, Any], advice="")
    except StudyError:
        return None
    numbers = all(type(found.get(key)) is int for key in ("test_right", "test_images"))
    return found if numbers and found["test_images"] > 0 and type(found.get("network")) is str else None
