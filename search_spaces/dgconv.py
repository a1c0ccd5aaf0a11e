"""DGConv (Zhang et al., ICCV 2019): groups of a bottleneck's 3x3 convolution, learned by Kronecker gates or fixed."""

from igcnas.search.space import GroupableFamily, SearchSpace

SPACE = SearchSpace(name="dgconv", families=(GroupableFamily(groups=(1, 2, 4, 8, 16, 32)),), head_ratios=(0,))
