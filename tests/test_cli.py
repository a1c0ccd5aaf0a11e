"""The command line as a user meets it: real processes, real signals, one line for each mistake."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from igcnas.cli import main
from igcnas.cli.common import duration, mega
from igcnas.cli.count import _architecture
from igcnas.cli.engine import begun_engine, chosen_engine
from igcnas.cli.progress.clock import Clock
from igcnas.cli.progress.search import SearchProgress
from igcnas.cli.search_plan import _baselines, _of_them
from igcnas.cli.standing import luck_words
from igcnas.network.architecture import Architecture
from igcnas.network.budget import macs_budget
from igcnas.network.canonical import canonical_id
from igcnas.results.best import is_current
from igcnas.search.costs import Costs
from igcnas.search.folder import open_study
from igcnas.search.objective import FRONT
from igcnas.search.records import TrialRecord
from igcnas.search.storage import lock_study
from igcnas.search.study import Study
from igcnas.training.reports import EpochReport

pytestmark = pytest.mark.usefixtures("forked_workers")

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
# Of a small space, which is read and drawn from in no time.
TINY = (
    "--space",
    "igcv3",
    "--budget-mflops",
    "0.03",
    "--epochs",
    "1",
    "--no-baselines",
    "--seeds",
    "1",
    "--study",
    "s",
)
QUICK = ("search", *TINY, "--no-export")
# A network takes a second or more, so that a signal hits it in the middle; one after the other, on any machine.
ALONE = ("--workers", "1", "--no-baselines", "--no-export", "--study", "s")
SLOW = ("--space", "igcv3", "--budget-mflops", "0.05", "--epochs", "10", "--networks", "2", *ALONE)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`python run_search.py` in a process of its own, which ends with the block."""
    command = [sys.executable, str(ROOT / "run_search.py"), *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=ENVIRONMENT) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def is_training(number: int) -> Callable[[], bool]:
    """Whether the worker has taken up a network: it makes the folder right before it trains."""
    return Path(f"studies/s/trials/{number:05d}").is_dir


def states() -> list[str]:
    return [trial.state.name for trial in open_study(Path("studies/s")).trials]


# Searching


