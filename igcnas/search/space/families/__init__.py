"""Block families of a search space: which choices there are, and the blocks that they mean.

One module a skeleton. A family's fields are tuples of choices; `axes` names them for Optuna; `stage` turns chosen
values into the block and the width of one stage. To add a family: a class here, and its name in FAMILIES.
"""

from igcnas.search.space.families.base import Axes, BlockFamily, Meaning, Values
from igcnas.search.space.families.basic import BasicFamily, GatedFamily
from igcnas.search.space.families.bottleneck import GroupableFamily
from igcnas.search.space.families.dense import DenseFamily
from igcnas.search.space.families.interleaved import InterleavedFamily, ProductFamily
from igcnas.search.space.families.inverted import GatedInvertedFamily, InvertedFamily

__all__ = [
    "Axes",
    "BasicFamily",
    "BlockFamily",
    "DenseFamily",
    "GatedFamily",
    "GatedInvertedFamily",
    "GroupableFamily",
    "InterleavedFamily",
    "InvertedFamily",
    "Meaning",
    "ProductFamily",
    "Values",
]
