"""CondenseNet (Huang et al., CVPR 2018), and DGC (Su et al., ECCV 2020) on the same dense layers."""

from igcnas.search.space import DenseFamily, SearchSpace

SPACE = SearchSpace(name="condensing", families=(DenseFamily(groups=(1, 2, 4, 8), factor=(2, 4, 8)),), head_ratios=(0,))
