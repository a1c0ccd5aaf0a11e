"""From a trained network to one of plain primitives: learned groups become gathers and group convolutions.

Training multiplies a dense weight by a learned mask, which saves nothing. Lowering sorts the channels by their group,
so that the weights that live are blocks: one group convolution where the groups are equal, else a split one.
`count_plan` of the result is what the network really costs. One module a kind of grouping, listed in rules.py.
"""

from igcnas.modules.lowering.flgc import lower_groups
from igcnas.modules.lowering.replacement import Replacement
from igcnas.modules.lowering.tree import Lowered, lower

__all__ = ["Lowered", "Replacement", "lower", "lower_groups"]
