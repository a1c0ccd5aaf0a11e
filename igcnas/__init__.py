"""igcnas: neural architecture search for interleaved group convolution networks under a compute budget.

The core (architecture, plan, cost, literature, space, pareto) needs neither torch nor optuna; importing this package
loads only the core.
"""

from igcnas.architecture import Architecture, Stage
from igcnas.cost import Cost, count
from igcnas.errors import IgcnasError
from igcnas.plan import Plan, plan

__version__ = "0.1.0"

__all__ = ["Architecture", "Cost", "IgcnasError", "Plan", "Stage", "__version__", "count", "plan"]
