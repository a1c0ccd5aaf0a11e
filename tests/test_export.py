"""Exported folders: every form is the trained network, each runs as its user would run it, nothing is half written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from igcnas.errors import ExportError
from igcnas.export import folder as export
from igcnas.export import parity
from igcnas.export.card import with_error
from igcnas.export.folder import ExportReport, export_network
from igcnas.export.source import model_source
from igcnas.modules.build import build
from igcnas.modules.layers import NormalizeInput
from igcnas.modules.lowering import Lowered, lower
from igcnas.network import cost
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import BasicBlock, InvertedResidual
from igcnas.network.grouping import Group, Interleaved, LearnedGrouping
from igcnas.network.plan import plan
from igcnas.system.files import replacing_folder
from igcnas.units import counted

torch.set_num_threads(1)

# Refuses imports instead of emptying sys.modules: another way than the one that export itself uses.
CLEAN = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("igcnas", "safetensors", "numpy", "onnx", "onnxruntime"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])
import json, model, torch
torch.set_num_threads(1)
with torch.inference_mode():
    print(json.dumps([model.load()(torch.tensor(json.loads(sys.argv[2]))).tolist(), list(model.CLASSES)]))
"""


class Case(NamedTuple):
    architecture: Architecture
    module: nn.Sequential
    arguments: dict[str, Any]
    report: ExportReport

    def logits(self, images: torch.Tensor) -> torch.Tensor:
        """What the trained network says, by hand: no part of export is used."""
        normalize = NormalizeInput(self.arguments["mean"], self.arguments["std"])
        with torch.no_grad():
            return self.module(normalize(images))


def make(folder: Path, architecture: Architecture) -> Case:
    torch.manual_seed(1)
    module = build(plan(architecture)).eval()
    for name, child in module.named_modules():
        if isinstance(child, nn.BatchNorm2d):
            child.running_mean.normal_()
            child.running_var.uniform_(0.5, 2.0)
        elif isinstance(child, nn.Linear):
            child.weight.data.normal_()
        elif name.endswith("block1.project") and hasattr(child, "in_logits"):
            child.in_logits.data[:, 0] = -9.0  # group 0 gets no inputs, group 1 nearly all filters
            child.out_logits.data[:, 1] += 4.0
    channels = architecture.input_shape[0]
    generator = np.random.default_rng(2)
    images = generator.integers(0, 256, (300, *architecture.input_shape), dtype=np.uint8)
    arguments: dict[str, Any] = {
        "folder": folder,
        "architecture": architecture,
        "state": module.state_dict(),
        "mean": [0.4, 0.5, 0.6][:channels],
        "std": [0.2, 0.25, 0.3][:channels],
        "classes": [f'class "{i}" | \u00e9' for i in range(architecture.num_classes)],
        "test": (images, generator.integers(0, architecture.num_classes, 300)),
        "facts": {"study": "first", "validation accuracy": with_error(80.0, 100), "seed": "7 | 8"},
    }
    return Case(architecture, module, arguments, export_network(**arguments))


def inverted(expand: Group | LearnedGrouping, project: Group | LearnedGrouping) -> Architecture:
    block = InvertedResidual(expansion=2, expand=expand, project=project, expand_activation=False)
    stages = (Stage(block=block, width=16, repeats=2, stride=2),)
    return Architecture(
        family="igcv3", input_shape=(3, 16, 16), num_classes=5, stem_channels=8, stages=stages, activation="relu6"
    )


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return make(tmp_path_factory.mktemp("fixed") / "out", inverted(Group(groups=2), Group(groups=2)))


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Case:
    architecture = inverted(LearnedGrouping(groups=4), LearnedGrouping(groups=4, balanced=False))
    return make(tmp_path_factory.mktemp("learned") / "deep" / "out", architecture)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Case:
    stages = (
        Stage(block=BasicBlock(grouping=Interleaved(L=4, M=2)), width=8, repeats=1),
        Stage(block=BasicBlock(grouping=Interleaved(L=4, M=4)), width=16, repeats=1, stride=2),
    )
    architecture = Architecture(family="igcv1", input_shape=(1, 8, 8), num_classes=10, stem_channels=8, stages=stages)
    return make(tmp_path_factory.mktemp("digits") / "out", architecture)


