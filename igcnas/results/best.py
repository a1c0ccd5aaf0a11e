"""The best network of a study, or any other of it, as a folder that anyone can use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from igcnas.network.exported import Time, exported_in
from igcnas.search.records import TrialRecord, standard_error, trained
from igcnas.search.study import Study
from igcnas.search.timing import timed_by
from igcnas.statistics.noise import balanced_standard_error
from igcnas.system.files import restore_folder
from igcnas.training.recipes import recipe_for
from igcnas.training.recipes.choosing import recipe_words
from igcnas.units import counted

if TYPE_CHECKING:
    from igcnas.data.dataset import Dataset

BEST = "best"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written, and how well it answers.

    Attributes:
        folder: where it is.
        parity: the largest relative difference of each form to the trained network.
        accuracies: of each form on the test images, in percent.
        images: test images.
        always: what answering one class always would score, where the test images are unbalanced; else None.
        temperature: what probabilities divide the logits by, where one was fitted.
        times: how long it took, where it was timed.
    """

    folder: Path
    parity: Mapping[str, float]
    accuracies: Mapping[str, float]
    images: int
    always: str | None = None
    temperature: float | None = None
    times: tuple[Time, ...] = ()


def export_of(
    study: Study,
    number: int | None = None,
    *,
    also: Sequence[str] = (),
    out: Path | None = None,
    opset: int | None = None,
    temperature: bool = False,
    times: bool = False,
) -> Exported:
    """Export the leader, into best/, or the network of this number, into the folder of its first training.

    The test split is read once. also: names of further forms, which other packages add. out: another folder. opset: of
    the ONNX file. temperature: fit one on the validation images. times: say how long it takes on this machine.

    Raises:
        StudyError: there is no such network, its weights are damaged, or the data have changed.
    """
    from igcnas.data.examination import is_unbalanced, largest_class
    from igcnas.export.folder import export_network
    from igcnas.results.evaluation.fitting import fitted_temperature
    from igcnas.search.worker import check_weights
    from igcnas.training.runs.data import InMemory
    from igcnas.training.runs.weights import Checkpoint, read_state

    # Of a network with repeats the first training is exported: all have one architecture.
    record = study.trained_record(number)
    usual = study.folder / BEST if number is None else study.folder_of(record) / "export"
    target = usual if out is None else out
    check_weights(study.folder_of(record), record.architecture)
    state = read_state(study.weights_of(record))
    dataset = study.data
    mean, std = _normalisation(study, dataset)
    test = dataset.load_test()
    label, share = largest_class(test.labels)
    always = f"answering {dataset.classes[label]!r} always would score {100 * share:.2f} % of the test images"
    unbalanced = is_unbalanced(share, dataset.num_classes)
    settings = study.settings
    training = settings.training
    data = settings.data.trained_on(validation=training.validation_fraction, seed=training.seed)
    fitted = None
    if temperature:
        checkpoint = Checkpoint(
            architecture=record.architecture,
            state=state,
            mean=tuple(mean),
            std=tuple(std),
            classes=dataset.classes,
            epoch=record.epochs,
            data=data,
        )
        fitted = fitted_temperature(checkpoint, InMemory(dataset), where=study.weights_of(record))
    report = export_network(
        folder=target,
        architecture=record.architecture,
        state=state,
        mean=mean,
        std=std,
        classes=dataset.classes,
        test=(test.images, test.labels),
        facts=_facts(study, record) | ({"largest class": always} if unbalanced else {}),
        data=data,
        also=also,
        opset=opset,
        temperature=fitted,
        times=times,
    )
    return Exported(
        folder=target,
        temperature=fitted,
        parity=report.parity,
        accuracies=report.accuracies,
        images=len(test.labels),
        always=always if unbalanced else None,
        times=report.times,
    )


def is_current(study: Study) -> bool:
    """Whether best/ holds the leader of all that the study holds: then the test split need not be read again."""
    restore_folder(study.folder / BEST)
    found = exported_in(study.folder / BEST)
    leader = study.leader
    return found is not None and leader is not None and found.facts.get("network") == _chosen(study, leader)


def _facts(study: Study, record: TrialRecord) -> dict[str, str]:
    settings, accuracy = study.settings, record.val_accuracy or 0.0
    error, plain = standard_error(accuracy, study.images), {}
    if record.class_right:
        error = balanced_standard_error(settings.data.class_images, record.class_right)
        share = 100 * sum(record.class_right) / study.images
        plain = {"validation accuracy": f"{share:.2f} % +- {standard_error(share, study.images):.2f} (of all images)"}
    network = next(one for one in study.networks if one.record.number == record.number)
    among = f"among {counted(len(trained(study.records)), 'network')}"
    chosen, means = f"; chosen by it {among}, so it is optimistic", {}
    if network.sd is not None:
        chosen = f"; of the exported training, seed {record.seed}"
        means[f"validation {study.measure}, mean over seeds"] = (
            f"{network.mean:.2f} % (standard deviation {network.sd:.2f}, {counted(network.n, 'training')}; chosen "
            f"{among}, so it is optimistic)"
        )
    return {
        "study": study.folder.name,
        "network": _chosen(study, record),
        "architecture": record.architecture.title(),
        "budget": study.budget.words(),
        "data": settings.data.name,
        f"validation {study.measure}": f"{accuracy:.2f} % +- {error:.2f} (one standard error, "
        f"{counted(study.images, 'image')}{chosen})",
        **means,
        **plain,
        **_balanced_test(study, record),
        **_latency(study, record),
        "recipe": recipe_words(recipe_for(settings.training)),
        **({} if settings.tuning is None else {"recipe was tuned": settings.tuning.words()}),
        "training": f"{counted(record.epochs, 'epoch')}, batch {settings.training.batch_size}, seed {record.seed}, "
        f"{record.seconds:.1f} s on {record.device}",
    }


def _latency(study: Study, record: TrialRecord) -> dict[str, str]:
    """What the search compared its time by; nothing where it compared none."""
    if record.latency_ms is None:
        return {}
    return {"latency in the search": f"{record.latency_ms:.3g} ms ({timed_by(study.settings, [record])})"}


def _balanced_test(study: Study, record: TrialRecord) -> dict[str, str]:
    """The balanced accuracy on the test images of a study that compares by it; else nothing."""
    if not record.class_right:
        return {}
    import torch

    from igcnas.modules.build import build
    from igcnas.network.plan import plan
    from igcnas.training.metrics import scored
    from igcnas.training.runs.weights import read_state
    from igcnas.training.tensors import ImageTensors, TrainingData

    data = TrainingData.of(study.data, study.settings.training, torch.device("cpu"))
    network = build(plan(record.architecture))
    network.load_state_dict(read_state(study.weights_of(record)))
    test = ImageTensors.of(study.data.load_test(), torch.device("cpu"))
    scores = scored(network, test, data.normalize, classes=data.num_classes)
    error = balanced_standard_error(*zip(*scores.classes, strict=True))
    images = counted(scores.images, "image")
    return {"test balanced accuracy": f"{scores.balanced:.2f} % +- {error:.2f} (one standard error, {images})"}


def _chosen(study: Study, record: TrialRecord) -> str:
    return f"number {record.number} of {len(trained(study.records))} trained"


def _normalisation(study: Study, dataset: Dataset) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, as the training normalised with."""
    import torch

    from igcnas.training.tensors import TrainingData

    data = TrainingData.of(dataset, study.settings.training, torch.device("cpu"))
    return data.mean.tolist(), data.std.tolist()
