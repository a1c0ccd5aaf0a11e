"""IGC V2 (Xie et al., CVPR 2018): number and branch sizes of the sparse kernels, one path for each pair of channels."""

from igcnas.search.space import ProductFamily, SearchSpace

SPACE = SearchSpace(name="igcv2", families=(ProductFamily(K=(2, 3, 4, 6, 8), kernels=(1, 2, 3)),), head_ratios=(0,))
