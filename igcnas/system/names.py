"""Names that become folders: of a study, of a retraining.

Convention: a new name is one that every system takes as one folder and that a terminal shows as it is. A name that a
study already has may be stranger: it opens as long as it is one folder, and no other. Neither kind leads out of the
folder that it is joined to.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable

from igcnas.errors import StudyError

_MOST_BYTES = 255  # of one name, on the file systems in use
_SHORT_BYTES = 120
_UNFIT = '<>:"|?*\\/'
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE | re.DOTALL
)


def new_name(name: str, *, option: str, elsewhere: str) -> str:
    """The name, if a folder may be given it; else StudyError. elsewhere: how to choose where that folder lies."""
    fault = _fault(name)
    if fault is None:
        return name
    raise StudyError(f"{option} {shown(name)} {fault}; take letters, digits, '.', '-' and '_', and {elsewhere}")


def stays_inside(name: str) -> bool:
    """Whether a folder joined with this name is a folder in it, on this system."""
    if not name or name in (".", "..") or "\0" in name:
        return False
    if os.name == "nt" and (_RESERVED.fullmatch(name) or name != name.rstrip(". ") or set(name) & set(_UNFIT)):
        return False  # 'a:b' is another drive or stream, 'nul' a device, 'a..' is 'a'
    separators = {os.sep, os.altsep or os.sep}
    return not separators & set(name)


def joined(parts: Iterable[str], *, keep: str = "._") -> str:
    """A new name from parts of any kind: what does not fit becomes '_', and what is too long ends in a hash of all."""
    name = "-".join("".join(c if c.isalnum() or c in keep else "_" for c in part) for part in parts)
    if _fault(name) is None:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    short = name.encode("utf-8", "ignore")[:_SHORT_BYTES].decode("utf-8", "ignore")
    return f"of-{short}-{digest}"


def shown(name: str) -> str:
    """In quotes, with whatever a terminal would not show, and without its middle where it is long."""
    text = repr(name)
    return text if len(text) <= 80 else f"{text[:50]}...{text[-20:]}"


def _fault(name: str) -> str | None:
    """What is wrong with a new name; None if nothing is."""
    unfit = next((c for c in name if c in _UNFIT), None)
    for wrong, words in (
        (not name.strip(), "is empty"),
        (name in (".", ".."), "is a folder that is there already"),
        (unfit is not None, f"holds {unfit!r}, which is no part of a name"),
        (not name.isprintable(), "holds a character that cannot be shown"),  # also surrogates, which no text has
        (name != name.strip() or name.endswith("."), "begins or ends with a blank, or ends with a dot"),
        (name.startswith(("-", "~")), f"begins with {name[:1]!r}, which shells and programs read otherwise"),
        (_RESERVED.fullmatch(name) is not None, "is the name of a device on Windows"),
        (len(name.encode("utf-8", "replace")) > _MOST_BYTES, f"is longer than the {_MOST_BYTES} bytes of a name"),
    ):
        if wrong:
            return words
    return None
