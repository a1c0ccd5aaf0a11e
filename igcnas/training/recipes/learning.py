"""The recipes of networks that learn their groups: FLGC, DGConv, MSGC, DGC, CondenseNet."""

from __future__ import annotations

import dataclasses

from igcnas.network.grouping.rules import GroupingRules
from igcnas.training.recipes.parts import FirstWeights, PerKind, Schedule
from igcnas.training.recipes.recipe import BESIDES, Recipe
from igcnas.training.recipes.usual import (
    AREA,
    IMAGES,
    MOBILE_FIRST,
    NETWORK,
    NO_DROPOUT,
    PADDED,
    PLAIN,
    RESNET_FIRST,
    RUN,
    STEP,
)

_CONDENSENET = "Huang et al., CVPR 2018 (arXiv:1711.09224), released code (ShichenLiu/CondenseNet)"
_DGC = "Su et al., ECCV 2020 (dynamic group convolution), released code (hellozhuo/dgc)"
_MSGC = "Su et al., TNNLS 2024 (arXiv:2304.06305), released code (hellozhuo/msgc): starts from trained vanilla weights "
_MSGC += "(--pretrained)"
_FLGC = "Wang et al., CVPR 2019 (arXiv:1904.00346), as trained by third-party code "
_FLGC += "(Daniil-Osokin/fully-learnable-group-convolution.pytorch)"
_DGCONV = "Zhang et al., ICCV 2019 (arXiv:1908.05867), as trained by third-party code (longxianlei/G-ResNeXt_GroupNet)"
_TEMPERATURES = ("grouping.temperature_start", "grouping.temperature_end")
_DENSE_FIRST = FirstWeights(convolution="fan-out", linear="torch", bias="zero")

_FLGC_CIFAR = Recipe(
    name="flgc-cifar",
    source=f"{_FLGC}; gradient of the assignment as in the paper",
    files={
        "train.py": (*RUN, *STEP, *IMAGES, "grouping.learning_rate"),
        "models/mobilenet_v2.py": NETWORK,
        "modules/flgc.py": _TEMPERATURES,
        "the paper, section 3": ("grouping.gradient",),
    },
    epochs=400,
    batch_size=128,
    learning_rate=0.1,
    optimizer=PLAIN,
    schedule=Schedule(kind="steps", milestones=(150 / 400, 250 / 400, 350 / 400)),
    decay=PerKind.all(4e-5),
    first=MOBILE_FIRST,
    augmentation=PADDED,
    grouping=GroupingRules(gradient="full"),
)

_HINGE = {"grouping.hinge_of": "MACs as they are measured after training; 'msgc' counts as the code does"}
_MSGC_IMAGENET = Recipe(
    name="msgc-imagenet",
    source=_MSGC,
    ours=_HINGE,
    files={
        "main_dist.py": (
            *("epochs", "learning_rate", *STEP, *IMAGES),
            *("grouping.learning_rate", "grouping.hinge_weight", "grouping.ramp_until"),
        ),
        "scripts.sh": ("batch_size",),
        "utils.py": ("schedule",),
        "models/net_config.py": ("grouping.gumbel_temperature",),
        "models/utils.py": ("grouping.noise_end",),
        "models/msgc_resnet.py": NETWORK,
    },
    epochs=120,
    batch_size=256,
    learning_rate=0.075,
    schedule=Schedule(kind="cosine-epoch"),
    decay=PerKind(weights=1e-4, biases=1e-4, norms=0.0, deciding=0.0),
    rates=(0.2, 0.2, 0.2),
    label_smoothing=0.1,
    first=RESNET_FIRST,
    augmentation=AREA,
    grouping=GroupingRules(learning_rate=5.0, hinge_weight=30.0, ramp_until=0.5),
)
_MSGC_MOBILE = {file: names for file, names in _MSGC_IMAGENET.files.items() if names != NETWORK} | {
    "scripts.sh": ("epochs", "batch_size"),
    "main_dist.py": tuple(name for name in _MSGC_IMAGENET.files["main_dist.py"] if name != "epochs"),
    "models/msgc_mobilenetv2.py": NETWORK,
}
_SMALL = "the code trains on ImageNet alone"

