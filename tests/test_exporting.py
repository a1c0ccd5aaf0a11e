"""Anything trained can be exported: which checkpoint is meant by a path, and what its card says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch

from igcnas.cli import main
from igcnas.errors import IgcnasError
from igcnas.modules.build import build
from igcnas.network.architecture import Architecture
from igcnas.network.literature import family
from igcnas.network.plan import plan
from igcnas.results.exporting import export_checkpoint, find
from igcnas.training.preparing import set_epsilon
from igcnas.training.runs.weights import Checkpoint

pytestmark = pytest.mark.usefixtures("forked_workers")

torch.set_num_threads(1)
CLASSES = tuple("0123456789")


def small() -> Architecture:
    return family("resnet").build(depth=8, width=4, size=8, channels=1, classes=10)


def checkpoint(**values: Any) -> Checkpoint:
    torch.manual_seed(0)
    network = build(plan(small()))
    facts = {"mean": (0.3,), "std": (0.4,), "classes": CLASSES, "epoch": 3}
    data = {"name": "digits", "fingerprint": "f", "validation": 0.25, "seed": 0, "streamed": False}
    return Checkpoint(architecture=small(), state=network.state_dict(), data=data, **(facts | values))


def retraining(folder: Path, names: list[str], seeds: int = 2) -> Path:
    folder.mkdir()
    for name in names:
        for seed in range(seeds):
            checkpoint().write(folder / f"{name}-seed{seed}.safetensors")
    return folder


def test_a_file_is_itself_and_a_training_its_best_weights_else_its_last(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    checkpoint().write(run / "last.safetensors")
    assert find(run).file == run / "last.safetensors"
    checkpoint().write(run / "best.safetensors")
    found = find(run)
    assert (found.file, found.target) == (run / "best.safetensors", run / "export")
    one = find(run / "last.safetensors")
    assert (one.file, one.target) == (run / "last.safetensors", run / "last-export")


def test_one_network_with_several_seeds_is_its_first_and_of_several_networks_one_must_be_named(tmp_path: Path) -> None:
    one = retraining(tmp_path / "one", ["trial-12"])
    assert find(one).file == one / "trial-12-seed0.safetensors"
    several = retraining(tmp_path / "several", ["trial-1", "trial-12"])
    assert find(several, 1).file == several / "trial-1-seed0.safetensors"
    assert find(several, 12).file == several / "trial-12-seed0.safetensors"
    with pytest.raises(IgcnasError, match=r"holds 4 checkpoints \(trial-1-seed0\.safetensors, .*give the path of one"):
        find(several)
    with pytest.raises(IgcnasError, match="holds no training of network 7"):
        find(several, 7)


def test_what_holds_no_checkpoint_is_refused_with_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(IgcnasError, match="there is no "):
        find(tmp_path / "nowhere")
    with pytest.raises(IgcnasError, match="holds no checkpoint"):
        find(tmp_path)
    (tmp_path / "model.onnx").touch()
    (tmp_path / "weights.safetensors").touch()
    with pytest.raises(IgcnasError, match="is an export already"):
        find(tmp_path)


def test_an_exported_network_answers_like_one_of_another_epsilon(tmp_path: Path) -> None:
    saved = checkpoint(epsilon=1e-3)
    network = build(plan(small()))
    network.load_state_dict(saved.state)
    set_epsilon(network, 1e-3)
    images = torch.rand(4, 1, 8, 8)
    with torch.no_grad():
        expected = network.eval()((images - 0.3) / 0.4)
    export_checkpoint(saved, folder=tmp_path / "out", facts={})
    session = onnxruntime.InferenceSession(tmp_path / "out/model.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"image": images.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), expected, rtol=1e-4, atol=1e-5)


def test_the_command_exports_several_trainings_at_once_each_into_its_own_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = retraining(tmp_path / "retrain-30", ["trial-1", "trial-12"], seeds=1)
    result = {"network": "trial 12", "test_right": 90, "test_images": 100}
    (folder / "trial-12-seed0.json").write_text(json.dumps(result))
    out = tmp_path / "out"
    assert main(["export", str(folder), "--trial", "12", "1", "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["exports"]
    assert [one["folder"] for one in told] == [str(out / "trial-12"), str(out / "trial-1")]
    assert all(max(one["parity"].values()) < 1e-4 for one in told)
    assert all(one["test_accuracy"] == {} for one in told)
    record = json.loads((out / "trial-12/architecture.json").read_text())
    assert record["facts"]["test accuracy"] == "90.00 % (n = 100), as the retraining measured it"
    assert record["data"]["name"] == "digits"
    assert "as the retraining" not in (out / "trial-1/card.md").read_text()


def test_weights_alone_are_exported_with_the_network_and_the_classes_that_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(checkpoint().state, tmp_path / "weights.pth")
    network = ["resnet", "depth=8", "width=4"]
    assert main(["export", str(tmp_path / "weights.pth"), *network]) == 2
    assert "name the data that has them with --data" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "weights.pth"), *network, "--data", "digits"]) == 0
    record = json.loads((tmp_path / "weights-export/architecture.json").read_text())
    assert record["classes"] == list(CLASSES)
    assert record["facts"]["data"] == "unknown; classes are those of digits"
    assert record["normalization"]["mean"][0] == pytest.approx(0.3052, abs=1e-3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trial", "3"], "--trial 3 does not apply to one checkpoint"),
        (["--temperature"], "--temperature is for studies"),
        (["--opset", "9"], "--opset 9 cannot be written"),
        (["--also", "nothing"], "--also nothing: no installed package"),
    ],
)
def test_options_that_do_not_apply_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    checkpoint().write(tmp_path / "one.safetensors")
    assert main(["export", str(tmp_path / "one.safetensors"), *words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
