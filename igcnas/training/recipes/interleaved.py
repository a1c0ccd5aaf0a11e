"""The recipes of IGC V1, V2 and V3."""

from __future__ import annotations

import dataclasses

from igcnas.data.augmentation import Augmentation
from igcnas.training.recipes.parts import FirstWeights, NormConstants, PerKind, Schedule
from igcnas.training.recipes.recipe import BESIDES, Recipe
from igcnas.training.recipes.usual import (
    IMAGES,
    JITTER_OURS,
    MOBILE_FIRST,
    NETWORK,
    NO_DROPOUT,
    PADDED,
    PLAIN,
    RUN,
    SHORT_SIDE,
    STEP,
    STEPS_3,
    all_ours,
)

_IGC = "Zhang et al., ICCV 2017 (arXiv:1707.02725), released MXNet code (hellozting/InterleavedGroupConvolutions)"
_IGCV3 = "Sun et al., BMVC 2018 (arXiv:1806.00178)"
_BIASED = "running variances are unbiased, as torch's; MXNet's are not"
# MXNet's momentum is the share that stays, 0.99 without shortcuts and 0.9 with them.
_NORM = NormConstants(epsilon=2e-5, momentum=0.01, residual_momentum=0.1)
# MXNet's Xavier: gaussian, of magnitude 2 by the inputs; for the linear layer uniform, of magnitude 1.
_FIRST = FirstWeights(convolution="fan-in", linear="torch", bias="zero")

_CIFAR = Recipe(
    name="igc-cifar",
    source=_IGC,
    files={
        "options.py": RUN,
        "train_model.py": ("optimizer", "rates", "gradient_clip", *IMAGES, "first"),
        "utility.py": ("decay",),
        "network/plain_igc.py": ("label_smoothing", *NO_DROPOUT, "norm.epsilon", "norm.momentum"),
        "network/resnet_igc.py": ("norm.residual_momentum",),
    },
    ours={BESIDES: _BIASED},
    epochs=400,
    batch_size=64,
    learning_rate=0.1,
    schedule=STEPS_3,
    decay=PerKind.all(1e-4),
    norm=_NORM,
    first=_FIRST,
    augmentation=Augmentation(fill="mean"),
)

INTERLEAVED = (
    _CIFAR,
    dataclasses.replace(
        _CIFAR,
        name="igc-svhn",
        source=f"{_IGC}; SVHN, no augmentation",
        files=_CIFAR.files | {"options.py": (*RUN, *IMAGES)},
        epochs=40,
        augmentation=Augmentation(crop="none", flip=False),
    ),
    Recipe(
        name="igc-imagenet",
        source=_IGC,
        files={
            "train_imagenet.py": (*RUN, "optimizer", "decay", "rates", "gradient_clip", *IMAGES, "first"),
            "network/resnet_igc_imgnet_d18.py": ("label_smoothing", *NO_DROPOUT, "norm"),
        },
        ours={"augmentation.jitter": JITTER_OURS, BESIDES: _BIASED},
        epochs=120,
        batch_size=256,
        learning_rate=0.1,
        schedule=Schedule(kind="steps", milestones=(30 / 120, 60 / 120, 90 / 120)),
        decay=PerKind.all(1e-4),
        norm=NormConstants(epsilon=2e-5, momentum=0.1),
        first=_FIRST,
        augmentation=SHORT_SIDE,
    ),
    Recipe(
        name="igcv2-cifar",
        source="no code of Xie et al., CVPR 2018 (arXiv:1804.06202), was found; the recipe of IGC V1",
        ours=all_ours("as for IGC V1"),
        epochs=400,
        batch_size=64,
        learning_rate=0.1,
        schedule=STEPS_3,
        decay=PerKind.all(1e-4),
        norm=_NORM,
        first=_FIRST,
        augmentation=Augmentation(fill="mean"),
    ),
    Recipe(
        name="igcv3-cifar",
        source=f"{_IGCV3}, as trained by a third-party port (cvtower/SeesawNet_pytorch, cifar_test/baseline_version)",
        files={
            "config/cifar100_test_exp_cv3.json": ("epochs", "batch_size", "learning_rate"),
            "issue 3 of xxradon/IGCV3-pytorch": ("schedule",),
            "train.py": STEP,
            "IGCV3.py": NETWORK,
            "cifar100data.py": IMAGES,
        },
        epochs=400,
        batch_size=64,
        learning_rate=0.1,
        optimizer=PLAIN,
        schedule=STEPS_3,
        decay=PerKind.all(1e-4),
        dropout=0.5,
        first=MOBILE_FIRST,
        augmentation=PADDED,
    ),
    Recipe(
        name="igcv3-cifar-long",
        source=f"{_IGCV3}, as trained by another third-party port (xxradon/IGCV3-pytorch)",
        files={
            "config/cifar10_test_exp.json": ("epochs", "batch_size", "learning_rate", "schedule.factor"),
            "train.py": ("schedule", *STEP),
            "IGCV3.py": NETWORK,
            "cifar10data.py": IMAGES,
        },
        ours={BESIDES: "no colour jitter on CIFAR-100, where the code has it"},
        epochs=800,
        batch_size=156,
        learning_rate=0.1,
        optimizer=PLAIN,
        schedule=Schedule(kind="exponential", factor=0.98),
        decay=PerKind.all(5e-4),
        dropout=0.5,
        first=MOBILE_FIRST,
        augmentation=PADDED,
    ),
    Recipe(
        name="igcv3-imagenet",
        source=f"{_IGCV3}, released MXNet code (homles11/IGCV3)",
        files={
            "train_imagenet.py": RUN,
            # MXNet's sgd decays what ends in _weight or _gamma, and nothing else.
            "common/fit.py": ("optimizer", "decay", "rates", "gradient_clip", "first"),
            "common/data.py": IMAGES,
            "symbols/igcv3.py": ("label_smoothing", *NO_DROPOUT, "norm"),
        },
        ours={
            "augmentation.jitter": JITTER_OURS,
            BESIDES: f"the rate multiplies the velocity, where MXNet's sgd has it inside; {_BIASED}; images are "
            "divided by their standard deviation, too",
        },
        epochs=480,
        batch_size=96,
        learning_rate=0.045,
        optimizer=PLAIN,
        schedule=Schedule(kind="exponential", factor=0.98),
        decay=PerKind(weights=4e-5, biases=0.0, norms=4e-5, shifts=0.0, deciding=4e-5),
        first=FirstWeights(convolution="fan-in", linear="fan-in", bias="zero"),
        augmentation=dataclasses.replace(SHORT_SIDE, ratio=(1.0, 1.0)),
    ),
)
