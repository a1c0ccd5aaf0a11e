"""What must be the same on every machine that trains for a study: the program, and what its bits depend on."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from igcnas.search.provenance import package_versions
from igcnas.system.additions import EXPORTERS, SAMPLERS, additions
from igcnas.system.processor import processor

_SOURCE = Path(__file__).resolve().parents[2]
# Those that a training or its data go through; proposals are made by the controller alone.
_PACKAGES = ("torch", "numba", "numpy", "scikit-learn", "pillow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Of a machine. igcnas: version, and 12 hex digits of its source. packages: versions, without the builds of one
    version for a CPU or a GPU. additions: versions of the packages that add to igcnas what trains. processor: its name.
    """

    igcnas: str
    python: str
    packages: Mapping[str, str] = field(default_factory=dict)
    additions: Mapping[str, str] = field(default_factory=dict)
    processor: str = ""

    def differences(self, other: Facts) -> list[str]:
        """Each fact of the other that must be that of this one and is not, as 'torch 2.12.0, here 2.13.0'."""
        pairs = [("igcnas", self.igcnas, other.igcnas), ("Python", self.python, other.python)]
        for mine, theirs in ((self.packages, other.packages), (self.additions, other.additions)):
            pairs += [(name, version, theirs.get(name, "not installed")) for name, version in mine.items()]
        return [f"{name} {there}, here {here}" for name, here, there in pairs if here != there]


def facts() -> Facts:
    """Of this machine."""
    from igcnas import __version__

    added = [one for one in additions() if one.group not in (SAMPLERS, EXPORTERS)]  # those are the controller's
    return Facts(
        igcnas=f"{__version__} ({source_digest()})",
        python=".".join(platform.python_version_tuple()[:2]),
        packages={name: version.partition("+")[0] for name, version in package_versions(_PACKAGES).items()},
        additions={one.package: one.version for one in added},
        processor=processor(),
    )


@cache
def source_digest() -> str:
    """12 hex digits of the source of igcnas, as it lies on this machine."""
    digest = hashlib.sha256()
    for path in sorted(_SOURCE.rglob("*.py")):
        digest.update(path.relative_to(_SOURCE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
