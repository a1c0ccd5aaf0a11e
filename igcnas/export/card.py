"""card.md: what a person who finds the folder needs to know, on one page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from igcnas.data.preparation import Preparation
from igcnas.export.parity import BATCHES, TOLERANCE
from igcnas.modules.folding import Remaining
from igcnas.network.cost import Cost
from igcnas.network.exported import Time
from igcnas.system.harmless import markdown
from igcnas.units import counted

CONVENTION = (
    "multiply-accumulates of convolutions and linear layers for one image (many papers call them FLOPs); biases, batch "
    "norm, activations, pooling, additions and permutations count nothing. Parameters: weights, biases, and scale and "
    "shift of batch norm."
)

_CARD = """---
{head}
---

# {title}

{label}. Architecture id `{id}`; found and trained by igcnas.

## Input and output

* Input: float32 images of shape (batch, {shape}), pixel / 255, so values in [0, 1]. The network itself subtracts
  the mean {mean} and divides by the standard deviation {std}: do not normalize again.
* Output: logits of shape (batch, {num_classes}); {softmax} for probabilities.
* Classes, in the order of the columns: {classes}.

## From a picture to the input

{preparation}

`python model.py PICTURE...` does this, and says what it sees. `igcnas predict` does it with ONNX Runtime.

## Size

{counts}

Convention: {convention}

{left}

## Accuracy

{accuracies}

## How it was made

{facts}

## Files

| file | what it is |
|---|---|
| `model.py` | the network in one file; needs torch alone |
| `weights.safetensors` | its tensors; the metadata holds the architecture |
| `model.onnx` | network and weights for ONNX Runtime and others; batches of any size |
| `architecture.json` | as data: architecture, counts, learned groups, normalization, preparation, classes |
| `hubconf.py` | `torch.hub.load(FOLDER, "model", source="local")` loads the network by it |

With torch, in this folder:

```python
import torch, model
network = model.load()
logits = network(torch.rand(1, {shape}))
```

With ONNX Runtime, without torch:

```python
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession("model.onnx")
logits = session.run(["logits"], {{"image": np.random.rand(1, {shape}).astype(np.float32)}})[0]
```

The weights alone:

```python
from safetensors import safe_open
with safe_open("weights.safetensors", "pt") as file:
    print(file.metadata()["architecture"], list(file.keys()))
```

## Agreement

Every form was run on random images, in batches of {batches}, and compared with the network as it was trained. Largest
difference as a part of max(1, largest logit); above {tolerance:g} nothing is exported.

{parity}
"""


_GATED = """

Each image chooses the channels of some convolutions by itself. The MACs count those that {chosen}, and what the
choice costs. The files here compute all channels and multiply the dropped ones by zero: they take the time of a network
without gates. Only a runtime that gathers the chosen channels of each image, and skips those that nothing reads, saves
what the count says. A choice is a comparison of two numbers: where these are nearly equal, runtimes that round
differently choose differently for that image, and its logits differ."""
_CHOSEN = {"measured": "an average validation image chose", "planned": "an image was planned to choose"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What every form of the network promises to whoever runs it."""

    title: str
    label: str
    id: str
    input_shape: tuple[int, int, int]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    preparation: Preparation
    temperature: float | None = None


def card_text(
    contract: Contract,
    *,
    expected: Cost,
    measured: Cost,
    accuracies: Mapping[str, float],
    num_tested: int,
    facts: Mapping[str, str],
    parity: Mapping[str, float],
    left: Remaining,
    gated: str = "",
    times: Sequence[Time] = (),
) -> str:
    """Text of card.md. `expected` is what the architecture promised, `measured` what the exported network costs.

    `left`: what the files here do besides, because it could not be moved into weights.
    `gated`: where each image chooses channels, whether their number was 'measured' or is as 'planned'.
    `times`: how long it took where it was exported.
    """
    tested = {f"test accuracy, {form}": with_error(value, num_tested) for form, value in accuracies.items()}
    made = {what: value for what, value in facts.items() if not _is_accuracy(what)}
    softmax = "take the softmax"
    if contract.temperature is not None:
        softmax = f"take the softmax of logits / {contract.temperature:.4g}, a temperature fitted on validation images,"
    return _CARD.format(
        head=_head(contract, accuracies, facts),
        softmax=softmax,
        preparation=_table(("step", "what is done"), contract.preparation.words()),
        title=markdown(contract.title),
        label=markdown(contract.label),
        id=contract.id,
        shape=", ".join(map(str, contract.input_shape)),
        mean=_numbers(contract.mean),
        std=_numbers(contract.std),
        num_classes=len(contract.classes),
        classes=", ".join(markdown(name) for name in contract.classes),
        counts=_counts(expected, measured, times, gated=gated),
        convention=CONVENTION,
        left=_left(left),
        accuracies=_accuracies(tested, {what: value for what, value in facts.items() if _is_accuracy(what)}),
        facts=_table(("what", "value"), made) if made else "Nothing was recorded.",
        batches=" and ".join(map(str, BATCHES)),
        tolerance=TOLERANCE,
        parity=_table(("form", "difference"), {form: f"{value:.1e}" for form, value in parity.items()}),
    )


