"""What several recipes of papers share: groups of values that one file decides, and parts that come again."""

from __future__ import annotations

from igcnas.data.augmentation import Augmentation
from igcnas.training.recipes.parts import FirstWeights, Optimizer, Schedule

RUN = ("epochs", "batch_size", "learning_rate", "schedule")
STEP = ("optimizer", "decay", "rates", "gradient_clip", "label_smoothing")
IMAGES = ("augmentation",)
NO_DROPOUT = ("dropout", "channel_dropout")
NETWORK = (*NO_DROPOUT, "norm", "first")

PLAIN = Optimizer(nesterov=False)
# An eighth of the height: 4 pixels for images of 32x32.
PADDED = Augmentation()
AREA = Augmentation(crop="area")
# Released MXNet training code: short side 256 to 480 for a crop of 224; hue by 36 of 180, saturation and lightness by
# 50 of 255.
SHORT_SIDE = Augmentation(
    crop="short-side", scale=(256 / 224, 480 / 224), ratio=(0.75, 1.25), jitter=(50 / 255, 0.0, 50 / 255, 0.2)
)
JITTER_OURS = "brightness, saturation and hue, where the code jitters in HLS space"
STEPS_3 = Schedule(kind="steps", milestones=(1 / 2, 3 / 4, 7 / 8))

# As torchvision starts a ResNet, and a MobileNetV2.
RESNET_FIRST = FirstWeights(convolution="fan-out", linear="torch", bias="torch")
MOBILE_FIRST = FirstWeights(convolution="fan-out", linear="normal", std=0.01, bias="zero")


def all_ours(why: str) -> dict[str, str]:
    """`ours` of a recipe of which no value is from a source."""
    return dict.fromkeys((*RUN, *STEP, *IMAGES, *NETWORK), why)
