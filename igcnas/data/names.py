"""What people call the parts of a data set: which names of folders and of arrays mean train, val and test.

Upper case, plurals and words such as "set" or "images" do not matter: Training, train_set and TRAIN are one name.
"""

from __future__ import annotations

import re

_PARTS = {
    "train": ("train", "training", "trn", "tr"),
    "val": ("val", "valid", "validation", "validate", "dev", "development"),
    "test": ("test", "testing", "tst", "eval", "evaluation"),
}
PART_OF = {word: part for part, words in _PARTS.items() for word in words}
_ROLES = {
    "images": ("x", "image", "img", "pixel", "picture", "data", "feature", "input"),
    "labels": ("y", "label", "lbl", "target", "class", "classe", "output"),
}
_ROLE_OF = {word: role for role, words in _ROLES.items() for word in words}
_FILLING = {"set", "split", "data", "dataset", "image", "img", "folder"}


def part_of(folder: str) -> str | None:
    """The part ('train', 'val' or 'test') that a folder of this name means; None for any other name."""
    words = _words(folder)
    if len(words) > 1:
        words = [word for word in words if word not in _FILLING]
    return PART_OF.get(words[0]) if len(words) == 1 else None


def array_of(name: str) -> tuple[str, str] | None:
    """Part and role ('images' or 'labels') that an array of this name means; None for any other name.

    >>> array_of("X_train"), array_of("test_labels"), array_of("images"), array_of("weights")
    (('train', 'images'), ('test', 'labels'), ('', 'images'), None)
    """
    words = _words(name)
    if len(words) == 1:
        words = _parted(words[0])
    words = [word for word in words if word != "set"]
    roles = [word for word in words if word in _ROLE_OF]
    parts = [word for word in words if word in PART_OF]
    if len(roles) != 1 or len(parts) > 1 or len(roles) + len(parts) != len(words):
        return None
    return (PART_OF[parts[0]] if parts else ""), _ROLE_OF[roles[0]]


def _words(name: str) -> list[str]:
    """Lower case, without plurals, cut at separators and where a capital follows a small letter."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    words = [word for word in re.split(r"[^a-z]+", spaced) if word]
    return [_singular(_without_set(word)) for word in words]


def _without_set(word: str) -> str:
    """trainset is train."""
    head = word.removesuffix("set")
    return head if head in PART_OF else word


def _singular(word: str) -> str:
    head = word.removesuffix("s")
    return head if head in PART_OF or head in _ROLE_OF or head in _FILLING else word


def _parted(word: str) -> list[str]:
    """xtrain and trainx are two words."""
    for one in "xy":
        if word.startswith(one) and word[1:] in PART_OF:
            return [one, word[1:]]
        if word.endswith(one) and word[:-1] in PART_OF:
            return [word[:-1], one]
    return [word]
