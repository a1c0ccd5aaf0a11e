"""What is damaged: a study, a retraining, an audit, a training and an export, small and made without training."""

from __future__ import annotations

import csv
import io
import json
import pickle
import tarfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from igcnas.network.architecture import Architecture
from igcnas.network.cost import count
from igcnas.network.literature import FAMILIES
from igcnas.search.folder import open_study
from igcnas.search.records.trial import proposal_attributes
from igcnas.search.settings import DataSettings, StudySettings
from igcnas.search.space import load_space
from igcnas.training.recipes import short_recipe
from igcnas.training.settings import TrainingSettings

TRAINING = TrainingSettings(epochs=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Files by what reads them; JSON as plain data."""

    study: dict[str, Any]
    journal: bytes
    retraining: dict[str, Any]
    audit: dict[str, Any]
    audit_rows: bytes
    run: dict[str, Any]
    summary: dict[str, Any]
    export: dict[str, Any]
    runs: bytes
    analysis: dict[str, Any]
    facts: dict[str, Any]
    pickle: bytes
    tar: bytes


def architectures() -> list[Architecture]:
    """Small networks of several families."""
    words = (["igc", "L=4", "M=2", "depth=8"], ["resnet", "depth=8", "width=4"], ["igcv3", "width=0.1"], ["msgc"])
    size = ("size=8", "channels=1")
    small = [FAMILIES[name].from_text([*rest, *size]) for name, *rest in words[:3]]
    return [*small, FAMILIES["condensenet"].from_text(["stages=1-1", "growth=4-4", *size])]


def make(folder: Path) -> Corpus:
    """Everything, a study in this folder among it."""
    networks = architectures()
    settings = _settings()
    (folder / "settings.json").write_text(json.dumps(settings.to_dict()), encoding="utf-8")
    _trials(folder, settings, networks)
    base = {"training": asdict(TRAINING), "format": 1, "data_fingerprint": "0" * 16}
    data = {"name": "digits", "fingerprint": "0" * 16, "streamed": False, "validation": 0.25, "seed": 0, "crop": "pad"}
    plain = networks[0].to_dict()
    finalist = {"name": "trial 0", "published": False, "number": 0, "architecture": plain, "val_accuracy": 90.0}
    split = {"images": 100, "top1": 90.0, "top1_standard_error": 3.0, "top5": 99.0}
    effect = {"value": "1", "n": 5, "fewer_percent": 1.0, "low": None, "high": 2.0}
    choice = {"name": "depth1", "label": "d", "scope": "", "n": 9, "share": 0.5, "low": 0.1, "high": 0.9, "chance": 0.3}
    facts = {"mean": [0.5], "std": [0.5], "classes": [str(n) for n in range(10)], "epoch": 2, "data": data}
    begun = {
        "command": "igcnas search",
        "began": "2026-01-01T00:00:00+00:00",
        "seconds": None,
        "igcnas": "1",
        "cores": 2,
    }
    begun |= {"commit": "", "python": "3.11", "platform": "Linux", "processor": "x", "packages": {"torch": "2"}}
    sample = {"members": [{"number": 0, "band": 0}], "limits": [[1, 10**6]], "ids": {"0": networks[0].id}}
    return Corpus(
        study=settings.to_dict(),
        journal=(folder / "journal.log").read_bytes(),
        retraining=base
        | {"data_name": "digits", "budget_macs": 10**6, "seeds": 2, "top": 1, "trials": None, "margin": 0.5}
        | {"finalists": [finalist | {"trainings": 1}]},
        audit=base | {"networks": 3, "bands": 1, "short_epochs": 2, "sample": sample},
        audit_rows=_audit_rows(),
        run={"format": 1, "architecture": plain, "recipe": short_recipe(TRAINING).to_dict(), "seed": 0}
        | {"data": data | {"spec": "digits", "data_dir": None, "image_size": None, "classes": ["0", "1"]}}
        | {"pretrained": None, "precision": "auto", "engine": "fast"},
        summary={"epochs": 2, "macs": 9, "params": 9, "measured_params": 9, "measured_macs": 9, "best_epoch": 1}
        | {"exceeds_expected": False, "chosen_by": "validation", "validation": split, "test": split, "seconds": 1.5},
        export={"architecture": plain, "assignments": {"stage1.block1": {"filters": [0, 1], "inputs": [0, 1]}}}
        | {"test_accuracy": {"onnx": 90.0}, "facts": {"network": "number 0"}, "data": data},
        runs=b"".join(json.dumps(line).encode() + b"\n" for line in (begun, {"seconds": 3.5}, begun)),
        analysis={
            "evaluator": "additive",
            "n": 20,
            "choices": [choice | {"effects": [effect]}],
            "too_few": {"igcv1": 2},
        },
        facts=facts | {"architecture": plain},
        pickle=pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, 1]}, protocol=2),
        tar=_tar({"cifar/data_batch_1": b"x" * 700, "cifar/batches.meta": b"y"}),
    )


def _settings() -> StudySettings:
    return StudySettings(
        space=load_space("all").to_dict(),
        space_path="all",
        budget_macs=10**6,
        objective="front",
        sampler="tpe",
        baselines=True,
        seed=0,
        data=DataSettings(
            spec="digits",
            data_dir=None,
            image_size=None,
            name="digits",
            fingerprint="0" * 16,
            input_shape=(1, 8, 8),
            classes=tuple(map(str, range(10))),
            validation_images=360,
        ),
        training=TRAINING,
    )


def _trials(folder: Path, settings: StudySettings, networks: list[Architecture]) -> None:
    """A journal as a search writes it: finished ones, a repeat, a failed one, one in training."""
    study = open_study(folder, create_for=settings)
    for number, network in enumerate([*networks, networks[0]]):
        cost, again = count(network), number == len(networks)
        attributes = proposal_attributes(
            network,
            macs=cost.macs,
            params=cost.params,
            target=cost.macs,
            baseline="IGC" if number == 0 else None,
            seed=number,
            epochs=2,
            repeat=1 if again else 0,
            repeat_of=0 if again else None,
        )
        study.enqueue_trial({} if number == 0 or again else {"growth": 1.5}, user_attrs=attributes)
        trial = study.ask()
        if number == 3:
            continue
        for key, value in (("val_accuracy", 80.0 + number), ("seconds", 1.0), ("measured_macs", cost.macs)):
            trial.set_user_attr(key, value)
        trial.set_user_attr("measured_params", cost.params)
        trial.set_user_attr("device", "cpu")
        trial.set_user_attr("curve", [[1, 2.0, 50.0], [2, 1.0, 80.0 + number]])
        study.tell(trial, [80.0 + number, cost.macs])


def _audit_rows() -> bytes:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(("number", "name", "band", "macs", "short", "short_repeats", "score_macs", "score_params", "long_0"))
    for number in range(4):
        table.writerow((number, "net", 1, 10**5, 80 + number, "80.0 81.0", 10**5, 10**4 + number, 90 + number))
    return text.getvalue().encode()


def _tar(files: dict[str, bytes]) -> bytes:
    stored = io.BytesIO()
    with tarfile.open(fileobj=stored, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stored.getvalue()
