"""igcnas draw: every source of networks, the numbers it prints, and mistakes in one line."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from igcnas.architecture import Architecture, Stage
from igcnas.blocks import BasicBlock, Bottleneck, InvertedResidual
from igcnas.cli import main
from igcnas.cost import count
from igcnas.data import load_dataset
from igcnas.drawing.learned import module_connections
from igcnas.export import export_network
from igcnas.grouping import DENSE, KroneckerGrouping, LearnedGrouping, MultiSpectral
from igcnas.literature import FAMILIES
from igcnas.lowering import lower
from igcnas.network import build
from igcnas.plan import plan
from igcnas.recipes import short_settings
from igcnas.records import proposal_attributes
from igcnas.settings import TrainingSettings
from igcnas.study import DataSettings, StudySettings, open_study, trial_folder
from igcnas.training import TrainingData, train
from igcnas.training.checkpoint import write_weights

FLGC = InvertedResidual(expansion=2, expand=LearnedGrouping(groups=2), project=LearnedGrouping(groups=2))
DGCONV = Bottleneck(mid=8, spatial=KroneckerGrouping(groups=4))
MSGC = BasicBlock(grouping=MultiSpectral(heads=2))


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def numbers(capsys: pytest.CaptureFixture[str], *words: object) -> dict:
    assert main(["draw", *map(str, words), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert Path(printed["picture"]).stat().st_size > 1000
    return printed
