"""A trained network as a folder that anyone can use: ONNX, one Python file, safetensors, and a card.

    architecture.json    all numbers as data          model.py    the network in one file, torch alone
    weights.safetensors  its tensors                  model.onnx  network and weights
    card.md              all of it for people             hubconf.py  what torch.hub loads it by

and a file for each form of other packages that is asked for (igcnas/export/exporters.py). Nothing is written in place:
a folder appears, or replaces the earlier one, only when all of its forms agree.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import nn

from igcnas.data.preparation import Preparation, preparation_of
from igcnas.errors import ExportError
from igcnas.export import hub, parity
from igcnas.export.c.exporter import NAME, OWN
from igcnas.export.card import CONVENTION, Contract, card_text, with_error
from igcnas.export.exporters import Exporter, Trained, exporters, run_also, write_also
from igcnas.export.latency.exporting import export_times
from igcnas.export.onnx import check_opset, write_onnx
from igcnas.export.source import model_source
from igcnas.modules.build import build
from igcnas.modules.folding import fold, remaining
from igcnas.modules.layers import MeasuredModule
from igcnas.modules.lowering import EPSILON, Lowered, lower
from igcnas.network import cost, primitives
from igcnas.network.architecture import Architecture
from igcnas.network.cost import Cost
from igcnas.network.exported import Time, also_in
from igcnas.network.plan import Plan, plan
from igcnas.system.files import replacing_folder, write_text, write_whole
from igcnas.units import counted

# A gate that is nearly undecided may flip in a runtime that rounds differently: about one export in fifty of a large
# network meets such an image among the random ones. A wrong form fails with all images.
_GATED_ATTEMPTS = 3
FILES = ("architecture.json", "card.md", "hubconf.py", "model.onnx", "model.py", "weights.safetensors")

__all__ = ["FILES", "ExportReport", "export_network", "with_error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was exported. Counts are measured on the exported network; accuracies are in percent, by form.

    parity: largest difference of each form from the trained network, as a part of max(1, largest logit). times: how
    long it took, where it was timed.
    """

    folder: Path
    macs: int
    params: int
    parity: dict[str, float]
    accuracies: dict[str, float]
    seconds: float
    times: tuple[Time, ...] = ()


def export_network(
    *,
    folder: Path,
    architecture: Architecture,
    state: Mapping[str, torch.Tensor],
    mean: Sequence[float],
    std: Sequence[float],
    classes: Sequence[str],
    test: tuple[np.ndarray, np.ndarray] | None,
    facts: Mapping[str, str],
    data: Mapping[str, Any] | None = None,
    also: Sequence[str] = (),
    preparation: Preparation | None = None,
    temperature: float | None = None,
    opset: int | None = None,
    epsilon: float = EPSILON,
    times: bool = False,
) -> ExportReport:
    """Write the folder, or replace an earlier export there; ExportError where the forms of the network disagree.

    state: of `build(plan(architecture))`, learned layers masked. mean, std: of each input channel for pixels in [0, 1].
    test: uint8 images (n, channels, height, width) and int64 labels (n,). facts: rows of the card, in order. data: what
    it was trained on, as a checkpoint of igcnas train says it, so that igcnas evaluate finds the validation images.
    also: names of further forms, which other packages add. preparation: how a picture becomes the input; None: as
    `data` says. temperature: what probabilities divide the logits by; None for 1. opset: of the ONNX file; None: the
    usual one. epsilon: of the norms that the network was trained with. times: say how long it takes on this machine.
    """
    check_opset(opset)
    start = time.perf_counter()
    forms = exporters(also, taken=FILES, own=OWN)
    contract = Contract(
        title=f"{architecture.family}, {counted(len(classes), 'class', 'classes')}",
        label=architecture.label(),
        id=architecture.id,
        input_shape=architecture.input_shape,
        classes=tuple(classes),
        mean=tuple(float(value) for value in mean),
        std=tuple(float(value) for value in std),
        preparation=preparation or preparation_of(architecture.input_shape, data or {}),
        temperature=temperature,
    )
    _check(contract, architecture, test)
    trained, lowered = _networks(contract, architecture, state, epsilon)
    measured = cost.count_plan(lowered.plan)  # before folding, which adds biases and zeros
    folded = fold(lowered)
    gated = _gated(folded.plan, trained)
    _refuse_others(folder)
    with replacing_folder(folder) as temporary:
        exported, written = _write_network(temporary, contract, architecture, lowered, folded, measured, forms, opset)
        attempts = _GATED_ATTEMPTS if gated else 1
        differences, accuracies = _verify(temporary, trained, exported, contract.input_shape, test, attempts, forms)
        record = _record(contract, architecture, folded, measured) | {"opset": written}
        record |= {"parity": differences, "test_accuracy": accuracies, "facts": dict(facts)}
        record |= {} if test is None else {"test_images": len(test[1])}
        record |= {} if data is None else {"data": dict(data)}
        record |= {"also": _also(forms)} if forms else {}
        taken = export_times(temporary, lowered.plan, c=NAME in forms) if times else ()
        record |= {"times": [asdict(one) for one in taken]} if taken else {}
        write_text(temporary / "architecture.json", _json(record))
        text = card_text(
            contract,
            expected=cost.count(architecture),
            measured=measured,
            accuracies=accuracies,
            num_tested=0 if test is None else len(test[1]),
            facts=facts,
            parity=differences,
            left=remaining(folded.plan),
            gated=gated,
            times=taken,
        )
        write_text(temporary / "card.md", text)
    return ExportReport(
        folder=folder,
        macs=measured.macs,
        params=measured.params,
        parity=differences,
        accuracies=accuracies,
        seconds=time.perf_counter() - start,
        times=taken,
    )


