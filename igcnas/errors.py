"""Errors a user can cause. Each message is one line: what was given, what must hold, what to do instead.

IgcnasError                 root; the command line prints it and exits with status 2
|-- ArchitectureError       a network that cannot exist (also ValueError)
|-- SpaceError              a search space that is malformed or unknown (also ValueError)
|-- BudgetError             no network of the space fits the budget (also ValueError)
|-- DataError               data that is missing, truncated, empty or of the wrong form (also ValueError)
|-- StudyError              a study that cannot be opened, resumed or locked
|-- TrainingError           a training that diverged or ran out of memory
|   `-- CaptureError        a step that cannot be captured, or computes something else: eager steps can do this training
|-- MissingExtraError       a package that one command alone needs is not installed
|-- AdditionError           what another package adds cannot be loaded, is missing, or bears a name that is taken
|-- MachineError            a fault of the machine: a full disk, a folder that may not be written; never of a network
`-- ExportError             an exported network that does not agree with the trained one
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class IgcnasError(Exception):
    """Root of every error that igcnas raises on purpose."""


class ArchitectureError(IgcnasError, ValueError):
    """A network that cannot exist: a group that does not divide its channels, a width of zero."""


class SpaceError(IgcnasError, ValueError):
    """A search space that is malformed, or a name that no space has."""


class BudgetError(IgcnasError, ValueError):
    """A budget that no network of the space fits."""


class DataError(IgcnasError, ValueError):
    """Data that is missing, truncated, empty, or of another form than promised."""


class StudyError(IgcnasError):
    """A study that cannot be opened, resumed with these settings, or locked."""


class TrainingError(IgcnasError):
    """A training that ended without a usable network: it diverged or ran out of memory."""


class CaptureError(TrainingError):
    """A training step that CUDA could not capture, or whose captured form is wrong: eagerly it can be trained."""


class MissingExtraError(IgcnasError):
    """A package that one command alone needs is not installed; the message says how to install it."""


class AdditionError(IgcnasError):
    """What another package adds to igcnas cannot be loaded, is not installed, or bears a name that is taken."""


class MachineError(IgcnasError):
    """A fault of the machine, never of a network: what was in work stays to be taken up once it is mended."""


class ExportError(IgcnasError):
    """An exported network that does not agree with the trained one."""


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """Message for a name that does not exist: the nearest known one, and all of them.

    >>> unknown_name("search space", "igcv4", ["igcv1", "igcv3"])
    "unknown search space 'igcv4'; did you mean 'igcv3'? known: igcv1, igcv3"
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    return f"unknown {what} {name!r}{hint} known: {', '.join(names)}"
