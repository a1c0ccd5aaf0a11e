"""From a trained network to one of plain primitives: learned groups become gathers and group convolutions.

Training multiplies a dense weight by a learned mask, which saves nothing. Lowering sorts the channels by their group,
so that the weights that live are blocks: one group convolution where the groups are equal, else a split one.
`count_plan` of the result is what the network really costs. A learned module says itself what stands for
it (`LearnedModule.lowered`).
"""

from igcnas.modules.lowering.tree import EPSILON, Lowered, lower
from igcnas.modules.replacement import Replacement, lower_groups

__all__ = ["EPSILON", "Lowered", "Replacement", "lower", "lower_groups"]
