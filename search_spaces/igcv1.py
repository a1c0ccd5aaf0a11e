"""IGC V1: L against M at equal MACs, plain and residual (Zhang et al., ICCV 2017)."""

from igcnas.search.space import InterleavedFamily, SearchSpace

SPACE = SearchSpace(name="igcv1", families=(InterleavedFamily(M=(1, 2, 3, 4, 6, 8, 16)),), head_ratios=(0,))
