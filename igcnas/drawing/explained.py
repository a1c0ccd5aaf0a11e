"""The picture that `igcnas explain` draws: a block with numbered channels, and how many paths join them."""

from __future__ import annotations

from igcnas.drawing.counts import counts_scene
from igcnas.drawing.explanation import Explanation
from igcnas.drawing.layout import block_scene
from igcnas.drawing.scene import Scene, beside
from igcnas.drawing.sketch import compute_sketch


def explained_scene(block: Explanation) -> Scene:
    """The block on the left, its matrix of path counts on the right."""
    sketch = compute_sketch(block, whole=True)
    return beside([block_scene(sketch, numbered=True), counts_scene(block.counts())])