def test_a_search_draws_tabulates_exports_and_says_when_it_is_complete(capfd: pytest.CaptureFixture[str]) -> None:
    with running(*TINY, "--networks", "3", "--no-export") as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert err == ""
    assert "\x1b" not in out  # no terminal, so plain lines
    assert re.findall(r"^ +(\d)/3 .* MFLOPs .* % .* left\)$", out, re.MULTILINE) == ["1", "2", "3"]
    assert re.search(r"^best .*MFLOPs: ", out, re.MULTILINE)
    assert Path("studies/s/pareto.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    with Path("studies/s/trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == ["0", "1", "2"]
    assert all(int(row["macs"]) <= 30_000 for row in rows)
    assert not Path("studies/s/best").exists()

    assert main(["search", *TINY, "--networks", "3", "--json"]) == 0
    out = capfd.readouterr().out
    assert "already holds 3 trained networks; --networks 4 is the least that trains more, --networks 60 is usual" in out
    assert re.search(r"\d+ % sure that it is the best of the 3; on a rerun expect \d", out)
    result = json.loads(out.splitlines()[-1])
    assert result["trained"] == 3
    assert result["val_accuracy"] == max(float(row["val_accuracy"]) for row in rows)
    assert {"model.onnx", "model.py", "architecture.json"} <= {path.name for path in Path("studies/s/best").iterdir()}
    assert len(states()) == 3

    exported = Path("studies/s/best/architecture.json")
    assert is_current(Study.read(Path("studies/s")))
    exported.write_text(exported.read_text().replace("of 3 trained", "of 2 trained"))  # the best of an earlier total
    assert not is_current(Study.read(Path("studies/s")))
    Path("studies/s").rename("studies/t")
    assert main(["status", "t"]) == 0
    assert "3 trained, 0 failed, 0 running" in capfd.readouterr().out


def test_a_search_killed_while_it_trains_goes_on_to_the_same_total() -> None:
    with running(*SLOW) as process:
        assert wait_until(is_training(0)), process.communicate()
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert states() == ["RUNNING"]
    with running(*SLOW) as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert err == ""
    assert "taking up network 0" in out
    assert states() == ["COMPLETE", "COMPLETE"]
    assert [trial.number for trial in open_study(Path("studies/s")).trials] == [0, 1]
    assert sorted(path.name for path in Path("studies/s/trials").iterdir()) == ["00000", "00001"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_search_says_how_to_go_on_and_does(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    with running(*SLOW) as process:
        assert wait_until(is_training(0)), process.communicate()
        if number == signal.SIGINT:  # the study is in use: it can be watched, but not searched a second time
            assert main(["status", "s", "--json"]) == 0
            assert json.loads(capsys.readouterr().out)["running"] == 1
            assert main(["search", *SLOW]) == 2
            assert f"is in use by process {process.pid}; " in capsys.readouterr().err
        process.send_signal(number)
        out, err = process.communicate()
    assert process.returncode == 128 + number
    assert err == ""
    assert "stopped with 0 of 2 networks; nothing is lost. To go on:" in out
    assert out.splitlines()[-1].endswith(f"run_search.py {' '.join(SLOW)}")
    assert states() == ["RUNNING"]
    assert main(["search", *SLOW]) == 0
    assert states() == ["COMPLETE", "COMPLETE"]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of studies with one of two networks."""
    studies = tmp_path_factory.mktemp("searched")
    assert main([*QUICK, "--networks", "2", "--studies-dir", str(studies)]) == 0
    return studies


@pytest.fixture
def study(searched: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """That study, here."""
    shutil.copytree(searched, "studies")
    capsys.readouterr()
    return Path("studies/s")


def test_status_and_plot_show_what_a_search_left(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (study / "pareto.png").unlink()
    assert main(["status", "s", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert {key: status[key] for key in ("study", "budget_macs", "trained", "failed", "running")} == {
        "study": "s",
        "budget_macs": 30_000,
        "trained": 2,
        "failed": 0,
        "running": 0,
    }
    assert 1 <= len(status["front"]) <= 2
    assert main(["status", "studies/s"]) == 0
    assert "2 trained, 0 failed, 0 running" in capsys.readouterr().out
    assert main(["status"]) == 0
    assert capsys.readouterr().out == "s\n"
    assert main(["plot", "s"]) == 0
    assert capsys.readouterr().out.split() == ["studies/s/pareto.png", "studies/s/pareto.svg", "studies/s/trials.csv"]
    assert Path("studies/s/pareto.png").exists()
    assert main(["export", "s", "--trial", "7"]) == 2
    assert "no trained network of number 7" in capsys.readouterr().err

    # Only here, because a study must be there first.
    before = Path("studies/s/settings.json").read_text()
    for change, named in (
        (["--epochs", "2"], "training.epochs: 1 -> 2"),
        (["--seed", "1"], "seed: 0 -> 1"),
        (["--budget-mflops", "0.04"], "budget_macs: 30000 -> 40000"),
        (["--objective", "accuracy"], "objective: front -> accuracy"),
    ):
        assert main([*QUICK, *change]) == 2
        error = one_line(capsys)
        assert named in error
        assert "start another with --study NAME" in error
    assert Path("studies/s/settings.json").read_text() == before


def test_status_names_failed_networks_with_their_reasons(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = open_study(study)
    found.enqueue_trial({}, user_attrs=found.trials[0].user_attrs | {"reason": "diverged: training loss nan"})
    found.tell(found.ask(), state=found.trials[0].state.FAIL)
    assert main(["status", "s"]) == 0
    assert "   2  failed: diverged: training loss nan" in capsys.readouterr().out


def test_the_help_names_every_data_set(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from igcnas.data.loading import DATASETS

    monkeypatch.setitem(DATASETS, "moons", "two of them")
    with pytest.raises(SystemExit):
        main(["search", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    assert "digits (8x8 scans, needs no download), cifar10, " in words
    assert "npz:FILE, moons (two of them), or NAME[:PATH] of an installed package (default: digits)" in words


def test_the_help_names_every_sampler_and_says_what_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from igcnas.search.samplers import AUTO, SAMPLERS, Sampler

    mine = Sampler(
        asks=lambda known: iter(()), starts=lambda known: True, sentence="90 % of the best", chooses_target=True
    )
    monkeypatch.setitem(SAMPLERS, "mine", mine)
    with pytest.raises(SystemExit):
        main(["search", "--help"])
    words = " ".join(capsys.readouterr().out.split())
    assert all(f"{name}: {one.sentence}" in words for name, one in SAMPLERS.items())
    assert "mine: 90 % of the best (it also chooses how much of the budget to use; not with pruning)" in words
    assert f"{AUTO}: what our benchmarks favour" in words


def test_a_search_that_prunes_and_repeats_says_so_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    words = "--space igcv1 --budget-mflops 0.03 --epochs 3 --no-baselines --networks 9 --sampler random --workers 1"
    rules = "--pruner halving --seeds 3 --repeats 2 --study s --no-export --json"
    assert main(["search", *words.split(), *rules.split()]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert main(["status", "s", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert result["trained"] + result["pruned"] == 9
    assert result["pruned"] > 0
    assert {key: status[key] for key in ("trained", "pruned", "repeats")} == {
        key: result[key] for key in ("trained", "pruned", "repeats")
    }
    assert status["standing"] == result["standing"]
    assert status["spared"] == result["spared"]
    first = result["standing"]["first"]
    assert (first["number"], first["n"], first["mean"]) == (result["best"], result["n"], result["val_accuracy"])
    assert 0 < first["probability"] <= 1
    assert main(["status", "s"]) == 0
    assert f"pruning   {result['pruned']} networks ended early" in capsys.readouterr().out
    again = [trial for trial in open_study(Path("studies/s")).trials if trial.user_attrs["repeat"]]
    assert len(again) == result["repeats"] <= 2
    if again:  # the weights of a network with repeats are those of its first training
        first_number = again[0].user_attrs["repeat_of"]
        assert main(["export", "s", "--trial", str(again[0].number)]) == 0
        assert f"trials/{first_number:05d}/export" in capsys.readouterr().out


# Mistakes


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert "Traceback" not in error
    return error


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("search", "--budget-mflops", "0"), "--budget-mflops 0 must be a positive number"),
        (("search", "--budget-mflops", "-3"), "--budget-mflops -3 must be a positive number"),
        (("search", "--budget-mflops", "nan"), "--budget-mflops nan must be a finite number"),
        (("search", "--budget-mflops", "inf"), "--budget-mflops inf must be a finite number"),
        (("search", "--budget-mflops", "1e-9"), "--budget-mflops 1e-09 must be at least 1e-06"),
        (("search", "--budget-mflops", "0.0005"), "budget 0.0005 MFLOPs is below the smallest network of space 'all'"),
        ((*QUICK, "--networks", "0"), "--networks 0 must be at least 1"),
        ((*QUICK, "--epochs", "0"), "epochs must be at least 1"),
        ((*QUICK, "--seeds", "0"), "--seeds 0 must be at least 1"),
        ((*QUICK, "--repeats", "-1"), "--repeats -1 must be at least 0"),
        ((*QUICK, "--sampler", "tpee"), "unknown sampler 'tpee'; did you mean 'tpe'?"),
        ((*QUICK, "--objective", "latency"), "unknown objective 'latency'; did you mean 'accuracy,latency'?"),
        ((*QUICK, "--pruner", "halve"), "unknown pruner 'halve'; did you mean 'halving'?"),
        ((*QUICK, "--pruner", "halving"), "--min-epochs 1 must be at least 1 and below the 1 epoch"),
        ((*QUICK, "--min-epochs", "2"), "--min-epochs 2 does nothing with --pruner none; add --pruner halving"),
        ((*QUICK, "--seed", "-1"), "seed -1"),
        ((*QUICK, "--space", "igcv4"), "unknown search space 'igcv4'; did you mean 'igcv3'?"),
        ((*QUICK, "--space", "mine.py"), "no search space at mine.py"),
        ((*QUICK, "--data", "digit"), "unknown data set 'digit'; did you mean 'digits'?"),
        ((*QUICK, "--data", "cifar10"), "pass --data-dir"),
        ((*QUICK, "--data", "cifar10", "--data-dir", "nowhere"), "nowhere"),
        ((*QUICK, "--data", "imagefolder:nowhere", "--image-size", "8"), "nowhere"),
        ((*QUICK, "--data", "npz:nowhere.npz"), "nowhere.npz"),
        ((*QUICK, "--image-size", "8"), "--image-size 8 does not apply"),
        ((*QUICK, "--device", "tpu"), "unknown device 'tpu'; known: auto, cpu, cuda, cuda:N"),
        (("status", "nothing"), "no study 'nothing', and none in {here}/studies; give the path of its folder, or name"),
        (("plot", "nothing"), "another folder of studies by --studies-dir or IGCNAS_STUDIES"),
        (("export", "nothing"), "no study 'nothing', and none in {here}/studies; "),
        (("count", "igcv9"), "unknown family 'igcv9'; did you mean 'igcv3'?"),
        (("count", "igc", "K=3"), "unknown parameter of igc 'K'"),
        (("count", "igc", "L"), "not of the form key=value"),
        (("count", "igc", "L=x"), "a whole number is expected"),
        (("count", "igc", "L=0"), "L must be"),
        (("count", "igc", "--convention", "ptflop"), "unknown convention 'ptflop'; did you mean 'ptflops'?"),
        (("count", "dgc", "--convention", "ptflops"), "use macs or condensenet"),
        (("count", "gone.json"), "cannot read gone.json"),
        (("count", "flgc-mobilenetv2", "groups=3", "balanced=true"), "3 groups do not divide the 32 channels"),
        (("count", "flgc-mobilenetv2", "learned=false", "multiple=1"), "leave them out with learned=false"),
        (("count", "flgc-mobilenetv2", "balanced=false", "multiple=1"), "multiple is for balanced groups"),
        (("count", "msgc", "--masks", "mood"), "unknown rule of masks 'mood'; did you mean 'mod'?"),
        (("count", "igc", "--masks", "ones"), "--masks ones is for networks of which each image masks convolutions"),
        (("count", "msgc", "target=0.5", "keep=0.5"), "keep and target both say how much is kept"),
        (("count", "msgc", "target=1.5"), "target must be in (0, 1], but is 1.5"),
        (("count", "msgc", "host=mobilenetv2", "target=0.5"), "the rest of this network takes 0.6099 of the MACs"),
        (("count", "dgc", "ties=last"), "ties must be one of ('first', 'dropped'), but is 'last'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_answered_in_one_line_and_leaves_nothing(
    arguments: tuple[str, ...], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(list(arguments)) == 2
    assert part.replace("{here}", str(Path.cwd())) in one_line(capsys)
    assert list(Path().iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").touch()
    assert main([*QUICK, "--studies-dir", "file"]) == 2
    assert "cannot make file/s: Not a directory; give another --studies-dir" in one_line(capsys)


@pytest.mark.parametrize("command", ["status", "plot", "export"])
def test_a_damaged_or_empty_study_is_a_mistake(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("studies/s").mkdir(parents=True)
    Path("studies/s/settings.json").write_text("{")
    assert main([command, "s"]) == 2
    assert "settings.json is damaged" in one_line(capsys)


def test_a_mistake_of_a_real_process_has_status_2_and_no_traceback() -> None:
    with running("--budget-mflops", "0.0005") as process:
        out, err = process.communicate()
    assert process.returncode == 2
    assert out == ""
    assert err.startswith("error: budget 0.0005 MFLOPs is below")
    assert err.count("\n") == 1


def test_ctrl_c_outside_a_search_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("igcnas.cli.networks.count", interrupt)
    assert main(["networks"]) == 130
    assert capsys.readouterr().err == "stopped\n"


# Counting


def test_count_prints_the_published_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["count", "igc", "L=24", "M=2", "depth=20", "classes=10", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["params"], result["macs"]) == (155_962, 28_755_840)


def test_count_agrees_with_ptflops_and_lists_layers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["count", "igc", "size=8", "--check", "--layers"]) == 0
    out = capsys.readouterr().out
    assert out.rstrip().endswith("equal")
    head = next(place for place, line in enumerate(out.splitlines()) if line.split() == ["layer", "MACs", "params"])
    listed = [line for line in out.splitlines()[head + 1 :] if len(line.split()) == 3]
    assert len(listed) > 20
    assert main(["count", "igc", "size=8", "--layers", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert sum(layer["macs"] for layer in result["layers"]) == result["macs"]


def test_count_reads_an_architecture_from_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    architecture = _architecture("igc", ["size=8"])
    Path("network.json").write_text(architecture.to_json())
    assert main(["count", "network.json", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == architecture.id
    Path("network.json").write_text(json.dumps({"architecture": architecture.to_dict(), "facts": {}}))  # as exported
    assert main(["count", "network.json", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == architecture.id
    Path("network.json").write_text("{")
    assert main(["count", "network.json"]) == 2
    assert "no JSON" in one_line(capsys)


def test_count_gives_the_figure_of_another_counter(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["count", "condensenet", "classifier=full", "--convention", "condensenet", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["convention"], result["figure"]) == ("condensenet", 65_816_394)
    assert main(["count", "condensenet", "classifier=full", "--convention", "condensenet"]) == 0
    assert "65,816,394" in capsys.readouterr().out
    assert main(["count", "msgc", "--convention", "msgc", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["msgc"]["original"] == 1_817_209_344
    assert main(["count", "msgc", "--convention", "msgc"]) == 0
    assert "139,424,256" in capsys.readouterr().out
    assert main(["count", "dgc", "--convention", "all", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["figures"]
    assert (found["condensenet"], found["ptflops"]) == (71_037_118, None)
    assert main(["count", "dgc", "--convention", "all"]) == 0
    out = capsys.readouterr().out
    assert "-: that counter knows no convolution" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["ptflops", "-"] in [line[:2] for line in lines]
    assert ["condensenet", "71,037,118"] in [line[:2] for line in lines]


def test_count_says_where_the_parameters_are_and_what_training_decides(capsys: pytest.CaptureFixture[str]) -> None:
    def counted(*words: str) -> dict[str, Any]:
        assert main(["count", *words, "--json"]) == 0
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    plain = counted("igc", "size=8")
    assert sum(plain["parts"].values()) == plain["params"] == plain["training_params"]
    assert plain["exact"] == {"params": True, "macs": True}
    assert counted("flgc-mobilenetv2", "groups=8")["training_params"] == 2_364_954
    assert counted("flgc-mobilenetv2", "balanced=false")["exact"] == {"params": False, "macs": False}
    gated = counted("msgc")
    assert gated["exact"] == {"params": True, "macs": False}
    assert gated["parts"]["generators"] == 863_616
    assert main(["count", "msgc"]) == 0
    params, macs = capsys.readouterr().out.splitlines()[1:3]
    assert "expected" in macs
    assert "expected" not in params


@pytest.mark.parametrize(
    "words",
    [
        "flgc-mobilenetv2 groups=8",
        "flgc-mobilenetv2 groups=3 multiple=1 width=0.25",
        "flgc-mobilenetv2 learned=false",
        "condensenet stages=2-2-2",
        "dg-resnext base=1 size=64",
        "dgc stages=2-2-2",
        "msgc host=mobilenetv2-cifar attention=true",
    ],
)
def test_ptflops_counts_a_learned_network_in_the_form_that_training_leaves_as_igcnas_does(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["count", *words.split(), "--check", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ptflops_aten"] == found["ptflops_expected"] > 0
    assert found["lowered"] == ("learned=false" not in words)
    if found["exact"]["macs"] and not words.startswith("dgc "):  # whose masks multiply by zero, which ptflops sees
        assert found["ptflops_aten"] == found["macs"] + 10  # the biases of the classes


def test_forced_masks_give_the_figures_that_the_authors_counter_gives(capsys: pytest.CaptureFixture[str]) -> None:
    def masked(rule: str, *words: str) -> dict[str, Any]:
        assert main(["count", "msgc", *words, "--masks", rule, "--json"]) == 0
        result: dict[str, Any] = json.loads(capsys.readouterr().out)["masks"]
        return result

    assert masked("ones")["total"] == 1_818_991_328
    assert masked("mod") == {"rule": "mod", "dgc": 607_493_376, "bonus": 0, "total": 748_699_616}
    found = masked("head0", "host=mobilenetv2")
    assert (found["total"], found["bonus"]) == (103_014_976, 117_084_912)
    assert main(["count", "msgc", "--masks", "head0"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["masks", "head0,", "as", "MSGC's", "authors", "count"] in lines
    assert ["bonus", "282,070,656"] in lines
    assert ["total", "466,628,960"] in lines


def test_networks_lists_every_family_with_its_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["networks", "--json"]) == 0
    families = json.loads(capsys.readouterr().out)
    assert set(families) >= {"igc", "igcv3", "mobilenetv2", "flgc-mobilenetv2", "resnet"}
    assert families["igc"]["parameters"]["L"] == 24
    assert families["igc"]["meanings"]["L"].startswith("primary partitions")
    assert main(["networks"]) == 0
    assert "L=24" in capsys.readouterr().out


def test_help_lists_every_command_without_importing_torch() -> None:
    code = "import sys; from igcnas.cli import main\ntry: main(['--help'])\nfinally: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    for command in ("search", "status", "plot", "export", "count", "networks"):
        assert re.search(rf"^    {command} ", done.stdout, re.MULTILINE)
    assert done.stdout.endswith("False\n")
    done = subprocess.run(
        [sys.executable, "-m", "igcnas", "--help"], capture_output=True, text=True, env=ENVIRONMENT, check=True
    )
    assert "count" in done.stdout


# Progress


def record(state: str = "complete", accuracy: float | None = 50.0) -> TrialRecord:
    architecture: Architecture = _architecture("igc", ["size=8"])
    return TrialRecord(
        number=0,
        state=state,
        architecture=architecture,
        macs=9_000,
        params=9,
        target=9_000,
        baseline=None,
        seed=1,
        epochs=2,
        val_accuracy=accuracy,
        seconds=1.0,
        reason="diverged",
    )


def of_macs(most: int) -> Costs:
    return Costs(macs_budget(most), FRONT)


def test_a_line_shows_each_epoch_once_even_where_a_training_was_taken_up(capsys: pytest.CaptureFixture[str]) -> None:
    progress = SearchProgress(Clock(0, 2, 5.0, {}), None, of_macs(10**6))
    assert not progress.display.watched
    progress.started(record())
    for epoch, accuracy in ((1, 0.0), (2, 99.0), (1, 0.0), (2, 50.0)):
        progress.epoch(0, EpochReport(epoch=epoch, train_loss=1.0, val_accuracy=accuracy))
    assert progress.curves == {0: [0.0, 50.0]}
    progress.finished(dataclasses.replace(record(), curve=((1, 1.0, 0.0), (2, 1.0, 50.0))))
    line = capsys.readouterr().out
    assert "  ▁▅  " in line
    assert line.startswith("   1/2    0.009 MFLOPs   50.00 %")
    assert "best so far" in line


def test_a_failed_network_has_a_line_and_does_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    progress = SearchProgress(Clock(3, 5, 2.0, {}), None, of_macs(10**6))
    progress.started(record())
    progress.finished(record("failed", None))
    assert capsys.readouterr().out == "   3/5  network 0 failed: diverged\n"


def test_a_network_that_training_took_over_the_budget_is_marked_and_never_the_best(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = SearchProgress(Clock(0, 2, 2.0, {}), None, of_macs(10_000))
    over = dataclasses.replace(record(), measured_macs=10_001)
    progress.started(over)
    progress.finished(over)
    assert "OVER BUDGET: 0.009 MFLOPs expected" in capsys.readouterr().out
    assert progress.best is None


def test_status_says_how_many_came_out_over_the_budget(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = open_study(study)
    attributes = found.trials[0].user_attrs | {"measured_macs": 30_001, "val_accuracy": 100.0}
    found.enqueue_trial({}, user_attrs=attributes)
    found.tell(found.ask(), [100.0, 30_001])
    assert main(["status", "s"]) == 0
    out = capsys.readouterr().out
    assert "1 trained came out over the budget" in out
    assert "100.00 %" not in out


def test_status_says_what_is_interrupted_and_what_a_search_trains_now(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = open_study(study)
    found.enqueue_trial({}, user_attrs=found.trials[0].user_attrs)
    found.ask()
    assert main(["status", "s"]) == 0
    out = capsys.readouterr().out
    assert "2 trained, 0 failed, 1 interrupted, 0 pruned, 0 repeats; the same command goes on" in out
    assert "     2  interrupted: " in out
    assert "in training" not in out
    assert main(["status", "s", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["running"], told["interrupted"]) == (1, 1)
    with lock_study(study):
        assert main(["status", "s"]) == 0
        out = capsys.readouterr().out
        assert "2 trained, 0 failed, 1 running, 0 pruned, 0 repeats\n" in out
        assert "     2  in training: " in out
        assert main(["status", "s", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["running"], told["interrupted"]) == (1, 0)


def test_the_card_says_which_seed_is_exported_and_the_mean_over_seeds(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "s"]) == 0
    assert "mean over seeds" not in Path("studies/s/best/card.md").read_text(encoding="utf-8")
    leader = Study.read(study).leader
    assert leader is not None
    found = open_study(study)
    accuracy = (leader.val_accuracy or 0.0) - 1.0
    attributes = found.trials[leader.number].user_attrs | {
        "repeat": 1,
        "repeat_of": leader.number,
        "val_accuracy": accuracy,
    }
    found.enqueue_trial({}, user_attrs=attributes)
    found.tell(found.ask(), [accuracy, leader.macs])
    assert main(["export", "s", "--trial", str(leader.number)]) == 0
    card = (Study.read(study).folder_of(leader) / "export" / "card.md").read_text(encoding="utf-8")
    assert f"of the exported training, seed {leader.seed}" in card
    assert f"| validation accuracy, mean over seeds | {accuracy + 0.5:.2f} % (standard deviation 0.71, 2 tr" in card
    capsys.readouterr()


def test_the_plan_says_which_networks_are_baselines_and_warns_where_all_are(
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = [word for word in QUICK if word != "--no-baselines"]
    assert main([*words, "--networks", "1"]) == 0
    out = capfd.readouterr().out
    assert "plan      1 network (a baseline) of 1 epoch" in out
    warned = re.search(r"^warning: the only network is a baseline, .* with --networks (\d+) or more", out, re.MULTILINE)
    assert warned
    more = int(warned[1])
    every = list(Study.read(Path("studies/s")).records)
    known = [dataclasses.replace(record().architecture, stem_channels=width) for width in range(8, 8 + more - 2)]
    assert _baselines(every, known, more) == (more - 1, more - 1)
    assert _of_them(more, more - 1) == f" ({more - 1} baselines, then 1 of the space)"
    assert _of_them(more, 0) == ""


def test_a_baseline_in_training_or_trained_is_counted_once_and_one_that_failed_not_at_all() -> None:
    first = dataclasses.replace(record(), baseline="a", canonical_id=canonical_id(record().architecture))
    for state, there in (("complete", 1), ("pruned", 1), ("running", 1), ("failed", 0)):
        every = [dataclasses.replace(first, state=state)]
        assert _baselines(every, [first.architecture], 3) == (there, there)
    again = dataclasses.replace(first, repeat=1, repeat_of=0)
    assert _baselines([first, again], [first.architecture], 3) == (1, 1)


@pytest.mark.parametrize(
    ("optimism", "typical", "said"),
    [
        (1.234, 0.5, "1.23 points less than the best single training showed (0.50 in a typical search like this)"),
        (-0.004, 0.5, "0.00 points less than the best single training showed (0.50 in a typical search like this)"),
        (-0.35, 0.5, "0.35 points more than the best single training showed (0.50 less in a typical search like this)"),
    ],
)
def test_luck_is_said_without_a_sign(optimism: float, typical: float, said: str) -> None:
    assert luck_words(optimism, typical) == said


def test_each_line_of_a_search_says_the_number_of_its_network(capsys: pytest.CaptureFixture[str]) -> None:
    progress = SearchProgress(Clock(0, 5, 2.0, {}), None, of_macs(10**6))
    for found in (dataclasses.replace(record(), number=7), dataclasses.replace(record(), number=8, baseline="igc")):
        progress.started(found)
        assert f"  network {found.number}: " in progress._shown().running[0]
        progress.finished(found)
        name = "igc: " if found.baseline else ""
        assert f"  network {found.number}: {name}{found.architecture.label()}" in capsys.readouterr().out


def test_time_left_counts_known_and_searched_networks_at_the_pace_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("igcnas.cli.progress.clock.time.monotonic", lambda: now[0])

    def ended(found: TrialRecord, seconds: float) -> None:
        clock.started(found)
        now[0] += seconds
        clock.finished(found)

    resnet, igcv3 = (
        dataclasses.replace(record(), architecture=_architecture(name, [])) for name in ("resnet", "igcv3")
    )
    clock = Clock(2, 10, 3.0, {resnet.architecture.id: 20.0, igcv3.architecture.id: 40.0}, repeats=2)
    assert clock.seconds_left() == 20 + 40 + 6 * 3 + 2 * 3
    ended(resnet, 10.0)  # half of what was expected
    assert clock.seconds_left() == (40 + 6 * 3 + 2 * 3) / 2
    ended(dataclasses.replace(igcv3, state="failed"), 5.0)
    assert clock.seconds_left() == (7 * 3 + 2 * 3) / 2
    ended(dataclasses.replace(record(), state="pruned"), 13.0)  # 23 s for 20 + 3
    ended(record("failed", None), 1.0)
    assert clock.seconds_left() == 6 * 3 + 2 * 3
    assert clock.left() == "24 s"
    ended(dataclasses.replace(record(), repeat=1, repeat_of=0), 3.0)
    assert (clock.done, clock.repeats) == (4, 1)


def test_time_left_is_shared_by_the_workers_and_less_what_is_done_of_the_trainings_that_go_on() -> None:
    clock = Clock(0, 8, 3.0, {}, workers=4)
    assert clock.seconds_left() == 8 * 3 / 4
    for number in range(2):
        clock.started(dataclasses.replace(record(), number=number))
    clock.reached(record(), 1)  # of two epochs
    assert clock.seconds_left() == (8 * 3 - 1.5) / 4
    last = Clock(6, 8, 3.0, {}, workers=4)  # two trainings cannot be shared by four
    assert last.seconds_left() == 3.0


def test_lines_of_pruned_spared_and_repeated_networks_say_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    progress = SearchProgress(Clock(0, 5, 2.0, {}, repeats=3), None, of_macs(10**6))
    for found, part in (
        (dataclasses.replace(record("pruned", 99.0), pruned_at=2), "  pruned after epoch 2  ("),
        (dataclasses.replace(record(), spared_at=1), "  to be pruned after epoch 1, finished to check, best so far  ("),
        (dataclasses.replace(record(accuracy=98.0), repeat=2, repeat_of=7), "seed 3 of network 7: "),
    ):
        progress.started(found)
        progress.finished(found)
        assert part in capsys.readouterr().out
    assert progress.best is not None
    assert progress.best.val_accuracy == 50.0
    assert progress.clock.done == 2


@pytest.mark.parametrize(("seconds", "text"), [(89, "89 s"), (91, "2 min"), (5300, "88 min"), (7800, "2 h 10 min")])
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_macs_are_shown_in_millions_with_three_digits() -> None:
    assert [mega(macs) for macs in (28_755_840, 5_194, 200_000)] == ["28.8", "0.00519", "0.2"]


@pytest.mark.parametrize(
    ("asked", "begun", "processes", "engine"),
    [
        ("auto", None, 1, "fast"),
        ("auto", None, 2, "eager"),
        ("auto", "fast", 1, "fast"),
        ("auto", "eager", 1, "eager"),
        ("fast", "eager", 1, "fast"),
        ("eager", "fast", 1, "eager"),
    ],
)
def test_the_engine_is_the_one_asked_for_else_that_of_the_study_else_the_fast_one(
    asked: str, begun: str | None, processes: int, engine: str
) -> None:
    assert chosen_engine(asked, begun=begun, processes=processes) == engine


def test_a_study_from_before_there_were_engines_is_eager(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    assert begun_engine(path, "training") is None
    path.write_text('{"training": {"epochs": 3}}')
    assert begun_engine(path, "training") == "eager"
    path.write_text('{"training": {"engine": "fast"}}')
    assert begun_engine(path, "training") == "fast"
    path.write_text("{")
    assert begun_engine(path, "training") is None
