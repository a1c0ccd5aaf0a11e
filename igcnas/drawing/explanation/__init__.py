"""One block, with what the papers say of it as numbers: of the literature by name, or of any network."""

from igcnas.drawing.explanation.base import Explanation, Kind
from igcnas.drawing.explanation.fixed import (
    branches,
    depthwise,
    group,
    igcv1,
    igcv2,
    igcv3,
    mobilenetv2,
    regular,
    resnet,
    xception,
)
from igcnas.drawing.explanation.gated import dgc, msgc
from igcnas.drawing.explanation.learned import condensing, dgconv, flgc
from igcnas.drawing.explanation.network import block_of

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(name="dense", build=regular),
        Kind(name="regular", build=branches),
        Kind(name="group", build=group),
        Kind(name="depthwise", build=depthwise),
        Kind(name="xception", build=xception),
        Kind(name="igcv1", build=igcv1),
        Kind(name="igcv2", build=igcv2),
        Kind(name="igcv3", build=igcv3),
        Kind(name="mobilenetv2", build=mobilenetv2),
        Kind(name="resnet", build=resnet),
        Kind(name="flgc", build=flgc),
        Kind(name="dgconv", build=dgconv),
        Kind(name="condensing", build=condensing),
        Kind(name="msgc", build=msgc),
        Kind(name="dgc", build=dgc),
    )
}

__all__ = ["KINDS", "Explanation", "Kind", "block_of"]
