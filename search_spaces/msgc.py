"""MSGC (Su et al., TNNLS 2024): each image chooses the channels of each head, on ResNet and MobileNetV2 blocks."""

from igcnas.search.space import GatedFamily, GatedInvertedFamily, SearchSpace

SPACE = SearchSpace(name="msgc", families=(GatedFamily(), GatedInvertedFamily()))