_DGC_RULES = ("grouping.dgc_from", "grouping.dgc_until", "norm")
_DGC_CIFAR = Recipe(
    name="dgc-cifar",
    source=_DGC,
    files={
        "README.md": ("epochs", "batch_size"),
        "main.py": ("learning_rate", *STEP, *IMAGES, "grouping.saliency_weight"),
        "utils.py": ("schedule",),
        "layers.py": _DGC_RULES,
        "models/dynamic_densenet.py": (*NO_DROPOUT, "first"),
    },
    epochs=300,
    batch_size=64,
    learning_rate=0.1,
    decay=PerKind.all(1e-4),
    first=_DENSE_FIRST,
    augmentation=PADDED,
    grouping=GroupingRules(saliency_weight=1e-5),
)
_CONDENSENET_CIFAR = Recipe(
    name="condensenet-cifar",
    source=_CONDENSENET,
    files={
        "script.sh": ("epochs", "batch_size"),
        "main.py": ("learning_rate", *STEP, *IMAGES, "grouping.group_lasso"),
        "utils.py": ("schedule",),
        "layers.py": ("grouping.condense_until", "norm"),
        "models/condensenet.py": (*NO_DROPOUT, "first"),
    },
    epochs=300,
    batch_size=64,
    learning_rate=0.1,
    decay=PerKind.all(1e-4),
    first=_DENSE_FIRST,
    augmentation=PADDED,
    grouping=GroupingRules(),
)

LEARNING = (
    _FLGC_CIFAR,
    dataclasses.replace(
        _FLGC_CIFAR,
        name="flgc-cifar-masked",
        source=f"{_FLGC}; gradient only to the chosen entry, as in that code",
        files={
            **{file: names for file, names in _FLGC_CIFAR.files.items() if not file.startswith("the paper")},
            "modules/flgc.py": (*_TEMPERATURES, "grouping.gradient"),
        },
        grouping=GroupingRules(gradient="masked"),
    ),
    Recipe(
        name="dgconv-imagenet",
        source=_DGCONV,
        files={
            "train.py": (*RUN, *STEP, *IMAGES, "grouping.learning_rate", "grouping.ratio_exponent"),
            "g_resnext.py": (*NETWORK, "grouping.ratio_of"),
            "dgconv.py": ("grouping.gate_scale",),
        },
        epochs=120,
        batch_size=256,
        learning_rate=0.1,
        decay=PerKind.all(1e-4),
        first=RESNET_FIRST,
        augmentation=AREA,
        grouping=GroupingRules(ratio_exponent=0.02),
    ),
    _MSGC_IMAGENET,
    dataclasses.replace(
        _MSGC_IMAGENET, name="msgc-mobilenetv2-imagenet", files=_MSGC_MOBILE, epochs=150, first=MOBILE_FIRST
    ),
    dataclasses.replace(
        _MSGC_IMAGENET,
        name="msgc-cifar",
        files=_MSGC_IMAGENET.files
        | {"main_dist.py": (*STEP, "learning_rate", *_MSGC_IMAGENET.files["main_dist.py"][-3:])},
        ours=_HINGE
        | {"epochs": _SMALL, "batch_size": _SMALL, "augmentation": "pad-4 crop and mirror, as usual; " + _SMALL},
        augmentation=PADDED,
    ),
    _DGC_CIFAR,
    dataclasses.replace(
        _DGC_CIFAR,
        name="dgc-imagenet",
        ours={BESIDES: "the bias of the classifier starts at 0 on ResNet-18, too, where the code leaves it to torch"},
        epochs=120,
        batch_size=256,
        augmentation=AREA,
    ),
    _CONDENSENET_CIFAR,
    dataclasses.replace(
        _CONDENSENET_CIFAR,
        name="condensenet-imagenet",
        files={
            "main.py": (*("epochs", "batch_size", "learning_rate"), *STEP, *IMAGES),
            "README.md": ("grouping.group_lasso",),
            "utils.py": ("schedule",),
            "layers.py": ("grouping.condense_until", "norm"),
            "models/condensenet.py": (*NO_DROPOUT, "first"),
        },
        epochs=120,
        batch_size=256,
        augmentation=AREA,
        grouping=GroupingRules(group_lasso=1e-5),
    ),
)
