"""igcnas draw: every source of networks, the numbers it prints, and mistakes in one line."""

from __future__ import annotations

import json
import shlex
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from support.real_studies import unpack

from igcnas.cli import main
from igcnas.data.loading import load_dataset
from igcnas.drawing.learned import module_connections
from igcnas.export.folder import export_network
from igcnas.modules.build import build
from igcnas.modules.lowering import lower
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, Bottleneck, DenseLayer, InvertedResidual
from igcnas.network.cost import count, count_plan
from igcnas.network.grouping import DENSE, Condensing, KroneckerGrouping, LearnedGrouping, MultiSpectral
from igcnas.network.literature import FAMILIES
from igcnas.network.plan import plan
from igcnas.search.folder import guard_settings, open_study, trial_folder
from igcnas.search.records import proposal_attributes
from igcnas.search.settings import DataSettings, StudySettings
from igcnas.search.space import load_space
from igcnas.training.checkpoint import write_weights
from igcnas.training.recipes import short_recipe
from igcnas.training.runs.settings import RunDataSettings, RunSettings
from igcnas.training.runs.weights import BEST, Checkpoint
from igcnas.training.settings import TrainingSettings
from igcnas.training.settling import settled_scores
from igcnas.training.tensors import TrainingData
from igcnas.training.trainer import train

FLGC = InvertedResidual(expansion=2, expand=LearnedGrouping(groups=2), project=LearnedGrouping(groups=2))
BLOCKS = {
    "plain": InvertedResidual(expansion=2, expand=DENSE, project=DENSE),
    "flgc": FLGC,
    "dgconv": Bottleneck(mid=8, spatial=KroneckerGrouping(groups=4)),
    "condensing": DenseLayer(reduce=Condensing(groups=2, factor=2)),
    "msgc": BasicBlock(grouping=MultiSpectral(heads=2)),
}
NUMBER = {name: number for number, name in enumerate(BLOCKS)}
TRAINING = TrainingSettings(epochs=1, learning_rate=0.6, engine="eager")
ACCURACY = {"flgc": 95.0}


def network(block) -> Architecture:
    return Architecture(
        family="test",
        input_shape=(1, 8, 8),
        num_classes=10,
        stem_channels=8,
        stages=(Stage(block=block, width=8, repeats=2, stride=2),),
    )