def _check(contract: Contract, architecture: Architecture, test: tuple[np.ndarray, np.ndarray] | None) -> None:
    channels, num_classes = contract.input_shape[0], architecture.num_classes
    if len(contract.classes) != num_classes:
        raise ExportError(
            f"{len(contract.classes)} class names for {counted(num_classes, 'class', 'classes')}; name each class once"
        )
    if len(contract.mean) != channels or len(contract.std) != channels:
        raise ExportError(
            f"mean {contract.mean} and std {contract.std} must have one number for each of {channels} channels"
        )
    if not all(math.isfinite(m) and 0 < s < math.inf for m, s in zip(contract.mean, contract.std, strict=True)):
        raise ExportError(
            f"mean {contract.mean} must be finite and std {contract.std} above 0; compute them from the data"
        )
    if test is None:
        return
    images, labels = test
    if images.dtype != np.uint8 or images.shape[1:] != contract.input_shape or not 0 < len(images) == len(labels):
        raise ExportError(
            f"test images are {images.dtype} {images.shape} with {len(labels)} labels; they must be uint8 "
            f"(n, {', '.join(map(str, contract.input_shape))}) with n labels, n > 0"
        )


def _networks(
    contract: Contract, architecture: Architecture, state: Mapping[str, torch.Tensor], epsilon: float
) -> tuple[nn.Module, Lowered]:
    """The network as trained and its lowered form, both with the normalization in front.

    The lowered form has torch's own epsilon; its variances take up the difference.
    """
    network = plan(architecture)
    normalize = primitives.Normalize("normalize", contract.mean, contract.std)
    root = primitives.Sequence(network.root.name, (normalize, *network.root.layers))
    whole = Plan(root, network.input_shape)
    trained = _load(whole, state)
    for module in trained.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.eps = epsilon
    lowered = lower(whole, trained)
    if epsilon != EPSILON:
        for name in [name for name in lowered.state if name.endswith("running_var")]:
            lowered.state[name] = lowered.state[name] + (epsilon - EPSILON)
    return trained, lowered


def _load(network: Plan, state: Mapping[str, torch.Tensor]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):  # build draws weights; the caller's random state is not ours
        module = build(network)
    try:
        module.load_state_dict(dict(state))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ExportError(f"the weights are not those of this architecture: {reason[:200]}") from error
    return module.eval()


def _write_network(
    folder: Path,
    contract: Contract,
    architecture: Architecture,
    lowered: Lowered,
    folded: Lowered,
    measured: Cost,
    forms: Mapping[str, Exporter],
    opset: int | None,
) -> tuple[nn.Module, int]:
    """Weights, model.py, model.onnx and further forms; the torch module they were made from, and the opset."""
    module = _load(folded.plan, folded.state)
    metadata = {
        "family": architecture.family,
        "id": architecture.id,
        "macs": str(measured.macs),
        "params": str(measured.params),
        "classes": json.dumps(contract.classes),
        "mean": json.dumps(contract.mean),
        "std": json.dumps(contract.std),
        "preparation": json.dumps(_preparation(contract)),
        "architecture": architecture.to_json(),
    }
    if contract.temperature is not None:
        metadata["temperature"] = repr(contract.temperature)
    write_whole(folder / "weights.safetensors", save(folded.state, metadata))
    title = f"{contract.title}: {contract.label} (id {contract.id})."
    source = model_source(
        folded.plan,
        title=title,
        classes=contract.classes,
        macs=measured.macs,
        params=measured.params,
        preparation=contract.preparation,
        temperature=contract.temperature,
    )
    write_text(folder / "model.py", source)
    write_text(folder / "hubconf.py", hub.SOURCE)
    written = write_onnx(folder / "model.onnx", folded, metadata, opset)
    trained = Trained(plan=folded.plan, module=module, lowered=lowered, classes=contract.classes, metadata=metadata)
    write_also(folder, forms, trained)
    return module, written


