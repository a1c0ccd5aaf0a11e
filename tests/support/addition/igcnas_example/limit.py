"""A limit: the values of the largest feature map, which a small device must hold at once."""

from igcnas.network.budget import Limit
from igcnas.network.plan import Plan
from igcnas.network.primitives import Norm


def largest_map(network: Plan) -> int:
    """Channels times pixels, where it is largest. It does not fall as the network gets wider."""
    norms = [layer for _, layer in network.layers() if isinstance(layer, Norm)]
    return max(layer.channels * layer.size[0] * layer.size[1] for layer in norms)


LARGEST_MAP = Limit(
    name="map",
    option="map",
    size=1.0,
    words="values of the largest feature map",
    unit="values",
    shown_size=1.0,
    letter="values",
    of=largest_map,
)
