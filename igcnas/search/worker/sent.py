"""The data set on a node: that which it has itself, if it is the same, else that of the controller, sent there once."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from igcnas.data.dataset import Dataset, Split
from igcnas.errors import IgcnasError
from igcnas.search.settings import DataSettings
from igcnas.system.files import write_whole

_SENT, _CHECKED = "data.pickle", "data.checked"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sent:
    """A data set as it is sent: all that is read of it. test: None where no work reads that split."""

    fields: dict[str, Any]
    test: Split | None

    @staticmethod
    def of(dataset: Dataset, *, test: bool) -> Sent:
        """With its test split or without."""
        names = ("name", "classes", "train", "flip", "pad", "own_validation", "origin")
        fields = {name: getattr(dataset, name) for name in names}
        return Sent(fields=fields, test=dataset.load_test() if test else None)

    def load_test(self) -> Split:
        """The test split, where it was sent."""
        if self.test is None:
            raise IgcnasError("the test split was not sent to this node")
        return self.test


def read_sent(path: str) -> Dataset:
    """The data set in a file that `check` wrote."""
    with open(path, "rb") as file:
        sent: Sent = pickle.load(file)
    return Dataset(**sent.fields, load_test=sent.load_test)


def check(folder: Path, settings: DataSettings, sent: Callable[[], Sent | None]) -> tuple[str | None, str | None]:
    """Make the data set usable by the workers of this node, once for all of them; folder: of theirs on it.

    sent: fetches it from the controller; None where it has not sent it.

    Returns:
        The file from which workers read it, None where they load it as the settings say; and why it cannot be used,
        None where it can, "" where it must be sent.
    """
    file, mark = folder / _SENT, folder / _CHECKED
    if file.is_file():
        return str(file), None
    if mark.is_file():
        return None, None
    try:
        found = settings.load().fingerprint()
    except (IgcnasError, OSError, ImportError):  # it has none: that of the controller takes its place
        return _received(file, settings, sent())
    if found != settings.fingerprint:
        return None, f"the data set {settings.spec} there is another one ({found}, here {settings.fingerprint})"
    write_whole(mark, b"")
    return None, None


def _received(file: Path, settings: DataSettings, sent: Sent | None) -> tuple[str | None, str | None]:
    if sent is None:
        return None, ""
    found = Dataset(**sent.fields, load_test=sent.load_test).fingerprint()
    if found != settings.fingerprint:
        return None, f"the data set that was sent has changed ({found}, the study's is {settings.fingerprint})"
    write_whole(file, pickle.dumps(sent, protocol=5))
    return str(file), None