@pytest.fixture(scope="module")
def studies(tmp_path_factory) -> Path:
    """A study 'small' of five networks, each trained for an epoch on the digits, and one that was pruned."""
    folder = tmp_path_factory.mktemp("studies") / "small"
    folder.mkdir()
    dataset = load_dataset("digits")
    settings = StudySettings(
        space=load_space("igcv1").to_dict(),
        space_path="",
        budget_macs=10_000_000,
        objective="accuracy",
        sampler="random",
        baselines=False,
        seed=0,
        data=DataSettings.of(dataset, TRAINING, spec="digits", data_dir=None, image_size=None),
        training=TRAINING,
    )
    guard_settings(folder, settings)
    study = open_study(folder, create_for=settings)
    data = TrainingData.of(dataset, TRAINING, torch.device("cpu"))
    for name, block in [*BLOCKS.items(), ("pruned", FLGC)]:
        architecture = network(block)
        cost = count(architecture)
        attributes = proposal_attributes(
            architecture,
            macs=cost.macs,
            params=cost.params,
            target=cost.macs,
            baseline=None,
            seed=TRAINING.network_seed(architecture.id),
            epochs=1,
        )
        state = optuna.trial.TrialState.PRUNED if name == "pruned" else optuna.trial.TrialState.COMPLETE
        attributes |= {"val_accuracy": ACCURACY.get(name, 50.0), "curve": [[1, 1.0, 50.0]]}
        values = None if name == "pruned" else [attributes["val_accuracy"]]
        study.add_trial(optuna.trial.create_trial(values=values, state=state, user_attrs=attributes))
        if name != "pruned":
            module = train(architecture, data, TRAINING).network
            settled_scores(plan(architecture), module, data)
            place = trial_folder(folder, NUMBER[name])
            place.mkdir(parents=True)
            write_weights(place / "weights.safetensors", module.state_dict(), {})
    return folder.parent


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def numbers(capsys: pytest.CaptureFixture[str], *words: object) -> dict:
    assert main(["draw", *map(str, words), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert Path(printed["picture"]).stat().st_size > 1000
    return printed


def trained_module(studies: Path, name: str):
    architecture = network(BLOCKS[name])
    module = build(plan(architecture))
    module.load_state_dict(load_file(trial_folder(studies / "small", NUMBER[name]) / "weights.safetensors"))
    return architecture, module


# Of the literature.


def test_a_block_of_the_literature_is_drawn(capsys):
    printed = numbers(capsys, "igcv1", "L=24", "M=2")
    assert printed["network"] is None
    (block,) = printed["blocks"]
    assert block["condition"] == "strict"
    assert [place["parts"] for place in block["places"]] == [24, 24, 2, 2, 24]
    root = ElementTree.parse("draw-igcv1.svg").getroot()
    assert root[0].text == "IGC V1 block, L = 24, M = 2"


def test_a_family_is_drawn_as_a_strip_with_each_other_block(capsys):
    printed = numbers(capsys, "igc", "L=24", "M=2", "depth=20", "--out", "igc.png")
    total = count(FAMILIES["igc"].build())
    assert sum(part["macs"] for part in printed["network"]["parts"]) == printed["network"]["macs"] == total.macs
    assert sum(part["params"] for part in printed["network"]["parts"]) == total.params
    assert [block["stage"] for block in printed["blocks"]] == [1, 2, 3]
    assert Image.open("igc.png").size[1] > 1500
    assert [block["stage"] for block in numbers(capsys, "igcv3", "--what", "all")["blocks"]] == [1, 2]


@pytest.mark.parametrize(
    ("words", "network_drawn"),
    [
        ("igcv3", False),
        ("igcv3 expansion=2", False),
        ("igcv3 --what block", False),
        ("igcv3 --what network", True),
        ("igcv3 --stage 2", True),
        ("igcv3 width=0.5", True),
        ("regconv", True),
    ],
)
def test_a_name_of_a_block_and_a_family_is_the_block_unless_something_says_otherwise(capsys, words, network_drawn):
    assert (numbers(capsys, *words.split())["network"] is not None) == network_drawn


def test_one_stage_and_one_kind_of_picture_can_be_asked_for(capsys):
    printed = numbers(capsys, "igc", "--stage", 2, "--what", "block")
    assert printed["network"] is None
    assert [block["title"] for block in printed["blocks"]] == ["IGC V1 block, L = 24, M = 4"]


def test_the_text_has_the_parts_and_their_sum(capsys):
    assert main(["draw", "igc", "--out", "x.pdf"]) == 0
    printed = capsys.readouterr().out
    lines = [line.split() for line in printed.splitlines()]
    assert ["stage", "2", "6", "96", "16x16", "8,404,992", "33,984"] in lines
    assert ["network", "28,755,840", "155,962"] in lines
    assert printed.endswith("picture: x.pdf\n")


# Of a study, a training, an export, a file.


def test_the_best_network_of_a_study_is_drawn_if_none_is_named(capsys, studies):
    printed = numbers(capsys, "small", "--studies-dir", studies)
    assert printed["name"] == f"small-{NUMBER['flgc']:05d}"
    assert printed["name"] == numbers(capsys, studies / "small")["name"]


@pytest.mark.parametrize("name", ["flgc", "dgconv", "condensing"])
def test_connections_before_and_after_are_those_of_the_weights(capsys, studies, name):
    architecture, module = trained_module(studies, name)
    printed = numbers(capsys, "small", "--studies-dir", studies, "--trial", NUMBER[name])
    after = module_connections(module)
    torch.manual_seed(TRAINING.network_seed(architecture.id))
    before = module_connections(build(plan(architecture)))
    shown = printed["connections"]
    assert [layer["layer"] for layer in shown] == [path for path in after if ".block2." in path]
    for layer in shown:
        assert np.array_equal(layer["after"]["values"], after[layer["layer"]].values)
        assert np.array_equal(layer["before"]["values"], before[layer["layer"]].values)
        assert layer["before"]["what"] == "before training"
    lowered = count_plan(lower(plan(architecture), module).plan)
    assert (printed["network"]["macs"], printed["network"]["params"]) == (lowered.macs, lowered.params)
    assert printed["network"]["trained"]


def test_the_weights_before_training_are_those_that_training_started_from(studies):
    dataset = load_dataset("digits")
    data = TrainingData.of(dataset, TRAINING, torch.device("cpu"))
    architecture = network(FLGC)
    started = train(architecture, data, TrainingSettings(epochs=1, learning_rate=1e-9, engine="eager")).network
    torch.manual_seed(TRAINING.network_seed(architecture.id))
    rebuilt = module_connections(build(plan(architecture)))
    for path, state in module_connections(started).items():
        assert np.array_equal(state.values, rebuilt[path].values)


def test_shares_of_images_are_of_the_validation_images_and_say_so(capsys, studies):
    _, module = trained_module(studies, "msgc")
    printed = numbers(capsys, "small", "--studies-dir", studies, "--trial", NUMBER["msgc"], "--what", "connections")
    data = TrainingData.of(load_dataset("digits"), TRAINING, torch.device("cpu"))
    images = data.normalize(data.validation.images)
    assert printed["note"] == f"Shares are of {len(images)} validation images."
    after = module_connections(module, images)
    for layer in printed["connections"]:
        assert np.allclose(layer["after"]["values"], after[layer["layer"]].values)


def test_gated_layers_are_left_out_where_the_data_has_changed(capsys, studies, tmp_path):
    folder = tmp_path / "changed"
    shutil.copytree(studies / "small", folder)
    settings = json.loads((folder / "settings.json").read_text())
    settings["data"]["fingerprint"] = "other"
    (folder / "settings.json").write_text(json.dumps(settings))
    printed = numbers(capsys, folder, "--trial", NUMBER["msgc"])
    assert printed["connections"] == []
    assert "the data of the study has changed" in printed["note"]


def test_a_network_without_weights_is_drawn_as_planned(capsys, studies):
    printed = numbers(capsys, "small", "--studies-dir", studies, "--trial", len(BLOCKS))
    assert printed["network"]["macs"] == count(network(FLGC)).macs
    assert not printed["network"]["trained"]
    assert printed["note"] == "Network 5 (pruned) left no weights: counts are planned."
    assert printed["blocks"][0]["undecided"] == "training"


def test_a_training_is_drawn_from_its_best_weights(capsys, studies, tmp_path):
    architecture, module = trained_module(studies, "flgc")
    folder = tmp_path / "run"
    folder.mkdir()
    data = RunDataSettings(
        spec="digits",
        data_dir=None,
        image_size=None,
        name="digits",
        fingerprint="",
        classes=("a",) * 10,
        streamed=False,
        validation=0.25,
        seed=0,
    )
    settings = RunSettings(architecture=architecture, recipe=short_recipe(TRAINING), data=data, seed=0)
    (folder / "settings.json").write_text(json.dumps(settings.to_dict()))
    assert "Not trained yet" in numbers(capsys, folder)["note"]
    checkpoint = Checkpoint(
        architecture=architecture,
        state=module.state_dict(),
        mean=(0.5,),
        std=(1.0,),
        classes=("a",) * 10,
        epoch=1,
        data={"name": "digits", "fingerprint": "", "validation": 0.25, "seed": 0},
    )
    checkpoint.write(folder / BEST)
    shown = {layer["layer"]: layer for layer in numbers(capsys, folder)["connections"]}
    for path, state in module_connections(module).items():
        if path in shown:
            assert np.array_equal(shown[path]["after"]["values"], state.values)
    assert len(shown) == 2


def assert_exported(printed: dict, module) -> None:
    after = module_connections(module)
    assert printed["connections"]
    for layer in printed["connections"]:
        assert np.array_equal(layer["after"]["values"], after[layer["layer"]].values)
        assert layer["before"]["what"] == "what training chooses from"
        assert np.all(layer["before"]["values"])


def test_an_export_is_drawn_from_what_it_says(capsys, studies, tmp_path):
    architecture, module = trained_module(studies, "flgc")
    folder = tmp_path / "export"
    export_network(
        folder=folder,
        architecture=architecture,
        state=module.state_dict(),
        mean=[0.5],
        std=[1.0],
        classes=[str(n) for n in range(10)],
        test=None,
        facts={},
    )
    for place in (folder, folder / "architecture.json"):
        assert_exported(numbers(capsys, place), module)


def test_an_export_says_which_inputs_condensed_groups_have(capsys, studies):
    architecture, module = trained_module(studies, "condensing")
    noted = lower(plan(architecture), module).assignments
    Path("export.json").write_text(json.dumps({"architecture": architecture.to_dict(), "assignments": noted}))
    assert_exported(numbers(capsys, "export.json"), module)


def test_an_architecture_alone_is_drawn(capsys, tmp_path):
    Path("mine.json").write_text(FAMILIES["igc"].build().to_json())
    assert numbers(capsys, "mine.json")["network"]["macs"] == 28_755_840
    assert (tmp_path / "draw-mine.svg").is_file()


# Mistakes.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("igvc1", "unknown block, family or study 'igvc1'; did you mean 'igcv1'? known: "),
        ("igc width=2", "unknown parameter of igc 'width'"),
        ("igcv3 nonsense=2", "unknown parameter of igcv3 'nonsense'"),
        ("igc --stage 4", "--stage 4: this network has stages 1 to 3"),
        ("igcv1 --stage 1", "igcv1 is one block and has no stages; --stage is for networks"),
        ("igcv1 --what network", "igcv1 is one block; --what network needs a network: "),
        ("igc --what connections", "igc learns no grouping, so it has no connections before and after"),
        ("condensenet --what connections", "condensenet is not trained; --what connections needs a study"),
        ("small --studies-dir STUDIES --trial 99", "study 'small' holds no network of number 99"),
        ("smal --studies-dir STUDIES --trial 1", "unknown study 'smal'; did you mean 'small'? known: small"),
        ("small L=2 --studies-dir STUDIES", "networks of a study take no parameters; choose one by --trial NUMBER"),
        ("igc --trial 1", "no study 'igc', and none in "),
        ("none.json", "cannot read none.json: No such file or directory"),
        ("igc --out x.gif", "x.gif is no picture that can be written: its name must end with .svg, .png, .pdf"),
        ("igc --out missing/x.svg", "cannot write missing/x.svg: No such file or directory"),
    ],
)
def test_a_mistake_is_told_in_one_line(capsys, studies, tmp_path, words, message):
    assert main(["draw", *words.replace("STUDIES", str(studies)).split()]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["draw", "export"])
def test_a_number_that_a_study_does_not_hold_names_the_study_as_it_can_be_asked_for(capsys, tmp_path, command):
    folder = unpack(tmp_path / "on another disk")
    assert main([command, str(folder), "--trial", "77"]) == 2
    error = capsys.readouterr().err
    assert "of number 77" in error
    words = shlex.split(error[error.index("igcnas status") :])
    assert words == ["igcnas", "status", str(folder)]
    assert main(words[1:]) == 0


def test_weights_of_another_network_are_refused_in_one_line(capsys, studies, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(studies / "small", folder)
    weights = [trial_folder(folder, NUMBER[name]) / "weights.safetensors" for name in ("dgconv", "flgc")]
    shutil.copy(*weights)
    assert main(["draw", str(folder), "--trial", str(NUMBER["flgc"])]) == 2
    assert capsys.readouterr().err.startswith("error: the weights of study-00001 are not of its architecture")


def test_the_help_says_which_names_are_both(capsys):
    with pytest.raises(SystemExit):
        main(["draw", "--help"])
    printed = capsys.readouterr().out
    assert "dgc, igcv2, igcv3, mobilenetv2, msgc, resnet are a block and a family:" in printed
