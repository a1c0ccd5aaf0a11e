"""igcnas train and igcnas evaluate, as a user calls them."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tensorboardX.proto.event_pb2 import Event

from igcnas.cli import main
from igcnas.cli.common import Stop
from igcnas.data.loading import load_dataset
from igcnas.export.onnx import write_onnx
from igcnas.modules.build import build
from igcnas.modules.lowering import lower
from igcnas.network.architecture import Architecture, Stage
from igcnas.network.blocks import InvertedResidual
from igcnas.network.grouping import LearnedGrouping
from igcnas.network.literature import family
from igcnas.network.plan import Plan, plan
from igcnas.network.primitives import Normalize, Sequence
from igcnas.search.folder import open_study
from igcnas.search.records import records, standard_error
from igcnas.search.storage import lock_study
from igcnas.training.engine import Engine
from igcnas.training.metrics import Scores, score
from igcnas.training.runs.run import measured_cost
from igcnas.training.runs.settings import RunSettings
from igcnas.training.runs.weights import Checkpoint
from igcnas.training.settings import TrainingSettings
from igcnas.training.tensors import TrainingData
from igcnas.training.trainer import train

pytestmark = pytest.mark.usefixtures("forked_workers")

ROOT = Path(__file__).resolve().parent.parent
CPU = torch.device("cpu")
SMALL = ["igc", "L=2", "M=2", "depth=5"]


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = main([str(word) for word in words])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a short training, and its summary."""
    folder = tmp_path_factory.mktemp("runs") / "short"
    assert main(["train", *SMALL, "--recipe", "short", "--epochs", "2", "--out", str(folder)]) == 0
    return folder, json.loads((folder / "summary.json").read_text())


