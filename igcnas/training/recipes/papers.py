"""The recipes of the papers together, and which is whose.

Every value is that of a file of the source, or named in `ours` (igcnas/training/recipes/recipe.py). A released code
often says more than its paper; where both speak, the paper is followed and the code's way has a name of its own.
"""

from __future__ import annotations

from igcnas.training.recipes.hosts import HOSTS
from igcnas.training.recipes.interleaved import INTERLEAVED
from igcnas.training.recipes.learning import LEARNING

*_MOBILENETS, _RESNET = HOSTS
PAPER_RECIPES = (*INTERLEAVED, *_MOBILENETS, *LEARNING, _RESNET)

# What `paper` means, by family, for small images and for ImageNet-like ones. A family that a paper only compares with
# is trained as that paper trains it; a kind of data that no paper has takes the nearest recipe.
PAPER_OF = {
    "igc": ("igc-cifar", "igc-imagenet"),
    "igcv2": ("igcv2-cifar", "igc-imagenet"),
    "igcv3": ("igcv3-cifar", "igcv3-imagenet"),
    "mobilenetv2": ("mobilenetv2-cifar", "igcv3-imagenet"),
    "flgc-mobilenetv2": ("flgc-cifar", "igcv3-imagenet"),
    "resnext": ("resnet-cifar", "dgconv-imagenet"),
    "dg-resnext": ("resnet-cifar", "dgconv-imagenet"),
    "msgc": ("msgc-cifar", "msgc-imagenet"),
    "msgc-mobilenetv2": ("msgc-cifar", "msgc-mobilenetv2-imagenet"),
    "dgc": ("dgc-cifar", "dgc-imagenet"),
    "condensenet": ("condensenet-cifar", "condensenet-imagenet"),
    "resnet": ("resnet-cifar", "igc-imagenet"),
    "regconv": ("igc-cifar", "igc-imagenet"),
}
# Names in architecture.json that differ from those of the families.
ALIASES = {"igcv1": "igc"}
