"""igcnas: neural architecture search for interleaved group convolution networks under a compute budget.

One wing holds what its name says, and imports the wings before it alone: system, statistics, network, data, modules,
execution, drawing, export, runtime, training, search, results, cli, api. Importing this package loads neither torch nor
optuna; the Python interface (docs/python.md) is loaded when one of its names is asked for.
"""

from typing import Any

from igcnas.errors import IgcnasError
from igcnas.moved import install
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.cost import Cost, count
from igcnas.network.plan import Plan, plan

__version__ = "0.1.0"

install()

# The public names that are loaded when they are asked for (type checkers read __init__.pyi); `search` is the package
# igcnas.search, which can be called.
_LATER = {
    "Callback": "igcnas.search.callbacks",
    "MLflow": "igcnas.api.trackers",
    "TensorBoard": "igcnas.api.trackers",
    "WandB": "igcnas.api.trackers",
    "load": "igcnas.api.network",
    "open_study": "igcnas.api.searching",
}

__all__ = [
    "Architecture",
    "Callback",
    "Cost",
    "IgcnasError",
    "MLflow",
    "Plan",
    "Stage",
    "TensorBoard",
    "WandB",
    "__version__",
    "count",
    "load",
    "open_study",
    "plan",
    "search",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "search":
        return import_module("igcnas.search")
    if name not in _LATER:
        raise AttributeError(f"module 'igcnas' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
