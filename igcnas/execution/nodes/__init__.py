"""The steps of a program, one kind a module: each runs forward, and backward after all that come behind it.

A step holds the values that it reads (as uses) and the value that it makes. Backward it takes the gradient of what it
made, adds to those of what it read, and gives the buffer back.
"""

from igcnas.execution.nodes.branches import Append, Sum
from igcnas.execution.nodes.convolution import Convolve
from igcnas.execution.nodes.gates import Gate
from igcnas.execution.nodes.node import Node
from igcnas.execution.nodes.pooling import Mean, Pooling, Sample
from igcnas.execution.nodes.views import Activate, Normalise, Permute

__all__ = ["Activate", "Append", "Convolve", "Gate", "Mean", "Node", "Normalise", "Permute", "Pooling", "Sample", "Sum"]
