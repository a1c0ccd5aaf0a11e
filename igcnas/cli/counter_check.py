"""A network counted by ptflops, beside what igcnas counts: learned grouping in the form that training leaves behind."""

from __future__ import annotations

from igcnas.errors import IgcnasError
from igcnas.network.cost import count_plan
from igcnas.network.plan import Plan
from igcnas.network.primitives import Convolution, GatedConvolution, Linear
from igcnas.network.upstream import positions
from igcnas.system.extras import extra

_MOST_MACS, _MOST_PIXELS = 10**11, 2**22


def is_learned(network: Plan) -> bool:
    """Whether training decides some layer of it, so that its own module holds dense weights."""
    return any(
        (isinstance(layer, Convolution) and layer.learned is not None)
        or (isinstance(layer, Linear) and layer.factor > 1)
        for _, layer in network.layers()
    )


def check(network: Plan) -> dict[str, int]:
    """What ptflops counts on the torch module, and the MACs and biases that it must see.

    Learned grouping: the module is lowered as after training, with the groups that random weights make, so that free
    groups have another count than is expected of them. Where each image masks its channels, ptflops sees what the masks
    multiply by zero, and all of it is expected.
    """
    ptflops = extra("ptflops", what="igcnas count --check")
    _, height, width = network.input_shape
    if height * width > _MOST_PIXELS or count_plan(network).macs > _MOST_MACS:
        raise IgcnasError(
            f"--check runs the network: at most {_MOST_MACS:,} MACs and images of {_MOST_PIXELS:,} pixels; leave it out"
        )
    import torch

    from igcnas.modules.build import build
    from igcnas.modules.layers import LearnedModule
    from igcnas.modules.lowering import lower

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = build(network)
    if is_learned(network):
        for layer in module.modules():
            if isinstance(layer, LearnedModule):
                layer.finish()
        lowered = lower(network, module)
        network, module = lowered.plan, build(lowered.plan)
        module.load_state_dict(lowered.state)
    counted, _ = ptflops.get_model_complexity_info(
        module.eval(),
        network.input_shape,
        as_strings=False,
        print_per_layer_stat=False,
        backend="aten",  # its default has changed between releases
    )
    total = count_plan(network)
    return {"ptflops_aten": int(counted), "ptflops_expected": total.macs + total.bias_outputs + _masked_away(network)}


def _masked_away(network: Plan) -> int:
    """MACs that masks save: a counter of dense operations sees them."""
    gated = [layer for _, layer in network.layers() if isinstance(layer, GatedConvolution)]
    dense = sum(layer.in_channels * layer.out_channels * positions(layer) for layer in gated)
    return dense - sum(layer.macs for layer in gated)