def _verify(
    folder: Path,
    trained: nn.Module,
    exported: nn.Module,
    input_shape: tuple[int, int, int],
    test: tuple[np.ndarray, np.ndarray] | None,
    attempts: int,
    forms: Mapping[str, Exporter],
) -> tuple[dict[str, float], dict[str, float]]:
    """Differences of all forms from the trained network, and their accuracies on the test split.

    Other random images are taken where the forms disagree, until none of the attempts is left.
    """
    for attempt in range(attempts - 1):
        with suppress(ExportError):
            return _compare(folder, trained, exported, parity.random_batches(input_shape, seed=attempt), test, forms)
    return _compare(folder, trained, exported, parity.random_batches(input_shape, seed=attempts - 1), test, forms)


def _compare(
    folder: Path,
    trained: nn.Module,
    exported: nn.Module,
    batches: list[torch.Tensor],
    test: tuple[np.ndarray, np.ndarray] | None,
    forms: Mapping[str, Exporter],
) -> tuple[dict[str, float], dict[str, float]]:
    images = [] if test is None else [torch.from_numpy(np.ascontiguousarray(test[0]))]
    expected = parity.run_torch(trained, batches)
    logits = {
        "lowered": parity.run_torch(exported, batches + images),
        "onnx": parity.run_onnx(folder / "model.onnx", batches + images),
        "model.py": parity.run_source(folder / "model.py", batches + images),
    }
    logits |= {exporter.file: run_also(folder, name, exporter, batches + images) for name, exporter in forms.items()}
    differences = parity.compare(expected, {name: found[: len(batches)] for name, found in logits.items()})
    if test is None:
        return differences, {}
    return differences, {name: parity.accuracy(found[-1], test[1]) for name, found in logits.items()}


def _gated(network: Plan, trained: nn.Module) -> str:
    """Whether what its images choose was 'measured' or is as 'planned'; empty where they choose nothing."""
    if not any(isinstance(layer, primitives.GatedConvolution) for _, layer in network.layers()):
        return ""
    counted = [module.measurement()[0] > 0 for module in trained.modules() if isinstance(module, MeasuredModule)]
    return "measured" if counted and all(counted) else "planned"


def _record(contract: Contract, architecture: Architecture, lowered: Lowered, measured: Cost) -> dict[str, Any]:
    expected = cost.count(architecture)
    channels, height, width = contract.input_shape
    return {
        "architecture": architecture.to_dict(),
        "id": contract.id,
        "counts": {"macs": expected.macs, "params": expected.params, "convention": CONVENTION},
        "measured": {"macs": measured.macs, "params": measured.params},
        "assignments": lowered.assignments,
        "remaining": remaining(lowered.plan)._asdict(),
        "normalization": {"mean": contract.mean, "std": contract.std},
        "classes": contract.classes,
        "input": {
            "name": "image",
            "dtype": "float32",
            "layout": "NCHW",
            "shape": ["batch", channels, height, width],
            "range": [0.0, 1.0],
            "from_pixels": "pixel / 255; normalization is inside the network",
            "preparation": _preparation(contract),
        },
        "output": {"name": "logits", "shape": ["batch", len(contract.classes)]},
    } | ({} if contract.temperature is None else {"temperature": contract.temperature})


def _also(forms: Mapping[str, Exporter]) -> dict[str, str]:
    """The file of each further form by its name, and those beside it."""
    found = {name: exporter.file for name, exporter in forms.items()}
    return found | {f"{name}: {file}": file for name, exporter in forms.items() for file in exporter.beside}


def _preparation(contract: Contract) -> dict[str, Any]:
    """As data, and each step in words."""
    return {**asdict(contract.preparation), "steps": contract.preparation.words()}


def _refuse_others(folder: Path) -> None:
    """ExportError where the folder holds what is not an earlier export: to replace it would delete that."""
    if not folder.exists():
        return
    ours = {*FILES, *also_in(folder), "__pycache__"}
    others = sorted({entry.name for entry in folder.iterdir()} - ours) if folder.is_dir() else ["a file"]
    if others:
        raise ExportError(f"{folder} is not an earlier export, it holds {others[0]}; give a new or an empty folder")


def _json(record: dict[str, Any]) -> str:
    """One line for each key: lists of a thousand channels stay readable, and so does everything else."""
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in record.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"
