"""The recipes of the papers, all in one place. `source` says where each is from, `ours` what no source says.

A released code often says more than its paper; where both speak, the paper is followed and the code's way has a name of
its own.
"""

from __future__ import annotations

from igcnas.recipes.recipe import Augmentation, Optimizer, PerKind, Recipe, Schedule
from igcnas.settings import GroupingRules

_PLAIN = Optimizer(nesterov=False)
# An eighth of the height: 4 pixels for images of 32x32.
_PADDED = Augmentation()
_AREA = Augmentation(crop="area")
# Released MXNet training code: short side 256 to 480 for a crop of 224; hue by 36 of 180, saturation and lightness by
# 50 of 255.
_SHORT_SIDE = Augmentation(
    crop="short-side", scale=(256 / 224, 480 / 224), ratio=(0.75, 1.25), jitter=(50 / 255, 0.0, 50 / 255, 0.2)
)
_WEIGHTS_ONLY = PerKind(weights=1e-4, biases=1e-4, norms=0.0, deciding=0.0)
_IGC = "Zhang et al., ICCV 2017 (arXiv:1707.02725), released MXNet code"
_IGCV3 = "Sun et al., BMVC 2018 (arXiv:1806.00178), released MXNet code"
_CONDENSENET = "Huang et al., CVPR 2018 (arXiv:1711.09224), released code"
_DGC = "Su et al., ECCV 2020 (dynamic group convolution), released code"
_MSGC = "Su et al., TNNLS 2024 (arXiv:2304.06305), released code and scripts"
_FLGC = "Wang et al., CVPR 2019 (arXiv:1904.00346), as trained by the released third-party code (Osokin)"
_CROP_OURS = "crop and mirror (usual for these images; the notes we have do not say)"
_JITTER_OURS = "its jitter in HLS space as one of brightness, saturation and hue"
_STEPS_3 = (1 / 2, 3 / 4, 7 / 8)


def _condensing(name: str, source: str, *, imagenet: bool, grouping: GroupingRules) -> Recipe:
    return Recipe(
        name=name,
        source=source,
        ours=f"decay on all parameters alike; {_CROP_OURS}",
        epochs=120 if imagenet else 300,
        batch_size=256 if imagenet else 64,
        learning_rate=0.1,
        decay=PerKind(weights=1e-4, biases=1e-4, norms=1e-4, deciding=0.0),
        augmentation=_AREA if imagenet else _PADDED,
        grouping=grouping,
    )


def _msgc(name: str, epochs: int, *, imagenet: bool = True) -> Recipe:
    small = "the whole recipe on 32x32 images (the code trains on ImageNet); pad-4 crop"
    return Recipe(
        name=name,
        source=f"{_MSGC}: starts from trained vanilla weights (--pretrained)",
        ours="" if imagenet else small,
        epochs=epochs,
        batch_size=256,
        learning_rate=0.075,
        schedule=Schedule(kind="cosine-epoch"),
        decay=_WEIGHTS_ONLY,
        rates=(0.2, 0.2, 0.2),
        label_smoothing=0.1,
        augmentation=_AREA if imagenet else _PADDED,
        grouping=GroupingRules(learning_rate=5.0, hinge_weight=30.0, ramp_until=0.5),
    )


def _flgc(name: str, gradient: str, what: str) -> Recipe:
    return Recipe(
        name=name,
        source=f"{_FLGC}; {what}",
        epochs=400,
        batch_size=128,
        learning_rate=0.1,
        optimizer=_PLAIN,
        schedule=Schedule(kind="steps", milestones=(150 / 400, 250 / 400, 350 / 400)),
        decay=PerKind.all(4e-5),
        augmentation=_PADDED,
        grouping=GroupingRules(gradient=gradient),
    )


