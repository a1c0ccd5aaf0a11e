"""The recipes of the networks that others are built on: MobileNetV2 and ResNets on CIFAR."""

from __future__ import annotations

import dataclasses

from igcnas.data.augmentation import Augmentation
from igcnas.training.recipes.parts import PLACES, ChannelDropout, FirstWeights, Optimizer, PerKind, Schedule
from igcnas.training.recipes.recipe import BESIDES, Recipe
from igcnas.training.recipes.usual import IMAGES, NETWORK, PADDED, PLAIN, RUN, STEP

# The code makes its layers and leaves them as torch made them.
_TORCH_FIRST = FirstWeights(convolution="torch", linear="torch", bias="torch")

_MOBILENET = Recipe(
    name="mobilenetv2-cifar",
    source="third-party code (kuangliu/pytorch-cifar); the paper (Sandler et al., CVPR 2018) has no CIFAR",
    files={"main.py": (*RUN, *STEP, *IMAGES), "models/mobilenetv2.py": NETWORK},
    epochs=200,
    batch_size=128,
    learning_rate=0.1,
    optimizer=PLAIN,
    schedule=Schedule(kind="cosine-epoch"),
    decay=PerKind.all(5e-4),
    first=_TORCH_FIRST,
    augmentation=PADDED,
)

HOSTS = (
    _MOBILENET,
    dataclasses.replace(
        _MOBILENET,
        name="mobilenetv2-cifar-350",
        source="users of kuangliu/pytorch-cifar, its issues 29 and 112: 94.0 % with this weight decay",
        files={
            "issues 29 and 112": (*RUN, "decay"),
            "main.py": ("optimizer", "rates", "gradient_clip", "label_smoothing", *IMAGES),
            "models/mobilenetv2.py": NETWORK,
        },
        epochs=350,
        schedule=Schedule(kind="steps", milestones=(150 / 350, 250 / 350)),
        decay=PerKind.all(4e-5),
    ),
    Recipe(
        name="mobilenetv2-cifar-rmsprop",
        source="third-party code (MG2033/MobileNet-V2): RMSprop, a random crop that cuts nothing, colour jitter 0.3",
        files={
            "config/cifar10_test_exp.json": ("epochs", "batch_size", "learning_rate", "schedule.factor"),
            # Smoothing and epsilon are torch's defaults.
            "train.py": ("schedule", *STEP),
            "model.py": NETWORK,
            "cifar10data.py": IMAGES,
        },
        ours={BESIDES: "colours change in one order, brightness, contrast, saturation; torchvision's order is random"},
        epochs=800,
        batch_size=128,
        learning_rate=1e-4,
        optimizer=Optimizer(kind="rmsprop", momentum=0.9, smoothing=0.99, epsilon=1e-8),
        schedule=Schedule(kind="exponential", factor=0.98),
        decay=PerKind.all(5e-4),
        channel_dropout=ChannelDropout(share=0.2, at=PLACES),
        first=FirstWeights(convolution="xavier", linear="xavier", bias="zero"),
        augmentation=Augmentation(crop="none", jitter=(0.3, 0.3, 0.3, 0.0)),
    ),
    Recipe(
        name="resnet-cifar",
        source="He et al., CVPR 2016 (arXiv:1512.03385), as trained by third-party code "
        "(akamaster/pytorch_resnet_cifar10)",
        files={"trainer.py": (*RUN, *STEP, *IMAGES), "resnet.py": NETWORK},
        ours={BESIDES: "depth 110 starts at the full rate, where the code has a tenth of it for the first epoch"},
        epochs=200,
        batch_size=128,
        learning_rate=0.1,
        optimizer=PLAIN,
        schedule=Schedule(kind="steps", milestones=(0.5, 0.75)),
        decay=PerKind.all(1e-4),
        first=FirstWeights(convolution="fan-in", linear="fan-in", bias="torch"),
        augmentation=PADDED,
    ),
)
