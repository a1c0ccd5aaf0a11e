"""hubconf.py: what torch.hub looks for in a folder, so that one line loads the network of an export."""

from __future__ import annotations

SOURCE = '''"""Loads the network of this folder: torch.hub.load(FOLDER, "model", source="local")."""

import importlib.util
import sys
from pathlib import Path

dependencies = ["torch"]


def model(pretrained: bool = True):
    """The network, trained and ready for inference, or with random weights; images are float (B, C, H, W) in [0, 1]."""
    path = Path(__file__).resolve().with_name("model.py")
    name = f"model_{abs(hash(str(path)))}"  # of its own: several exports may be loaded
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module.load() if pretrained else module.build()
'''