def _head(contract: Contract, accuracies: Mapping[str, float], facts: Mapping[str, str]) -> str:
    """What hubs of models read: YAML, whose values are written as JSON. The licence is for the owner to state."""
    head: dict[str, Any] = {
        "license": "unknown",
        "library_name": "pytorch",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "pytorch", "onnx", "igcnas", contract.title.partition(",")[0]],
        "metrics": ["accuracy"],
    }
    if accuracies:
        data = facts.get("data", "unknown")
        top1 = round(next(iter(accuracies.values())) / 100, 6)
        result = {
            "task": {"type": "image-classification", "name": "Image classification"},
            "dataset": {"name": data, "type": data, "split": "test"},
            "metrics": [{"type": "accuracy", "name": "top-1", "value": top1}],
        }
        head["model-index"] = [{"name": contract.label, "results": [result]}]
    return "\n".join(f"{key}: {json.dumps(value)}" for key, value in head.items())


def with_error(percent: float, n: int) -> str:
    """Accuracy with its binomial standard error.

    >>> with_error(90.0, 400)
    '90.00 +- 1.50 % (n = 400)'
    """
    share = percent / 100
    return f"{percent:.2f} +- {100 * math.sqrt(share * (1 - share) / n):.2f} % (n = {n})"


def _counts(expected: Cost, measured: Cost, times: Sequence[Time], *, gated: str) -> str:
    rows = {"MACs": f"{measured.macs:,}", "parameters": f"{measured.params:,}"}
    rows |= {f"time, {one.runtime}": one.words(named=False) for one in times}
    table = _table(("count", "value"), rows)
    note = _GATED.format(chosen=_CHOSEN[gated]) if gated else ""
    if measured == expected:
        return table + note
    reason = (
        "images were free to choose more or fewer channels"
        if gated
        else "its learned groups were free to differ in size"
    )
    ratio = measured.macs / expected.macs
    return (
        f"{table}\n\nThese are measured on the exported network. The architecture promised {expected.macs:,} MACs and "
        f"{expected.params:,}\nparameters: {reason}, and training made it "
        f"{ratio:.3f} times as expensive as expected.{note}"
    )


def _left(left: Remaining) -> str:
    """In words; architecture.json names them."""
    gathers, norms = len(left.gathers), len(left.norms)
    if not gathers and not norms:
        return "Batch norms and permutations of channels are folded into the weights: none is left."
    return (
        "Batch norms and permutations of channels are folded into the weights where that changes nothing. Left, as "
        f"`architecture.json` names them:\n{counted(gathers, 'gather')} of channels, which cost time and no MACs, and "
        f"{counted(norms, 'batch norm')}."
    )


def _is_accuracy(what: str) -> bool:
    return "accuracy" in what.lower()


def _accuracies(tested: Mapping[str, str], recorded: Mapping[str, str]) -> str:
    rows = {**recorded, **tested}
    if not rows:
        return "No accuracy was recorded, and no test split was given."
    note = "" if tested else "\n\nNo test split was given: the test accuracy is not known."
    return _table(("split", "accuracy"), rows) + "\n\nAfter +-: binomial standard error over n images." + note


def _table(header: Sequence[str], rows: Mapping[str, str]) -> str:
    lines = [f"| {' | '.join(header)} |", "|---|---|"]
    return "\n".join(lines + [f"| {markdown(what)} | {markdown(value)} |" for what, value in rows.items()])


def _numbers(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"
