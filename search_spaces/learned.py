"""Learned grouping on the pointwise convolutions of both skeletons (FLGC, Wang et al., CVPR 2019)."""

from igcnas.search.space import InterleavedFamily, InvertedFamily, SearchSpace

SPACE = SearchSpace(
    name="learned",
    families=(
        InterleavedFamily(M=(2, 3, 4, 8), learned=(True,)),
        InvertedFamily(name="flgc", G1=(1, 2, 4, 8), G2=(2, 4, 8), learned=(True,), expand_activation=True),
    ),
)
