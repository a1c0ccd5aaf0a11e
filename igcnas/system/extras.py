"""Packages that one command alone needs, and how to get them.

They are extras of the package (pyproject.toml), so that whoever only searches installs less.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from igcnas.errors import MissingExtraError

# module: (package, extra)
EXTRAS = {
    "argcomplete": ("argcomplete", "completion"),
    "ptflops": ("ptflops", "check"),
    "tensorboardX": ("tensorboardX", "tensorboard"),
    "optuna_dashboard": ("optuna-dashboard", "dashboard"),
    "mlflow.tracking": ("mlflow-skinny", "mlflow"),
    "psycopg": ("psycopg", "postgresql"),
    "wandb": ("wandb", "wandb"),
    "ray": ("ray", "ray"),
}


def extra(module: str, *, what: str) -> ModuleType:
    """The module, for `what`; MissingExtraError where it is not installed."""
    package, name = EXTRAS[module]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (
            error.name != module and error.name != module.partition(".")[0]
        ):  # it is there, and broken: that is another matter
            raise
        raise MissingExtraError(f'{what} needs {package}: pip install "igcnas[{name}]"') from None