@pytest.fixture(params=["fixed", "learned", "digits"])
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def again(learned: Case, tmp_path: Path) -> dict[str, Any]:
    """Arguments for an export over an earlier one."""
    folder = tmp_path / "out"
    shutil.copytree(learned.report.folder, folder)
    return {**learned.arguments, "folder": folder, "facts": {"study": "second"}}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_folder_holds_six_files_and_nothing_is_left_beside_it(case: Case) -> None:
    folder = case.report.folder
    assert sorted(path.name for path in folder.iterdir()) == sorted(export.FILES)
    assert [path.name for path in folder.parent.iterdir()] == ["out"]
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in folder.iterdir())


def test_the_onnx_file_takes_any_batch_and_gives_the_logits_of_the_trained_network(case: Case, tmp_path: Path) -> None:
    # Moved alone to an empty folder, so that weights in a second file would be missed.
    path = shutil.copy(case.report.folder / "model.onnx", tmp_path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["image"]
    assert [o.name for o in session.get_outputs()] == ["logits"]
    for batch in (1, 3, 7):
        images = torch.rand(batch, *case.architecture.input_shape)
        (found,) = session.run(None, {"image": images.numpy()})
        torch.testing.assert_close(torch.from_numpy(found), case.logits(images), rtol=1e-4, atol=1e-4)


def test_the_onnx_file_says_what_it_is_and_nothing_about_this_computer(learned: Case) -> None:
    path = learned.report.folder / "model.onnx"
    properties = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert properties["family"] == "igcv3"
    assert properties["id"] == learned.architecture.id
    assert properties["macs"] == str(learned.report.macs)
    assert json.loads(properties["classes"]) == learned.arguments["classes"]
    assert b".py" not in path.read_bytes()


def test_model_py_runs_where_torch_is_all_there_is(case: Case, tmp_path: Path) -> None:
    images = torch.rand(2, *case.architecture.input_shape)
    arguments = [str(case.report.folder), json.dumps(images.tolist())]
    command = [sys.executable, "-I", "-B", "-c", CLEAN, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    logits, classes = json.loads(done.stdout)
    torch.testing.assert_close(torch.tensor(logits), case.logits(images), rtol=1e-4, atol=1e-4)
    assert classes == case.arguments["classes"]


def run_model(case: Case, *arguments: str, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-B", str(case.report.folder / "model.py"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, **options)


def test_model_py_names_the_classes_of_pictures_and_goes_on_after_a_bad_one(digits: Case, tmp_path: Path) -> None:
    pixels = digits.arguments["test"][0][0, 0]
    Image.fromarray(pixels).save(tmp_path / "one.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    done = run_model(digits, "--top", "2", "bad.png", "one.png", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "bad.png: cannot be read (no picture, or of an unknown format)\n"
    logits = digits.logits(torch.from_numpy(pixels / np.float32(255))[None, None])
    shares = logits.softmax(1)[0].topk(2)
    names = [digits.arguments["classes"][k] for k in shares.indices]
    said = ", ".join(f"{name} {share:.2%}" for name, share in zip(names, shares.values.tolist(), strict=True))
    assert done.stdout == f"one.png: {said}\n"


def test_model_py_says_in_one_line_what_is_no_picture(digits: Case, tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    done = run_model(digits, "nosuch.jpg", "holiday", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "nosuch.jpg: cannot be read (there is no such file)",
        "holiday: is a folder; igcnas predict takes folders",
    ]
    alone = tmp_path / "model.py"
    alone.write_bytes((digits.report.folder / "model.py").read_bytes())
    command = [sys.executable, "-I", "-B", str(alone), "nosuch.jpg"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "weights.safetensors cannot be read (No such file or directory): it belongs beside" in done.stderr
    assert "Traceback" not in done.stderr


def test_model_py_without_a_picture_says_what_it_wants(digits: Case, tmp_path: Path) -> None:
    done = run_model(digits, cwd=tmp_path)
    assert done.returncode == 2
    assert "PICTURE" in done.stderr


def loaded_model(case: Case) -> Any:
    return torch.hub.load(str(case.report.folder), "model", source="local")


def test_torch_hub_loads_the_trained_network(case: Case) -> None:
    images = torch.rand(2, *case.architecture.input_shape)
    with torch.inference_mode():
        torch.testing.assert_close(loaded_model(case)(images), case.logits(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x * 255, r"outside \[0, 1\]"),
        (lambda x: x - 1, r"outside \[0, 1\]"),
        (lambda x: x * float("nan"), "from nan to nan"),
        (lambda x: (x * 255).byte(), r"images are torch\.uint8"),
        (lambda x: x[:, :1], "do not fit"),
        (lambda x: x[..., 1:], "do not fit"),
        (lambda x: x[0], "do not fit"),
    ],
)
def test_model_py_refuses_other_images_in_one_line(
    fixed: Case, change: Callable[[torch.Tensor], torch.Tensor], message: str
) -> None:
    network = loaded_model(fixed)
    with pytest.raises(ValueError, match=message) as error:
        network(change(torch.full((2, *fixed.architecture.input_shape), 0.5)))
    assert "\n" not in str(error.value)
    assert "give float images (batch, 3, 16, 16), pixel / 255" in str(error.value)


def test_the_network_of_model_py_is_exported_by_torch_in_spite_of_its_checks(fixed: Case) -> None:
    network, images = loaded_model(fixed), torch.rand(2, *fixed.architecture.input_shape)
    program = torch.export.export(network, (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    more = torch.rand(3, *fixed.architecture.input_shape)
    torch.testing.assert_close(program.module()(more), network(more))


def test_a_picture_becomes_the_input_as_every_form_says(case: Case) -> None:
    folder = case.report.folder
    channels, height, width = case.architecture.input_shape
    said = {"channels": channels, "height": height, "width": width, "resize": "cover", "share": 1.0}
    record = json.loads((folder / "architecture.json").read_text())["input"]["preparation"]
    assert {**record, "steps": None} == {**said, "steps": None}
    properties = {p.key: p.value for p in onnx.load(folder / "model.onnx").metadata_props}
    assert json.loads(properties["preparation"]) == record
    card = (folder / "card.md").read_text()
    assert f"{width} x {height} pixels (bicubic" in card
    assert f"Preparation(channels={channels}, height={height}, width={width}" in (folder / "model.py").read_text()


def test_the_head_of_the_card_is_yaml_that_hubs_read(digits: Case) -> None:
    yaml = pytest.importorskip("yaml")
    _, text, _ = (digits.report.folder / "card.md").read_text().split("---\n", 2)
    head = yaml.safe_load(text)
    assert (head["pipeline_tag"], head["license"]) == ("image-classification", "unknown")
    (result,) = head["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == pytest.approx(digits.report.accuracies["lowered"] / 100, abs=1e-6)


@pytest.mark.parametrize(("opset", "written"), [(None, 17), (18, 18), (26, 26)])
def test_the_onnx_file_is_of_the_opset_that_was_asked_for(
    digits: Case, tmp_path: Path, opset: int | None, written: int
) -> None:
    report = export_network(**{**digits.arguments, "folder": tmp_path / "out", "test": None, "opset": opset})
    assert report.parity["onnx"] < 1e-5
    (found,) = {one.version for one in onnx.load(tmp_path / "out" / "model.onnx").opset_import if one.domain == ""}
    assert found == written == json.loads((tmp_path / "out" / "architecture.json").read_text())["opset"]


@pytest.mark.parametrize("opset", [16, 99])
def test_an_opset_that_cannot_be_written_is_refused_before_anything_is_done(digits: Case, opset: int) -> None:
    with pytest.raises(ExportError, match=f"--opset {opset} cannot be written; 17 to 26 can"):
        export_network(**{**digits.arguments, "opset": opset})


def test_no_norm_stays_and_the_gathers_that_do_are_named(case: Case) -> None:
    graph = onnx.load(case.report.folder / "model.onnx").graph
    kinds = [node.op_type for node in graph.node]
    left = json.loads((case.report.folder / "architecture.json").read_text(encoding="utf-8"))["remaining"]
    assert "BatchNormalization" not in kinds
    assert left["norms"] == {}
    assert kinds.count("Gather") == len(left["gathers"])
    card = (case.report.folder / "card.md").read_text(encoding="utf-8")
    assert f"{counted(len(left['gathers']), 'gather')} of channels" in card or not left["gathers"]


def test_model_py_holds_only_the_helpers_it_needs_in_ascii_and_short_lines(fixed: Case, learned: Case) -> None:
    texts = [(case.report.folder / "model.py").read_text(encoding="ascii") for case in (fixed, learned)]
    for helper in ("SplitConv", "GatherChannels", "GlobalAveragePool"):
        assert all((f"class {helper}(" in text) == (f", {helper}(" in text) for text in texts)
    assert all(text.count("class Add(") == 1 for text in texts)
    assert max(len(line) for text in texts for line in text.splitlines()) <= 120


def test_a_title_cannot_end_the_docstring_of_model_py(fixed: Case) -> None:
    title = 'x"""\nraise SystemExit("injected")\n"""'
    text = model_source(plan(fixed.architecture), title=title, classes=["a"], macs=1, params=1)
    namespace: dict[str, Any] = {"__name__": "model", "__file__": "model.py"}
    exec(compile(text, "model.py", "exec", dont_inherit=True), namespace)
    assert "injected" in namespace["__doc__"]


def test_weights_hold_no_mask_and_no_logits_but_say_what_network_they_are_of(learned: Case) -> None:
    with safe_open(learned.report.folder / "weights.safetensors", "pt") as file:
        names, metadata = set(file.keys()), file.metadata()
    assert "stage1.block1.expand.weight" in names
    assert not [name for name in names if "logits" in name or "mask" in name]
    assert Architecture.from_json(metadata["architecture"]) == learned.architecture
    assert all(isinstance(value, str) for value in metadata.values())


def test_the_json_holds_the_architecture_both_counts_and_the_assignments(learned: Case) -> None:
    record = json.loads((learned.report.folder / "architecture.json").read_text())
    assert Architecture.from_dict(record["architecture"]) == learned.architecture
    expected = cost.count(learned.architecture)
    assert record["counts"]["macs"] == expected.macs != record["measured"]["macs"] == learned.report.macs
    layer = learned.module.get_submodule("stage1.block1.project")
    assert record["assignments"]["stage1.block1.project"] == {
        "inputs": layer.assignments()[0].tolist(),
        "filters": layer.assignments()[1].tolist(),
    }
    assert 0 not in record["assignments"]["stage1.block1.project"]["inputs"]
    assert record["normalization"] == {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}
    assert record["classes"] == learned.arguments["classes"]
    assert list(record["facts"].items()) == list(learned.arguments["facts"].items())


def test_the_report_measures_the_lowered_network_by_its_masks(learned: Case) -> None:
    macs = cost.count(learned.architecture).macs
    for name, layer in plan(learned.architecture).layers():
        if getattr(layer, "learned", None) is not None:
            living = int(learned.module.get_submodule(name).mask().sum())
            macs += (living - layer.connections) * layer.out_size[0] * layer.out_size[1]
    assert learned.report.macs == macs
    assert set(learned.report.parity) == {"lowered", "onnx", "model.py"}
    assert max(learned.report.parity.values()) < 1e-5


def test_fixed_groups_cost_what_was_promised_and_the_card_of_free_ones_says_that_they_did_not(
    fixed: Case, learned: Case
) -> None:
    assert fixed.report.macs == cost.count(fixed.architecture).macs
    cards = [(case.report.folder / "card.md").read_text() for case in (fixed, learned)]
    assert ["The architecture promised" in card for card in cards] == [False, True]
    assert f"| MACs | {learned.report.macs:,} |" in cards[1]
    assert f"promised {cost.count(learned.architecture).macs:,} MACs" in cards[1]


def test_all_three_forms_have_the_accuracy_of_the_trained_network(case: Case) -> None:
    images, labels = case.arguments["test"]
    right = case.logits(torch.from_numpy(images).float() / 255).argmax(1).numpy() == labels
    percent = 100.0 * right.mean()
    assert case.report.accuracies == pytest.approx(dict.fromkeys(("lowered", "onnx", "model.py"), percent))
    card = (case.report.folder / "card.md").read_text()
    assert f"| test accuracy, onnx | {with_error(percent, 300)} |" in card
    assert "| validation accuracy | 80.00 +- 4.00 % (n = 100) |" in card
    assert card.count("validation accuracy") == 1
    assert "| seed | 7 \\| 8 |" in card


def test_the_examples_of_the_card_run(digits: Case) -> None:
    card = (digits.report.folder / "card.md").read_text()
    snippets = [part.split("```")[0] for part in card.split("```python\n")[1:]]
    assert len(snippets) == 3
    code = "import sys; sys.path.insert(0, '')\n" + "\n".join([*snippets, "print(logits.shape)"])
    command = [sys.executable, "-B", "-c", code]
    done = subprocess.run(command, cwd=digits.report.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("(1, 10)\n")


def test_an_export_replaces_an_earlier_one_whole(again: dict[str, Any]) -> None:
    (again["folder"] / "__pycache__").mkdir()  # as left by whoever imported the old model.py
    export_network(**{**again, "test": None})
    assert sorted(path.name for path in again["folder"].iterdir()) == sorted(export.FILES)
    card = (again["folder"] / "card.md").read_text()
    assert "| study | second |" in card
    assert "No accuracy was recorded, and no test split was given." in card


def test_a_tampered_weight_stops_the_export_and_leaves_the_old_folder(
    again: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def tampering(*arguments: Any) -> Lowered:
        lowered = lower(*arguments)
        lowered.state["stage1.block2.residual.body.expand.weight"][3, 0] += 0.1
        return lowered

    before = contents(again["folder"])
    monkeypatch.setattr(export, "lower", tampering)
    with pytest.raises(ExportError, match=r"^lowered differs from the trained network[^\n]*$"):
        export_network(**again)
    assert contents(again["folder"]) == before
    assert [path.name for path in again["folder"].parent.iterdir()] == ["out"]


def test_a_tampered_weights_file_is_seen_by_running_model_py(learned: Case, tmp_path: Path) -> None:
    shutil.copytree(learned.report.folder, tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "weights.safetensors")
    weights["classifier.weight"][0, 0] += 0.01
    save_file(weights, tmp_path / "weights.safetensors")
    images = parity.random_batches(learned.architecture.input_shape)
    assert [len(batch) for batch in images] == [1, 5]
    expected = [learned.logits(batch) for batch in images]
    with pytest.raises(ExportError, match=r"^model\.py differs"):
        parity.compare(expected, {"model.py": parity.run_source(tmp_path / "model.py", images)})


@pytest.mark.parametrize("library", ["igcnas", "safetensors.torch", "numpy"])
def test_a_model_py_that_needs_more_than_torch_is_not_exported(learned: Case, tmp_path: Path, library: str) -> None:
    source = (learned.report.folder / "model.py").read_text(encoding="utf-8")
    (tmp_path / "model.py").write_text(
        source.replace("import torch\n", f"import torch\nimport {library}\n", 1), encoding="utf-8"
    )
    with pytest.raises(ExportError, match=rf"model\.py does not run by itself: .*'{library}'"):
        parity.run_source(tmp_path / "model.py", parity.random_batches(learned.architecture.input_shape))


def test_every_form_divides_bytes_by_255(digits: Case) -> None:
    images = torch.from_numpy(digits.arguments["test"][0][:300])
    expected = [digits.logits(images.float() / 255)]
    forms = {
        "lowered": parity.run_torch(nn.Sequential(NormalizeInput([0.4], [0.2]), digits.module), [images]),
        "onnx": parity.run_onnx(digits.report.folder / "model.onnx", [images]),
        "model.py": parity.run_source(digits.report.folder / "model.py", [images]),
    }
    assert max(parity.compare(expected, forms).values()) < 1e-5


def test_a_difference_is_measured_against_the_largest_logit_and_nan_is_never_equal() -> None:
    one, five = torch.zeros(1, 2), torch.full((5, 2), 10.0)
    assert parity.compare([one, five], {"x": [one + 5e-5, five + 5e-4]})["x"] == pytest.approx(5e-5, rel=0.1)
    nan = torch.full_like(five, torch.nan)
    for wrong in ([one + 2e-4, five], [one, five + 2e-3], [one, nan], [one, five[:, :1]]):
        with pytest.raises(ExportError, match=r"^x differs"):
            parity.compare([one, five], {"x": wrong})


@pytest.mark.parametrize("victim", ["card_text", "write_onnx"])
def test_an_interrupted_export_leaves_the_old_folder(
    again: dict[str, Any], monkeypatch: pytest.MonkeyPatch, victim: str
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = contents(again["folder"])
    monkeypatch.setattr(export, victim, interrupt)
    with pytest.raises(KeyboardInterrupt):
        export_network(**again)
    assert contents(again["folder"]) == before
    assert [path.name for path in again["folder"].parent.iterdir()] == ["out"]


def test_an_interrupt_between_the_two_renames_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, rename = tmp_path / "out", os.replace
    folder.mkdir()
    (folder / "card.md").write_text("old")

    def interrupting(source: Path, target: Path) -> None:
        if source.name.endswith(".new"):
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "replace", interrupting)
    with pytest.raises(KeyboardInterrupt), replacing_folder(folder) as temporary:
        (temporary / "card.md").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert contents(folder) == {"card.md": b"old"}


def test_a_folder_with_files_of_somebody_else_is_refused_and_kept(again: dict[str, Any]) -> None:
    (again["folder"] / "thesis.tex").write_text("mine")
    before = contents(again["folder"])
    with pytest.raises(ExportError, match=r"not an earlier export, it holds thesis\.tex"):
        export_network(**again)
    assert contents(again["folder"]) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ["a"]}, "1 class names for 5 classes"),
        ({"mean": [0.5]}, "one number for each of 3 channels"),
        ({"std": [0.2, 0.0, 0.2]}, "above 0"),
        ({"state": {}}, "the weights are not those of this architecture"),
        ({"test": (np.zeros((2, 3, 8, 8), np.uint8), np.zeros(2, np.int64))}, "they must be uint8"),
        ({"test": (np.zeros((2, 3, 16, 16), np.float32), np.zeros(2, np.int64))}, "they must be uint8"),
        ({"test": (np.zeros((0, 3, 16, 16), np.uint8), np.zeros(0, np.int64))}, "they must be uint8"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_in_one_line(
    again: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ExportError, match=message) as error:
        export_network(**{**again, **change})
    assert "\n" not in str(error.value)


def test_torch_runs_on_one_thread_and_gets_its_threads_back() -> None:
    seen: list[int] = []
    probe = nn.Identity()
    probe.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    torch.set_num_threads(2)
    try:
        parity.run_torch(probe, [torch.rand(1, 1)])
        assert [*seen, torch.get_num_threads()] == [1, 2]
    finally:
        torch.set_num_threads(1)


def test_an_export_leaves_the_random_state_alone_and_prints_nothing(
    again: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    before = torch.get_rng_state()
    export_network(**{**again, "test": None})
    assert torch.equal(torch.get_rng_state(), before)
    assert capfd.readouterr() == ("", "")
