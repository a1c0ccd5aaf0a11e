"""igcnas: neural architecture search for interleaved group convolution networks under a compute budget.

One wing holds what its name says, and imports the wings before it alone: system, statistics, network, data, modules,
execution, drawing, export, training, search, results, cli. Importing this package loads neither torch nor optuna.
"""

from igcnas.errors import IgcnasError
from igcnas.moved import install
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.cost import Cost, count
from igcnas.network.plan import Plan, plan

__version__ = "0.1.0"

install()

__all__ = ["Architecture", "Cost", "IgcnasError", "Plan", "Stage", "__version__", "count", "plan"]
