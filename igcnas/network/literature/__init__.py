"""Networks of the papers by name, with the papers' parameters: `igcnas count`, `igcnas networks`, and the baselines.

Each family is a function from keyword parameters to an Architecture, one module for each paper or skeleton. Counts to
meet: tests/data/literature.csv; docs/networks.md shows them.
"""

from __future__ import annotations

from igcnas.errors import ArchitectureError, unknown_name
from igcnas.network.literature.condensenet import condensenet
from igcnas.network.literature.dgc import dgc
from igcnas.network.literature.family import Family
from igcnas.network.literature.igc import igc
from igcnas.network.literature.igcv2 import igcv2
from igcnas.network.literature.igcv3 import igcv3
from igcnas.network.literature.mobilenetv2 import flgc_mobilenetv2, mobilenetv2
from igcnas.network.literature.msgc import msgc
from igcnas.network.literature.resnet import regconv, resnet
from igcnas.network.literature.resnext import dg_resnext, resnext

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(name="igc", build=igc),
        Family(name="regconv", build=regconv),
        Family(name="igcv2", build=igcv2),
        Family(name="igcv3", build=igcv3),
        Family(name="mobilenetv2", build=mobilenetv2),
        Family(name="flgc-mobilenetv2", build=flgc_mobilenetv2),
        Family(name="resnext", build=resnext),
        Family(name="dg-resnext", build=dg_resnext),
        Family(name="msgc", build=msgc),
        Family(name="dgc", build=dgc),
        Family(name="condensenet", build=condensenet),
        Family(name="resnet", build=resnet),
    )
}


def family(name: str) -> Family:
    """The family of this name; else ArchitectureError with the known ones."""
    if name not in FAMILIES:
        raise ArchitectureError(unknown_name("family", name, FAMILIES))
    return FAMILIES[name]


__all__ = [
    "FAMILIES",
    "Family",
    "condensenet",
    "dg_resnext",
    "dgc",
    "family",
    "flgc_mobilenetv2",
    "igc",
    "igcv2",
    "igcv3",
    "mobilenetv2",
    "msgc",
    "regconv",
    "resnet",
    "resnext",
]
