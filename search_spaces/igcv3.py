"""IGC V3 (Sun et al., BMVC 2018), with MobileNetV2 as G1 = G2 = 1."""

from igcnas.search.space import InvertedFamily, SearchSpace

SPACE = SearchSpace(
    name="igcv3",
    families=(
        InvertedFamily(name="mobilenetv2", expand_activation=True),
        InvertedFamily(name="igcv3", G1=(2, 4, 8), G2=(2, 4, 8), expand_activation=False),
    ),
)