def test_a_training_leaves_its_files_and_a_summary(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = finished
    names = {path.name for path in folder.iterdir()}
    events = {name for name in names if name.startswith("events.out.tfevents.")}
    assert len(events) == 1
    assert names - events == {
        "best.safetensors",
        "last.safetensors",
        "curve.png",
        "lock",
        "log.csv",
        "settings.json",
        "summary.json",
    }
    assert summary["validation"]["images"] == 362
    assert summary["test"]["images"] == 359
    assert summary["test"]["top5"] >= summary["test"]["top1"]
    assert summary["test"]["top1_standard_error"] == pytest.approx(standard_error(summary["test"]["top1"], 359))
    assert summary["macs"] == summary["measured_macs"]
    assert summary["exceeds_expected"] is False
    with Image.open(folder / "curve.png") as picture:
        assert picture.size == (1200, 900)
        assert len(set(picture.convert("L").resize((60, 45)).tobytes())) > 10  # not blank


def test_the_curve_is_the_same_in_the_table_and_in_tensorboards_events(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = finished
    rows = list(csv.DictReader((folder / "log.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    content = next(folder.glob("events.out.tfevents.*")).read_bytes()
    scalars: dict[str, dict[int, float]] = {}
    while content:  # a record: length (8 bytes), its checksum (4), the event, its checksum (4)
        size = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + size])
        for value in event.summary.value:
            scalars.setdefault(value.tag, {})[event.step] = value.simple_value
        content = content[16 + size :]
    assert scalars.keys() == {"learning_rate", "loss/train", "top1/train", "top1/validation", "top5/validation"}
    for tag, column in (("loss/train", "train_loss"), ("top1/validation", "val_accuracy")):
        assert scalars[tag] == pytest.approx({int(r["epoch"]): float(r[column]) for r in rows}, rel=1e-6)


def test_short_is_the_training_of_a_search_to_the_bit(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = finished
    settings = TrainingSettings(epochs=2, learning_rate=0.6)
    data = TrainingData.of(load_dataset("digits"), settings, CPU)
    known = family("igc").from_text([*SMALL[1:], "classes=10", "size=8", "channels=1"])
    expected = train(known, data, settings)
    found = load_file(folder / "last.safetensors")
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.network.state_dict().items())


def test_the_best_weights_are_those_of_the_best_epoch_and_evaluate_finds_the_same(
    finished: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, summary = finished
    accuracies = [float(row["val_accuracy"]) for row in csv.DictReader((folder / "log.csv").read_text().splitlines())]
    assert summary["best_epoch"] == 1 + accuracies.index(max(accuracies))
    assert Checkpoint.read(folder / "best.safetensors").epoch == summary["best_epoch"]
    status, out, _ = call(capsys, "evaluate", folder, "--split", "both", "--json")
    found = json.loads(out)
    assert status == 0
    for split in ("validation", "test"):
        for key in ("images", "top1", "top5", "top1_standard_error"):
            assert found[split][key] == pytest.approx(summary[split][key])
    assert call(capsys, "evaluate", folder / "last.safetensors")[1].startswith(f"network   {folder / 'last.safe'}")


def test_the_best_weights_are_tested_and_not_the_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "evaluate", lambda self: Scores(images=9, top1=90.0 - len(self.curve), top5=95.0))
    words = [*SMALL, "--recipe", "short", "--epochs", "3", "--out", tmp_path / "r"]
    summary = json.loads(call(capsys, "train", *words, "--json")[1])
    assert summary["best_epoch"] == 1
    found = {}
    for name in ("best", "last"):
        out = call(capsys, "evaluate", tmp_path / f"r/{name}.safetensors", "--split", "test", "--json")[1]
        found[name] = json.loads(out)["test"]["top1"]
    assert summary["test"]["top1"] == found["best"] != found["last"]


def test_top5_is_among_the_first_five_and_silent_where_there_are_no_more_classes() -> None:
    logits = torch.arange(10.0).flip(0).repeat(4, 1)  # class 0 first, class 9 last
    labels = torch.tensor([0, 4, 5, 9])
    assert score(lambda x: x, [(logits, labels)], device=CPU) == Scores(images=4, top1=25.0, top5=50.0)
    few = [(logits[:, :5], labels.clamp_max(4))]
    assert score(lambda x: x, few, device=CPU) == Scores(images=4, top1=25.0, top5=None)


def test_an_export_and_its_onnx_file_are_evaluated(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, summary = finished
    best = Checkpoint.read(folder / "best.safetensors")
    network = plan(best.architecture)
    layers = (Normalize("normalize", tuple(best.mean), tuple(best.std)), *network.root.layers)  # as an export has it
    whole = Plan(Sequence("", layers), network.input_shape)
    module = build(whole)
    module.load_state_dict(best.state)
    (tmp_path / "best").mkdir()
    write_onnx(tmp_path / "best/model.onnx", lower(whole, module), {})
    (tmp_path / "best/weights.safetensors").touch()
    for path in ("best", "best/model.onnx", "best/weights.safetensors"):
        status, out, _ = call(capsys, "evaluate", tmp_path / path, "--data", "digits", "--split", "both", "--json")
        found = json.loads(out)
        assert (status, found["form"]) == (0, "onnx")
        assert found["test"]["top1"] == pytest.approx(summary["test"]["top1"])
        assert found["validation"]["top5"] == pytest.approx(summary["validation"]["top5"])


def test_an_exported_folder_is_evaluated_on_the_validation_images_of_its_own_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--space", "igcv2", "--budget-mflops", 0.05, "--networks", 1, "--epochs", 3, "--no-baselines"]
    status, _, _ = call(
        capsys, "search", *words, "--seed", 3, "--study", "s", "--studies-dir", tmp_path, "--device", "cpu"
    )
    assert status == 0
    (found,) = records(open_study(tmp_path / "s"))
    status, out, _ = call(capsys, "evaluate", tmp_path / "s/best", "--json")
    assert status == 0
    assert json.loads(out)["validation"]["top1"] == pytest.approx(found.val_accuracy)


def test_a_finished_training_is_not_trained_again(
    finished: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, summary = finished
    before = (folder / "last.safetensors").stat().st_mtime_ns
    status, out, _ = call(capsys, "train", *SMALL, "--recipe", "short", "--epochs", 2, "--out", folder, "--json")
    assert status == 0
    assert json.loads(out) == {"folder": str(folder), **summary}
    assert (folder / "last.safetensors").stat().st_mtime_ns == before


def test_other_settings_are_refused_and_the_difference_named(
    finished: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = finished
    status, _, err = call(capsys, "train", *SMALL, "--recipe", "short", "--epochs", 3, "--out", folder)
    assert status == 2
    assert "recipe.epochs: 2 -> 3" in err
    assert err.count("\n") == 1
    status, _, err = call(
        capsys, "train", "igc", "L=2", "M=4", "depth=5", "--recipe", "short", "--epochs", 2, "--out", folder
    )
    assert status == 2
    assert "L2M2" in err
    assert "L2M4" in err


def start(folder: Path, *words: str, seconds: str = "0") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "igcnas", "train", *words, "--out", str(folder), "--checkpoint-seconds", seconds]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert path.exists(), process.communicate()


def test_a_signal_that_a_launcher_passes_on_counts_once_and_a_later_one_ends_at_once() -> None:
    with Stop(patience=0.2) as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        time.sleep(0.25)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert stop.status == 130


def test_a_folder_in_use_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lock_study(tmp_path):
        status, _, err = call(capsys, "train", *SMALL, "--recipe", "short", "--out", tmp_path)
    assert status == 2
    assert "give another --out" in err


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "asked to stop"])
def test_a_training_that_is_ended_within_an_epoch_goes_on_to_the_same_files(
    how: signal.Signals, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*SMALL, "--recipe", "igc-cifar", "--epochs", "3", "--batch-size", "16", "--seed", "4"]
    ended = start(tmp_path / "ended", *words)
    wait_for(tmp_path / "ended/log.csv", ended)  # the second epoch has begun
    ended.send_signal(how)
    output = "".join(ended.communicate(timeout=60))
    assert ended.returncode == (-9 if how is signal.SIGKILL else 130), output
    assert ("stopped; nothing is lost" in output) == (how is signal.SIGINT)
    assert not (tmp_path / "ended/summary.json").exists()
    assert main(["train", *words, "--out", str(tmp_path / "whole")]) == 0
    assert main(["train", *words, "--out", str(tmp_path / "ended")]) == 0
    assert "going on from epoch" in capsys.readouterr().out
    for name in ("best.safetensors", "last.safetensors", "log.csv"):
        assert (tmp_path / "ended" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not (tmp_path / "ended/checkpoint.pt").exists()


def test_training_on_all_images_has_no_validation_and_ends_with_the_last_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*SMALL, "--recipe", "short", "--epochs", "1", "--train-on-all", "--out", tmp_path / "all"]
    status, out, _ = call(capsys, "train", *words, "--json")
    found = json.loads(out)
    assert status == 0
    assert found["validation"] is None
    assert found["chosen_by"] == "the last epoch"
    assert found["test"]["images"] == 359
    assert (tmp_path / "all/best.safetensors").read_bytes() == (tmp_path / "all/last.safetensors").read_bytes()
    status, _, err = call(capsys, "evaluate", tmp_path / "all", "--split", "validation")
    assert status == 2
    assert "use --split test" in err
    assert call(capsys, "evaluate", tmp_path / "all")[1].splitlines()[1].startswith("test ")


@pytest.mark.parametrize(("seed", "exceeds"), [(9, True), (5, False)])
def test_a_measured_excess_is_visible(
    seed: int, exceeds: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    free = LearnedGrouping(groups=2, balanced=False)
    block = InvertedResidual(expansion=1, expand=free, project=free)
    stages = (Stage(block=block, width=8, repeats=2),)
    network = Architecture(family="x", input_shape=(1, 8, 8), num_classes=10, stem_channels=8, stages=stages)
    (tmp_path / "x.json").write_text(network.to_json())
    words = ["--recipe", "short", "--epochs", "1", "--seed", seed, "--learning-rate", "0.01", "--out", tmp_path / "r"]
    status, out, _ = call(capsys, "train", tmp_path / "x.json", *words)
    assert status == 0
    summary = json.loads((tmp_path / "r/summary.json").read_text())
    settings = RunSettings.from_dict(json.loads((tmp_path / "r/settings.json").read_text()))
    cost = measured_cost(settings, load_file(tmp_path / "r/best.safetensors"))
    assert summary["measured_macs"] == cost.macs
    assert summary["exceeds_expected"] is (cost.macs > summary["macs"]) is exceeds
    assert ("more than expected" in out) is exceeds


def test_a_streamed_folder_is_trained_on_and_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for part, count in (("train", 12), ("test", 3)):
        for name, colour in (("dark", 40), ("light", 210)):
            (tmp_path / "photos" / part / name).mkdir(parents=True)
            for i in range(count):
                image = Image.new("RGB", (30 + i, 50 - i), (colour, colour, 10 * i))
                image.save(tmp_path / "photos" / part / name / f"{i}.jpg")
    data = ["--data", f"imagefolder:{tmp_path / 'photos'}", "--stream", "--image-size", "16", "--workers", "1"]
    words = [*SMALL, "--recipe", "condensenet-imagenet", "--epochs", "2", "--batch-size", "8", *data]
    status, out, _ = call(capsys, "train", *words, "--out", tmp_path / "r")
    assert status == 0
    assert "streamed by 1 processes" in out
    summary = json.loads((tmp_path / "r/summary.json").read_text())
    assert summary["test"]["images"] == 6
    assert summary["test"]["top5"] is None  # two classes
    status, out, _ = call(capsys, "evaluate", tmp_path / "r", "--split", "both", *data[:2], "--json")  # as trained
    assert status == 0
    assert json.loads(out)["test"]["top1"] == summary["test"]["top1"]
    assert json.loads(out)["validation"]["top1"] == summary["validation"]["top1"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["igd"], "unknown family 'igd'; did you mean 'igc'?"),
        ([*SMALL, "--recipe", "papr"], "unknown recipe 'papr'; did you mean 'paper'?"),
        ([*SMALL, "--epochs", "0"], "epochs must be at least 1"),
        ([*SMALL, "classes=3"], "of 3 classes, digits has 1x8x8 of 10"),
        ([*SMALL, "--validation", "1.5"], "--validation 1.5 must lie between 0 and 1"),
        ([*SMALL, "--train-on-all", "--validation", "0.1"], "--train-on-all puts nothing aside"),
        ([*SMALL, "--stream"], "--stream does not apply to 'digits'"),
        ([*SMALL, "--workers", "-1"], "--workers -1 must be 0"),
        ([*SMALL, "--seed", "-1"], "--seed -1 must be at least 0"),
        ([*SMALL, "--pretrained", "nowhere.pt"], "cannot read nowhere.pt"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_is_one_line_and_status_2(
    words: list[str], error: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = call(capsys, "train", *words, "--out", tmp_path / "r")
    assert status == 2
    assert error in err
    assert err.count("\n") == 1


def test_what_cannot_be_evaluated_is_said_in_one_line(
    finished: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.onnx").write_text("no model")
    (tmp_path / "x.safetensors").write_text("no weights")
    for words, error in (
        ([tmp_path / "none"], "there is no file"),
        ([tmp_path], "holds neither best.safetensors nor model.onnx"),
        ([tmp_path / "x.onnx"], "cannot be read as ONNX"),
        ([tmp_path / "x.safetensors"], "cannot be read as safetensors"),
        ([ROOT / "README.md"], "is neither .safetensors nor .onnx"),
        ([finished[0], "--validation", "2"], "--validation 2 must lie between 0 and 1"),
    ):
        status, _, err = call(capsys, "evaluate", *words)
        assert (status, err.count("\n")) == (2, 1), err
        assert error in err


def test_help_is_there_and_loads_no_torch() -> None:
    code = """
import sys
from igcnas.cli import main
from igcnas.cli.common import Stop
try:
    main([sys.argv[1], "--help"])
except SystemExit:
    assert "torch" not in sys.modules
"""
    for command in ("train", "evaluate", "recipes"):
        done = subprocess.run(
            [sys.executable, "-c", code, command], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert "usage:" in done.stdout


# Recipes of other days, and of one's own


def small(**changes: Any) -> dict[str, Any]:
    decay = {"weights": 1e-4, "biases": 0.0, "norms": 0.0, "deciding": 0.0}
    return {"epochs": 1, "batch_size": 64, "learning_rate": 0.2, "decay": decay, **changes}


def test_a_recipe_of_ones_own_is_trained_by_and_kept_with_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(small(norm={"epsilon": 1e-3}, dropout=0.25)))
    words = [*SMALL, "--recipe", tmp_path / "mine.json", "--out", tmp_path / "r"]
    assert call(capsys, "train", *words)[0] == 0
    kept = RunSettings.from_dict(json.loads((tmp_path / "r/settings.json").read_text())).recipe
    assert (kept.name, kept.norm.epsilon, kept.dropout) == ("mine", 1e-3, 0.25)
    (tmp_path / "mine.json").write_text(json.dumps(small(norm={"epsilon": 1e-5}, dropout=0.25)))
    status, _, err = call(capsys, "train", *words)
    assert status == 2
    assert "recipe.norm.epsilon: 0.001 -> 1e-05" in err


def test_evaluate_uses_the_epsilon_that_the_network_was_trained_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.json").write_text(json.dumps(small(norm={"epsilon": 0.5}, epochs=3)))
    words = [*SMALL, "--recipe", tmp_path / "mine.json", "--out", tmp_path / "r", "--json"]
    summary = json.loads(call(capsys, "train", *words)[1])
    found = json.loads(call(capsys, "evaluate", tmp_path / "r", "--split", "test", "--json")[1])
    assert Checkpoint.read(tmp_path / "r/best.safetensors").epsilon == 0.5
    assert found["test"]["top1"] == summary["test"]["top1"]


def test_a_training_that_was_begun_with_an_older_recipe_of_the_name_goes_on_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", *SMALL, "--recipe", "igc-cifar", "--epochs", 1, "--batch-size", 64]
    assert call(capsys, *words, "--out", tmp_path / "now")[0] == 0
    settings = json.loads((tmp_path / "now/settings.json").read_text())
    recipe = settings["recipe"]
    for later in ("files", "norm", "first", "channel_dropout"):  # as these settings were written at first
        del recipe[later]
    del recipe["decay"]["shifts"], recipe["optimizer"]["dampening"]
    recipe["ours"] = ""
    (tmp_path / "old").mkdir()
    (tmp_path / "old/settings.json").write_text(json.dumps({**settings, "format": 1}))
    status, out, err = call(capsys, *words, "--out", tmp_path / "old")
    assert (status, err) == (0, "")
    assert "recipe    as this training was begun, before it was mended: " in out
    assert "norm.epsilon 1e-05, not 2e-05" in out
    assert call(capsys, *words, "--out", tmp_path / "old")[0] == 0  # done, and asked for again
    kept = RunSettings.from_dict(json.loads((tmp_path / "old/settings.json").read_text())).recipe
    assert (kept.norm.epsilon, kept.norm.momentum, kept.first.linear) == (1e-5, 0.1, "normal")
    assert Checkpoint.read(tmp_path / "old/best.safetensors").epsilon == 1e-5
    assert Checkpoint.read(tmp_path / "now/best.safetensors").epsilon == 2e-5
    status, _, err = call(capsys, *words[:-4], "--epochs", 2, "--batch-size", 64, "--out", tmp_path / "old")
    assert status == 2
    assert "recipe.epochs: 1 -> 2" in err


def test_a_recipe_that_drops_channels_is_trained_eagerly_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dropped = {"share": 0.2, "at": ["stem", "pooled"]}
    (tmp_path / "mine.json").write_text(json.dumps(small(channel_dropout=dropped)))
    words = ["train", *SMALL, "--recipe", tmp_path / "mine.json", "--out", tmp_path / "r"]
    status, _, err = call(capsys, *words, "--engine", "fast")
    assert (status, err.count("\n")) == (2, 1)
    assert "--engine fast drops no channels, as recipe mine does" in err
    status, out, _ = call(capsys, *words)
    assert status == 0
    assert "engine    eager, because the recipe drops channels inside the network" in out
    assert json.loads((tmp_path / "r/settings.json").read_text())["engine"] == "eager"


def test_the_weights_of_a_public_port_are_trained_on_and_evaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, digits = ["resnet", "depth=8", "width=4", "shortcut=pad"], ["--data", "digits"]
    module = build(plan(family("resnet").from_text([*network[1:], "size=8", "channels=1"])))
    theirs = {"stem.conv": "conv1", "stem.norm": "bn1", "classifier": "linear"}
    for stage in (1, 2, 3):
        for part, name in (("conv1", "conv1"), ("norm1", "bn1"), ("conv2", "conv2"), ("norm2", "bn2")):
            theirs[f"stage{stage}.block1.residual.body.{part}"] = f"layer{stage}.0.{name}"
    state = {}
    for name, tensor in module.state_dict().items():
        at, _, kind = name.rpartition(".")
        state[f"module.{theirs[at]}.{kind}"] = tensor
    torch.save({"state_dict": state, "best_prec1": 91.7}, tmp_path / "port.th")
    status, out, _ = call(capsys, "evaluate", tmp_path / "port.th", *network, *digits, "--split", "test")
    assert status == 0
    assert "(weights of akamaster/pytorch_resnet_cifar10)" in out
    status, _, err = call(capsys, "evaluate", tmp_path / "port.th", *network, *digits)
    assert (status, err.count("\n")) == (2, 1)
    assert "does not say which images it was trained on; use --split test" in err
    status, _, err = call(
        capsys, "evaluate", tmp_path / "port.th", "resnet", "depth=8", "shortcut=pad", *digits, "--split", "test"
    )
    assert status == 2
    assert "conv1.weight of these weights of akamaster/pytorch_resnet_cifar10 has shape (4, 1, 3, 3), but" in err
    words = [*network, "--weights", tmp_path / "port.th", "--recipe", "short", "--epochs", 1, "--out", tmp_path / "r"]
    status, out, _ = call(capsys, "train", *words)
    assert status == 0
    assert "those of akamaster/pytorch_resnet_cifar10; nothing is missing" in out
