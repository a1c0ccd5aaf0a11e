"""The default: every block type, L and M, G1 and G2, depth, expansion, fixed and learned grouping."""

from igcnas.space import BasicFamily, InterleavedFamily, InvertedFamily, SearchSpace

SPACE = SearchSpace(
    name="all",
    families=(
        BasicFamily(),
        InterleavedFamily(learned=(False, True)),
        InvertedFamily(name="mobilenetv2", expand_activation=True),
        InvertedFamily(name="igcv3", G1=(2, 4), G2=(2, 4), learned=(False, True), expand_activation=False),
    ),
)
