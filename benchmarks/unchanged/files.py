"""What a file holds, as facts by name, without what another run of the same command would change.

A fact is a short value as it is, or the SHA-256 of a longer one. Facts whose name ends in "(words)" are written for
the eyes: text and pictures. All others are ids, numbers, weights and settings.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import onnx
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from safetensors import safe_open

Facts = dict[str, str]

# Left out of every record, table and JSON: the machine and its load decide them.
LEFT_OUT = {
    "seconds": "a time",
    "latency_ms": "a time",
    "latency_iqr_ms": "a time",
    "spending": "times and their shares, of a report",
    "peak_memory_mb": "memory",
    "began": "a date",
    "igcnas": "a version",
    "commit": "a version",
    "versions": "versions of libraries",
    "packages": "versions of libraries",
}
# Files that are left out whole.
LEFT_OUT_FILES = {
    "lock": "empty; who holds the folder",
    "journal.log.flock": "empty; who holds the journal",
    "runs.jsonl": "commands with their dates, versions and machine",
    "events.out.tfevents.*": "the numbers of log.csv with dates",
    "front/retrain-2/table.md": "a column of seconds; its numbers are in table.csv",
    "front/report.html": "the seconds of this run all over; its numbers are in report --json",
}
_AS_IT_IS = 60
_TIMES = re.compile(
    r" *(?:\d+(?:\.\d+)? (?:ms|s|min|h|seconds?|minutes?|hours?)\b ?)+|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::[\d.]+)?)?"
)
# matplotlib draws these at random in each run.
_IDS = re.compile(r"\b(?:[a-z]|image)[0-9a-f]{10}\b")


def fact(value: object) -> str:
    """A short value as JSON, of a longer one its hash."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return text if len(text) <= _AS_IT_IS else digest(text.encode())


def digest(content: bytes) -> str:
    """The SHA-256 of some bytes."""
    return "sha256 " + hashlib.sha256(content).hexdigest()


def without_times(text: str) -> str:
    """Text in which every duration, with the blanks that set it right, and every date is replaced."""
    return _TIMES.sub("<time>", text)


def kept(value: Any) -> Any:
    """A value of JSON without what is left out and without times in its texts, at any depth."""
    if isinstance(value, Mapping):
        return {name: kept(item) for name, item in value.items() if name not in LEFT_OUT}
    if isinstance(value, list):
        return [kept(item) for item in value]
    return without_times(value) if isinstance(value, str) else value


def text_facts(text: str) -> Facts:
    """Text for the eyes, as one fact."""
    return {"(words)": fact(without_times(text))}


def json_facts(text: str) -> Facts:
    """A fact for each name of a JSON object."""
    value = kept(json.loads(text))
    return {name: fact(item) for name, item in value.items()} if isinstance(value, Mapping) else {"": fact(value)}


def table_facts(text: str) -> Facts:
    """A fact for each column of a table with a head."""
    columns: dict[str, list[str]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        for name, cell in kept(row).items():
            columns.setdefault(name, []).append(cell)
    return {f"column {name}": fact(cells) for name, cells in columns.items()}


def picture_facts(text: str) -> Facts:
    """An SVG without its date and its random ids."""
    return {"(words)": digest(_IDS.sub("<id>", without_times(text)).encode())}


def code_facts(text: str) -> Facts:
    """Python code."""
    return {"": digest(text.encode())}


def weight_facts(path: Path) -> Facts:
    """Of a safetensors file: metadata; names, types and shapes; the bytes of all tensors."""
    with safe_open(path, "np") as file:
        tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
        metadata = dict(file.metadata() or {})
    return {
        "metadata": fact({name: kept(_parsed(value)) for name, value in metadata.items()}),
        "shapes": fact({name: [str(tensor.dtype), list(tensor.shape)] for name, tensor in tensors.items()}),
        "tensors": digest(b"".join(tensor.tobytes() for tensor in tensors.values())),
    }


def onnx_facts(path: Path) -> Facts:
    """Of an ONNX file: inputs, outputs, nodes, initializers; not who wrote it, nor where in the code a node began."""
    graph = onnx.load(path).graph
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    return {
        "inputs and outputs": _messages([*graph.input, *graph.output]),
        "nodes": _messages(graph.node),
        "initializers": _messages(graph.initializer),
    }


def journal_facts(path: Path) -> Facts:
    """Of an Optuna journal: a fact for each thing that a study and its trials hold."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage, facts = JournalStorage(JournalFileBackend(str(path))), {}
    for study in storage.get_all_studies():
        facts["study, name"] = fact(study.study_name)
        facts["study, directions"] = fact([direction.name for direction in study.directions])
        facts["study, attributes"] = fact(kept(study.user_attrs))
        for trial in storage.get_all_trials(study._study_id):
            named = {
                "state": trial.state.name,
                "values": trial.values,
                "params": trial.params,
                "intermediate values": trial.intermediate_values,
                **kept(trial.user_attrs),
            }
            facts |= {f"trial {trial.number}, {name}": fact(value) for name, value in named.items()}
    return facts


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _messages(messages: Iterable[Any]) -> str:
    return digest(b"\0".join(message.SerializeToString(deterministic=True) for message in messages))


_TEXTS: Mapping[str, Callable[[str], Facts]] = {
    ".json": json_facts,
    ".csv": table_facts,
    ".md": text_facts,
    ".html": text_facts,
    ".svg": picture_facts,
    ".py": code_facts,
}
_OTHERS: Mapping[str, Callable[[Path], Facts]] = {
    ".safetensors": weight_facts,
    ".onnx": onnx_facts,
    ".log": journal_facts,
    ".png": lambda path: {"(words)": digest(path.read_bytes())},
}


def file_facts(path: Path) -> Facts:
    """What the file holds; of an unknown kind its bytes."""
    if any(path.match(pattern) for pattern in LEFT_OUT_FILES):
        return {}
    if path.suffix in _TEXTS:
        return _TEXTS[path.suffix](path.read_text(encoding="utf-8"))
    return _OTHERS.get(path.suffix, lambda path: {"": digest(path.read_bytes())})(path)
