"""The default: every block type, L, M, K, G1, G2, depth, expansion, and every kind of grouping, fixed and learned."""

from igcnas.search.space import (
    BasicFamily,
    DenseFamily,
    GatedFamily,
    GatedInvertedFamily,
    GroupableFamily,
    InterleavedFamily,
    InvertedFamily,
    ProductFamily,
    SearchSpace,
)

SPACE = SearchSpace(
    name="all",
    families=(
        BasicFamily(),
        InterleavedFamily(learned=(False, True)),
        ProductFamily(),
        InvertedFamily(name="mobilenetv2", expand_activation=True),
        InvertedFamily(name="igcv3", G1=(2, 4), G2=(2, 4), learned=(False, True), expand_activation=False),
        GroupableFamily(),
        GatedFamily(),
        GatedInvertedFamily(),
        DenseFamily(),
    ),
)
