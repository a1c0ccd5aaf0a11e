"""Search spaces: frozen data that says which networks are considered, and the only code that asks Optuna for values."""

from igcnas.search.space.families import (
    Axes,
    BasicFamily,
    BlockFamily,
    DenseFamily,
    GatedFamily,
    GatedInvertedFamily,
    GroupableFamily,
    InterleavedFamily,
    InvertedFamily,
    Meaning,
    ProductFamily,
    Values,
)
from igcnas.search.space.loading import known_spaces, load_space
from igcnas.search.space.space import SearchSpace, Structure

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
    "SearchSpace",
    "Structure",
    "Values",
    "known_spaces",
    "load_space",
]
