"""Weights of public ports under their names: found, put where they belong, refused in one line where they do not fit.

The names are those of the public files that each function names; the order of a module's tensors is that of torch.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from igcnas.errors import TrainingError
from igcnas.modules.build import build
from igcnas.network.literature import FAMILIES
from igcnas.network.plan import plan
from igcnas.training.ports import PORTS, recognise
from igcnas.training.pretrained import load_pretrained
from igcnas.training.runs.weights import load_pretrained as load_file

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
INVERTED = ((1, 1), (6, 2), (6, 3), (6, 4), (6, 3), (6, 3), (6, 1))  # expansion and repeats of MobileNetV2


def conv(name: str) -> list[str]:
    return [f"{name}.weight"]


def norm(name: str) -> list[str]:
    return [f"{name}.{tensor}" for tensor in NORM]


def linear(name: str) -> list[str]:
    return [f"{name}.weight", f"{name}.bias"]


def resnet(
    repeats: tuple[int, ...], *, convs: int, shortcut: str, classifier: str, projected: tuple[int, ...]
) -> list[str]:
    """torchvision/models/resnet.py, pytorch-cifar/models/resnet.py, pytorch_resnet_cifar10/resnet.py."""
    names = conv("conv1") + norm("bn1")
    for layer, count in enumerate(repeats, 1):
        for block in range(count):
            at = f"layer{layer}.{block}"
            for number in range(1, convs + 1):
                names += conv(f"{at}.conv{number}") + norm(f"{at}.bn{number}")
            if block == 0 and layer in projected:
                names += conv(f"{at}.{shortcut}.0") + norm(f"{at}.{shortcut}.1")
    return names + linear(classifier)


def g_resnext(*, as_ours: bool) -> list[str]:
    """dgconv.pytorch/g_resnext.py and dgconv.py: the 3x3 convolution in a module with gates and two buffers."""
    names: list[str] = []
    for name in resnet((3, 4, 6, 3), convs=3, shortcut="downsample", classifier="fc", projected=(1, 2, 3, 4)):
        at = name.removesuffix(".weight")
        if not name.endswith(".conv2.weight"):
            names.append(name)
        elif as_ours:
            names += [f"{at}.conv.weight", f"{at}.gate"]
        else:
            names += [f"{at}.gate", f"{at}.D", f"{at}.I", f"{at}.conv.weight"]
    return names


def kuangliu_mobilenetv2() -> list[str]:
    """pytorch-cifar/models/mobilenetv2.py."""
    names = conv("conv1") + norm("bn1")
    number, width = 0, 32
    for (_, repeats), out, stride in zip(INVERTED, (16, 24, 32, 64, 96, 160, 320), (1, 1, 2, 2, 1, 2, 1), strict=True):
        for block in range(repeats):
            for part in (1, 2, 3):
                names += conv(f"layers.{number}.conv{part}") + norm(f"layers.{number}.bn{part}")
            if (block > 0 or stride == 1) and width != out:
                names += conv(f"layers.{number}.shortcut.0") + norm(f"layers.{number}.shortcut.1")
            number, width = number + 1, out
    return names + conv("conv2") + norm("bn2") + linear("linear")


def torchvision_mobilenetv2() -> list[str]:
    """torchvision/models/mobilenetv2.py."""
    names = conv("features.0.0") + norm("features.0.1")
    for number in range(1, 18):
        at = f"features.{number}.conv"
        names += conv(f"{at}.0.0") + norm(f"{at}.0.1")
        if number > 1:
            names += conv(f"{at}.1.0") + norm(f"{at}.1.1")
        last = 1 if number == 1 else 2
        names += conv(f"{at}.{last}") + norm(f"{at}.{last + 1}")
    return names + conv("features.18.0") + norm("features.18.1") + linear("classifier.1")


def flgc(*, as_ours: bool) -> list[str]:
    """fully-learnable-group-convolution.pytorch, models/mobilenet_v2.py and modules/flgc.py.

    There shortcuts come before the rest of a block, and assignments before the weight.
    """
    names = conv("features.0.0") + norm("features.0.1")
    widths = [
        32,
        *(out for (_, n), out in zip(INVERTED, (16, 24, 32, 64, 96, 160, 320), strict=True) for _ in range(n)),
    ]
    strided = {4, 7, 14}  # features that halve the image
    for number in range(1, 18):
        at = f"features.{number}"
        body = conv(f"{at}.conv.0.0") + norm(f"{at}.conv.0.1")
        if number > 1:
            body += conv(f"{at}.conv.1.0") + norm(f"{at}.conv.1.1")
        last = 1 if number == 1 else 2
        maps = [f"{at}.conv.{last}.{side}_channels_in_group_assignment_map" for side in ("in", "out")]
        weight = conv(f"{at}.conv.{last}.conv")
        body += (weight + maps if as_ours else maps + weight) + norm(f"{at}.conv.{last + 1}")
        shortcut: list[str] = []
        if number not in strided and widths[number - 1] != widths[number]:
            shortcut = conv(f"{at}.shortcut.0") + norm(f"{at}.shortcut.1")
        names += body + shortcut if as_ours else shortcut + body
    return names + conv("features.18.0") + norm("features.18.1") + linear("classifier")


def sequential(blocks: int, places: tuple[int, ...]) -> list[str]:
    """IGCV3-pytorch/IGCV3.py and MobileNetV2.py, SeesawNet_pytorch/cifar_test/baseline_version/IGCV3.py."""
    names = conv("features.0.0") + norm("features.0.1")
    for number in range(1, blocks + 1):
        for place in places:
            names += conv(f"features.{number}.conv.{place}") + norm(f"features.{number}.conv.{place + 1}")
    return names + conv(f"features.{blocks + 1}.0") + norm(f"features.{blocks + 1}.1") + linear("classifier.1")


def mg2033() -> list[str]:
    """MobileNet-V2/layers.py and model.py: the classifier is a 1x1 convolution."""
    names = conv("network.0.0") + norm("network.0.1")
    for number in range(1, 18):
        for place in (0, 3, 6):
            names += conv(f"network.{number}.block.{place}") + norm(f"network.{number}.block.{place + 1}")
        if number in (1, 2, 11, 17):  # stride 1 and another width
            names += conv(f"network.{number}.conv_res.0") + norm(f"network.{number}.conv_res.1")
    return names + conv("network.18.0") + norm("network.18.1") + linear("network.22")


def timm_mobilenetv2() -> list[str]:
    """timm/models/efficientnet.py, mobilenetv2_100."""
    names = conv("conv_stem") + norm("bn1")
    for stage, (expansion, repeats) in enumerate(INVERTED):
        for block in range(repeats):
            at = f"blocks.{stage}.{block}"
            for number, part in enumerate(
                ("conv_dw", "conv_pw") if expansion == 1 else ("conv_pw", "conv_dw", "conv_pwl"), 1
            ):
                names += conv(f"{at}.{part}") + norm(f"{at}.bn{number}")
    return names + conv("conv_head") + norm("bn2") + linear("classifier")


VISION = {"dataset": "imagenet", "classes": 10}
ROUNDED = {"shortcut": "identity", "always_expand": False, "head": "wider", "rounding": "eight"}
XXRADON = {"expand_activation": True, "permute_back": True, "rounding": "exact", "width": 0.5, "downsampling": 8}
BASIC = resnet((2, 2, 2, 2), convs=2, shortcut="downsample", classifier="fc", projected=(2, 3, 4))
BOTTLENECK = resnet((3, 4, 6, 3), convs=3, shortcut="downsample", classifier="fc", projected=(1, 2, 3, 4))
WIDE = [name.replace("downsample", "shortcut").replace("fc", "linear") for name in BASIC]
WIDE_50 = [name.replace("downsample", "shortcut").replace("fc", "linear") for name in BOTTLENECK]


def thin(repeats: int, projected: tuple[int, ...] = ()) -> list[str]:
    return resnet((repeats,) * 3, convs=2, shortcut="shortcut", classifier="linear", projected=projected)


class Case(NamedTuple):
    """port: how the name of the map begins. names: in our order; theirs: in the port's, if that is another.

    reference: the row of tests/data/reference-outputs.json that the authors' code gave for these weights.
    """

    port: str
    family: str
    parameters: dict[str, Any]
    names: list[str]
    theirs: list[str] | None = None
    reference: str = ""

    def __str__(self) -> str:
        return f"{self.port.split()[0]}-{self.reference or self.family}-{len(self.names)}"


CASES = (
    Case("torchvision or timm", "resnet", VISION, BASIC, reference="resnet-imagenet-18-torchvision"),
    Case("torchvision or timm", "resnet", {**VISION, "depth": 50, "width": 16}, BOTTLENECK),
    Case("torchvision or timm", "resnext", {"groups": 8, "classes": 10}, BOTTLENECK, reference="resnext-50-8x4d"),
    Case(
        "d-li14",
        "dg-resnext",
        {"depth": 50, "base": 1, "classes": 10},
        g_resnext(as_ours=True),
        g_resnext(as_ours=False),
        reference="dg-resnext-50-base1",
    ),
    Case("kuangliu/pytorch-cifar (R", "resnet", {"skeleton": "wide"}, WIDE, reference="resnet-wide-18-kuangliu"),
    Case("kuangliu/pytorch-cifar (R", "resnet", {"skeleton": "wide", "depth": 50, "width": 16}, WIDE_50),
    Case("akamaster", "resnet", {"depth": 20, "shortcut": "pad"}, thin(3), reference="resnet-thin-20-optionA"),
    Case("akamaster", "resnet", {"depth": 110, "shortcut": "pad"}, thin(18)),
    Case("akamaster", "resnet", {"depth": 8}, thin(1, projected=(2, 3)), reference="resnet-thin-8-optionB"),
    Case(
        "kuangliu/pytorch-cifar (M",
        "mobilenetv2",
        {"activation": "relu"},
        kuangliu_mobilenetv2(),
        reference="mobilenetv2-kuangliu",
    ),
    Case(
        "torchvision (M",
        "mobilenetv2",
        {**VISION, **ROUNDED, "width": 0.5},
        torchvision_mobilenetv2(),
        reference="mobilenetv2-torchvision-x0.5",
    ),
    Case(
        "Daniil-Osokin",
        "flgc-mobilenetv2",
        {"groups": 8, "balanced": False},
        flgc(as_ours=True),
        flgc(as_ours=False),
        reference="flgc-mobilenetv2-G8",
    ),
    Case("xxradon", "igcv3", XXRADON, sequential(32, (0, 4, 7)), reference="igcv3-xxradon-x0.5-ds8"),
    Case(
        "xxradon",
        "mobilenetv2",
        {"width": 0.5, "shortcut": "identity", "head": "wider"},
        sequential(17, (0, 3, 6)),
        reference="mobilenetv2-xxradon-x0.5",
    ),
    Case(
        "xxradon",
        "igcv3",
        {"permute_back": True, "downsampling": 4, "repeats": "1-2-3-4-3-3-1"},
        sequential(17, (0, 3, 6)),
    ),
    Case("MG2033", "mobilenetv2", {"width": 0.5}, mg2033(), reference="mobilenetv2-mg2033-x0.5-ds8"),
    Case("timm (M", "mobilenetv2", {**VISION, **ROUNDED}, timm_mobilenetv2()),
)
ROWS = {
    row["name"]: row for row in json.loads((Path(__file__).parent / "data/reference-outputs.json").read_text())["rows"]
}


def network(case: Case) -> nn.Module:
    torch.manual_seed(0)
    return build(plan(FAMILIES[case.family].build(**case.parameters))).double()


def stream(number: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Numbers in [-1, 1) by the rule of the reference outputs."""
    z = (np.arange(1, math.prod(shape) + 1, dtype=np.uint64) + np.uint64(number << 32)) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return torch.from_numpy((z >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0).reshape(shape)


def state_of(case: Case, own: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict of the port, in its order, filled by the rule of the reference outputs."""
    shapes = [tuple(tensor.shape) for name, tensor in own.items() if not name.endswith("gate_scale")]
    assert len(shapes) == len(case.names), f"{case}: {len(case.names)} tensors of the port, {len(shapes)} here"
    filled: dict[str, torch.Tensor] = {}
    number = 0
    for name, shape in zip(case.names, shapes, strict=True):
        if name.endswith("num_batches_tracked"):
            filled[name] = torch.zeros((), dtype=torch.int64)
            continue
        r, number = stream(number, shape), number + 1
        if name.endswith("running_mean"):
            r = 0.1 * r
        elif name.endswith("running_var"):
            r = 1 + 0.5 * r**2
        elif len(shape) > 1:
            r = r * (6 / math.prod(shape[1:])) ** 0.5
        else:
            r = 1 + 0.3 * r if name.endswith("weight") else 0.2 * r
        filled[name] = r[:, :, None, None] if name == "network.22.weight" else r
    return {name: filled.get(name, torch.eye(2)) for name in case.theirs or case.names}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_checkpoint_of_a_port_is_recognised_and_each_tensor_goes_where_it_belongs(case: Case) -> None:
    module = network(case)
    state = state_of(case, module.state_dict())
    port = recognise(state)
    assert port is not None
    assert port.name.startswith(case.port)
    missing = load_pretrained(module, state)
    assert all(name.endswith("gate_scale") for name in missing)
    own = [tensor for name, tensor in module.state_dict().items() if not name.endswith("gate_scale")]
    for name, tensor in zip(case.names, own, strict=True):
        assert torch.equal(tensor.flatten(), state[name].flatten()), name


@pytest.mark.parametrize("case", [case for case in CASES if case.reference], ids=str)
def test_a_loaded_checkpoint_answers_as_the_port_does(case: Case) -> None:
    module, row = network(case).eval(), ROWS[case.reference]
    load_pretrained(module, state_of(case, module.state_dict()))
    with torch.no_grad():
        found = module(2 * stream(1_000_000, tuple(row["input"]))).flatten()[:10]
    expected = torch.tensor(row["eval"], dtype=torch.float64)
    assert (found - expected).abs().max() <= row.get("tolerance", 1e-7) * expected.abs().max()


def test_no_two_maps_take_the_same_checkpoint() -> None:
    for case in CASES:
        takes = [
            port.name for port in PORTS if set(case.names) >= set(port.has) and not set(case.names) & set(port.lacks)
        ]
        assert len(takes) == 1, takes


@pytest.mark.parametrize("nest", ["state_dict", "net", "model", None])
def test_a_file_of_a_trainer_with_the_prefix_of_data_parallel_is_read(nest: str | None, tmp_path: Path) -> None:
    case = CASES[8]
    module = network(case).float()
    state = {name: tensor.float() for name, tensor in state_of(case, module.state_dict()).items()}
    state = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save(state if nest is None else {nest: state, "epoch": 3, "best_prec1": 91.7}, tmp_path / "model.th")
    said: list[str] = []
    load_file(tmp_path / "model.th", said.append)(module)
    assert torch.equal(module.state_dict()["stem.conv.weight"], state["module.conv1.weight"])
    assert "those of akamaster/pytorch_resnet_cifar10; nothing is missing" in said[0]


def other(case: Case, **parameters: Any) -> nn.Module:
    return network(case._replace(parameters=case.parameters | parameters))


def test_what_does_not_fit_is_one_line_with_the_port_the_tensor_and_both_shapes() -> None:
    thin_20 = CASES[6]
    state = state_of(thin_20, network(thin_20).state_dict())
    wide = (
        r"^conv1.weight of these weights of akamaster/\S+ has shape \(16, 3, 3, 3\), but stem.conv.weight of this "
        r"network needs \(8, 3, 3, 3\);[^\n]*$"
    )
    deep = r"^these weights of akamaster/\S+ lack layer1.3.conv1.weight \(here stage1.block4.residual[^\n]*$"
    flat = r"^these weights of akamaster/\S+ have layer1.2.conv1.weight, which this network has not;[^\n]*$"
    for module, words in (
        (other(thin_20, width=8), wide),
        (other(thin_20, depth=26), deep),
        (other(thin_20, depth=14), flat),
        (network(CASES[9]), r"^these weights of akamaster/\S+ lack stage1.\S+.expand.weight, which it has not;[^\n]*$"),
    ):
        with pytest.raises(TrainingError, match=words):
            load_pretrained(module, state)


def test_vanilla_weights_of_a_port_go_into_a_network_that_learns_its_groups() -> None:
    case = CASES[0]
    state = state_of(case, network(case).state_dict())
    module = build(plan(FAMILIES["msgc"].build(host="resnet18", classes=10))).double()
    missing = load_pretrained(module, state)
    assert missing
    assert all("_generator." in name or name.endswith(".measured") for name in missing)
    assert torch.equal(module.state_dict()["stage4.block2.residual.body.conv2.weight"], state["layer4.1.conv2.weight"])