PAPER_RECIPES = (
    Recipe(
        name="igc-cifar",
        source=_IGC,
        epochs=400,
        batch_size=64,
        learning_rate=0.1,
        schedule=Schedule(kind="steps", milestones=_STEPS_3),
        decay=PerKind.all(1e-4),
        augmentation=Augmentation(fill="mean"),
    ),
    Recipe(
        name="igc-svhn",
        source=f"{_IGC}; SVHN, no augmentation",
        ours="batch, rate, schedule and decay as for CIFAR",
        epochs=40,
        batch_size=64,
        learning_rate=0.1,
        schedule=Schedule(kind="steps", milestones=_STEPS_3),
        decay=PerKind.all(1e-4),
        augmentation=Augmentation(crop="none", flip=False),
    ),
    Recipe(
        name="igc-imagenet",
        source=_IGC,
        ours=f"decay on all parameters, as its CIFAR code; {_JITTER_OURS}",
        epochs=120,
        batch_size=256,
        learning_rate=0.1,
        schedule=Schedule(kind="steps", milestones=(30 / 120, 60 / 120, 90 / 120)),
        decay=PerKind.all(1e-4),
        augmentation=_SHORT_SIDE,
    ),
    Recipe(
        name="igcv2-cifar",
        source="no code of Xie et al., CVPR 2018 (arXiv:1804.06202), was found; the recipe of IGC V1",
        ours="all",
        epochs=400,
        batch_size=64,
        learning_rate=0.1,
        schedule=Schedule(kind="steps", milestones=_STEPS_3),
        decay=PerKind.all(1e-4),
        augmentation=Augmentation(fill="mean"),
    ),
    Recipe(
        name="igcv3-cifar",
        source="Sun et al., BMVC 2018 (arXiv:1806.00178), as trained by a third-party port (cvtower)",
        ours="decay on all parameters alike",
        epochs=400,
        batch_size=64,
        learning_rate=0.1,
        optimizer=_PLAIN,
        schedule=Schedule(kind="steps", milestones=_STEPS_3),
        decay=PerKind.all(1e-4),
        dropout=0.5,
        augmentation=_PADDED,
    ),
    Recipe(
        name="igcv3-cifar-long",
        source="IGC V3 as trained by another third-party port (xxradon)",
        ours="decay on all parameters alike; no colour jitter",
        epochs=800,
        batch_size=156,
        learning_rate=0.1,
        optimizer=_PLAIN,
        schedule=Schedule(kind="exponential", factor=0.98),
        decay=PerKind.all(5e-4),
        dropout=0.5,
        augmentation=_PADDED,
    ),
    Recipe(
        name="igcv3-imagenet",
        source=_IGCV3,
        ours=f"decay on all parameters alike; {_JITTER_OURS}; aspect unchanged",
        epochs=480,
        batch_size=96,
        learning_rate=0.045,
        optimizer=_PLAIN,
        schedule=Schedule(kind="exponential", factor=0.98),
        decay=PerKind.all(4e-5),
        augmentation=Augmentation(
            crop="short-side", scale=_SHORT_SIDE.scale, ratio=(1.0, 1.0), jitter=_SHORT_SIDE.jitter
        ),
    ),
    Recipe(
        name="mobilenetv2-cifar",
        source="third-party code (kuangliu, pytorch-cifar); the paper (Sandler et al., CVPR 2018) has no CIFAR",
        ours=f"momentum 0.9 without Nesterov; decay on all parameters alike; {_CROP_OURS}",
        epochs=200,
        batch_size=128,
        learning_rate=0.1,
        optimizer=_PLAIN,
        schedule=Schedule(kind="cosine-epoch"),
        decay=PerKind.all(5e-4),
        augmentation=_PADDED,
    ),
    Recipe(
        name="mobilenetv2-cifar-350",
        source="users of the same third-party code, its issues 29 and 112: 94.0 % with this weight decay",
        ours=f"momentum 0.9 without Nesterov; decay on all parameters alike; {_CROP_OURS}",
        epochs=350,
        batch_size=128,
        learning_rate=0.1,
        optimizer=_PLAIN,
        schedule=Schedule(kind="steps", milestones=(150 / 350, 250 / 350)),
        decay=PerKind.all(4e-5),
        augmentation=_PADDED,
    ),
    Recipe(
        name="mobilenetv2-cifar-rmsprop",
        source="third-party code (MG2033): RMSprop, a random crop that cuts nothing, colour jitter 0.3",
        ours="smoothing 0.9 and momentum 0.9; decay on all parameters alike; mirrored; jitter of hue 0",
        epochs=800,
        batch_size=128,
        learning_rate=1e-4,
        optimizer=Optimizer(kind="rmsprop"),
        schedule=Schedule(kind="exponential", factor=0.98),
        decay=PerKind.all(5e-4),
        augmentation=Augmentation(crop="none", jitter=(0.3, 0.3, 0.3, 0.0)),
    ),
    _flgc("flgc-cifar", "full", "gradient of the assignment as in the paper"),
    _flgc("flgc-cifar-masked", "masked", "gradient only to the chosen entry, as in that code"),
    Recipe(
        name="dgconv-imagenet",
        source="Zhang et al., ICCV 2019 (arXiv:1908.05867), released third-party code: 120 epochs, cosine, MAC penalty",
        ours="batch 256, rate 0.1, Nesterov, decay 1e-4 on all but the gates; crop and mirror",
        epochs=120,
        batch_size=256,
        learning_rate=0.1,
        decay=PerKind(weights=1e-4, biases=1e-4, norms=1e-4, deciding=0.0),
        augmentation=_AREA,
        grouping=GroupingRules(ratio_exponent=0.02),
    ),
    _msgc("msgc-imagenet", 120),
    _msgc("msgc-mobilenetv2-imagenet", 150),
    _msgc("msgc-cifar", 120, imagenet=False),
    _condensing("dgc-cifar", _DGC, imagenet=False, grouping=GroupingRules(saliency_weight=1e-5)),
    _condensing("dgc-imagenet", _DGC, imagenet=True, grouping=GroupingRules(saliency_weight=1e-5)),
    _condensing("condensenet-cifar", _CONDENSENET, imagenet=False, grouping=GroupingRules()),
    _condensing("condensenet-imagenet", _CONDENSENET, imagenet=True, grouping=GroupingRules(group_lasso=1e-5)),
    Recipe(
        name="resnet-cifar",
        source="He et al., CVPR 2016 (arXiv:1512.03385), as trained by third-party code (akamaster)",
        ours=f"momentum 0.9 without Nesterov; decay on all parameters alike; {_CROP_OURS}",
        epochs=200,
        batch_size=128,
        learning_rate=0.1,
        optimizer=_PLAIN,
        schedule=Schedule(kind="steps", milestones=(0.5, 0.75)),
        decay=PerKind.all(1e-4),
        augmentation=_PADDED,
    ),
)

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
