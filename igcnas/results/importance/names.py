"""What the choices of search spaces are called in words."""

from __future__ import annotations

import re
from typing import Any

_WORDS = {
    "block": "block type",
    "growth": "growth of the width from stage to stage",
    "final_size": "height of the last map",
    "head_ratio": "1x1 head, channels over the last stage",
    "M": "M, channels of a primary partition",
    "grows": "what grows with the width, L or M",
    "residual": "shortcut",
    "learned": "groups learned in training or fixed",
    "K": "K, branch size of the sparse kernels",
    "kernels": "number of pointwise kernels",
    "expansion": "expansion",
    "G1": "groups of the expansion, G1",
    "G2": "groups of the projection, G2",
    "groups": "groups",
    "ratio": "width over the channels of the middle",
    "heads": "heads",
    "keep": "share of the channels kept",
    "attention": "attention",
    "reduce": "dropped in training or by each image",
    "factor": "condensation factor",
}
# What true and false mean, where a choice is one of the two.
_BOOLEANS = {
    "residual": ("residual", "plain"),
    "learned": ("learned", "fixed"),
    "attention": ("with", "without"),
}
_REDUCE = {"condensing": "in training", "dgc": "each image"}


def label(name: str) -> str:
    """A choice in words; one that is not known, of a user's own family, keeps its name.

    >>> label("depth2"), label("igcv3.G1"), label("mine.colour")
    ('blocks in stage 2', 'groups of the expansion, G1', 'colour')
    """
    stage = re.fullmatch(r"depth(\d+)", name)
    if stage:
        return f"blocks in stage {stage[1]}"
    own = name.rpartition(".")[2]
    return _WORDS.get(own, own)


def value_label(name: str, value: Any) -> str:
    """A value in words.

    >>> value_label("igcv3.learned", False), value_label("head_ratio", 0), value_label("igcv3.G1", 2)
    ('fixed', 'none', '2')
    """
    own = name.rpartition(".")[2]
    if isinstance(value, bool):
        return _BOOLEANS.get(own, ("yes", "no"))[0 if value else 1]
    if own == "reduce" and value in _REDUCE:
        return _REDUCE[value]
    if own == "head_ratio" and value == 0:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def scope_of(name: str) -> str:
    """The block type that a choice belongs to; '' for those that all have."""
    return name.rpartition(".")[0]
