"""Searches and campaigns on a real Ray cluster: its nodes, processes of this machine, come, go and are killed."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from support.acting import SETUP as WHOLE
from support.acting import training
from support.campaigns import Silent
from support.workers import network, setup, wait_until

from igcnas.cli import main, ray_workers
from igcnas.data.loading import load_dataset
from igcnas.errors import IgcnasError
from igcnas.search.campaign import Campaign
from igcnas.search.cluster import Cluster, RayEvaluator, RaySettings, evaluator, remote
from igcnas.search.evaluation import Interrupted, Outcome, ProcessEvaluator, Slot
from igcnas.search.settings import DataSettings
from igcnas.training.reports import EpochReport

ray = pytest.importorskip("ray")
ROOT = Path(__file__).resolve().parents[1]
OFTEN = dataclasses.replace(setup(8), checkpoint_seconds=0.0)
LONG = dataclasses.replace(setup(400), checkpoint_seconds=0.0)
_MEMORY = 80_000_000


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A head with one core; tests add nodes to it."""
    from ray.cluster_utils import Cluster as Nodes

    before = dict(os.environ)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    found = Nodes(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": _MEMORY, "include_dashboard": False},
    )
    try:
        yield found
    finally:
        session = found.head_node.get_session_dir_path()
        found.shutdown()
        shutil.rmtree(session, ignore_errors=True)
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def cluster(nodes: Any) -> Iterator[Cluster]:
    with Cluster(RaySettings(where=nodes.address)) as found:
        yield found


@pytest.fixture
def second(nodes: Any) -> Iterator[Any]:
    """One more node with a core, for one test."""
    node = nodes.add_node(num_cpus=1, object_store_memory=_MEMORY)
    yield node
    if node in nodes.list_all_nodes():
        nodes.remove_node(node)


def train(
    workers: RayEvaluator, folder: Path, count: int, told: Callable[..., Any] = lambda *_: None
) -> dict[int, Any]:
    for number in range(count):
        workers.submit(number, network(2 + number), folder / "trials" / str(number))
    return dict(workers.wait(told) for _ in range(count))


def weights(folder: Path, number: int) -> bytes:
    return (folder / "trials" / str(number) / "weights.safetensors").read_bytes()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two networks as a worker of this machine trains them."""
    folder = tmp_path_factory.mktemp("alone")
    with ProcessEvaluator(OFTEN, slots=[Slot(device="cpu", threads=1)]) as workers:
        for number in range(2):
            workers.submit(number, network(2 + number), folder / "trials" / str(number))
        for _ in range(2):
            workers.wait(lambda *_: None)
    return folder


def same_as(alone: Path, folder: Path, outcomes: dict[int, Outcome]) -> bool:
    done = all(outcomes[number].reason is None for number in range(2))
    return done and all(weights(folder, number) == weights(alone, number) for number in range(2))


def test_a_node_that_joins_in_the_middle_is_used(nodes: Any, cluster: Cluster, tmp_path: Path, alone: Path) -> None:
    added: list[Any] = []
    with RayEvaluator(OFTEN, cluster, most=2) as workers:
        workers.start()
        assert workers.slots == 1
        workers.submit(0, network(2), tmp_path / "trials" / "0")
        workers.submit(1, network(3), tmp_path / "trials" / "1")

        def told(_number: int, _report: EpochReport) -> None:
            if not added:
                added.append(nodes.add_node(num_cpus=1, object_store_memory=_MEMORY))

        outcomes = dict(workers.wait(told) for _ in range(2))
        workers.submit(2, network(2), tmp_path / "trials" / "2")
        joined = wait_until(lambda: bool(workers._follow()) or len(set(workers.nodes)) == 2)
    nodes.remove_node(added[0])
    assert joined
    assert same_as(alone, tmp_path, outcomes)


def test_what_a_dead_node_trained_goes_on_elsewhere_to_the_same_bits(
    nodes: Any, cluster: Cluster, second: Any, tmp_path: Path, alone: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    notes: list[str] = []
    heard: dict[int, list[int]] = {0: [], 1: []}
    with RayEvaluator(OFTEN, cluster, most=2, note=notes.append) as workers:
        workers.start()
        assert workers.slots == 2

        def told(number: int, report: EpochReport) -> None:
            heard[number].append(report.epoch)
            if second in nodes.list_all_nodes() and report.epoch == 3:
                nodes.remove_node(second, allow_graceful=False)

        outcomes = train(workers, tmp_path, 2, told)
        assert workers.slots == 1
    assert same_as(alone, tmp_path, outcomes)
    assert [note for note in notes if "begun again elsewhere" in note]
    assert "raylet" not in capfd.readouterr().out  # Ray would print what its node logged
    assert not list(tmp_path.rglob("checkpoint.pt"))


def test_a_node_that_drains_gets_no_more_work(nodes: Any, cluster: Cluster, second: Any, tmp_path: Path) -> None:
    with RayEvaluator(setup(2), cluster, most=2) as workers:
        workers.start()
        assert wait_until(lambda: bool(workers._follow()) or workers.slots == 2)
        client = ray._private.worker.global_worker.gcs_client
        reason = ray.core.generated.autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        client.drain_node(second.node_id, reason, "test", int(1000 * (time.time() + 600)))
        assert all(outcome.reason is None for outcome in train(workers, tmp_path, 3).values())
        assert wait_until(lambda: bool(workers._follow()) or workers.slots == 1)
        assert second.node_id not in {node.id for node in workers.nodes}


def test_a_worker_that_dies_or_hangs_is_replaced_by_its_actor(cluster: Cluster, tmp_path: Path, alone: Path) -> None:
    acted: set[int] = set()
    with RayEvaluator(OFTEN, cluster, most=1, epoch_deadline=2.0) as workers:
        workers.start()

        def told(number: int, report: EpochReport) -> None:
            if number not in acted and report.epoch == 3:
                acted.add(number)
                os.kill(workers.pids[0], signal.SIGKILL if number == 0 else signal.SIGSTOP)

        assert same_as(alone, tmp_path, train(workers, tmp_path, 2, told))
    assert acted == {0, 1}


def test_an_actor_that_does_not_answer_is_given_up(
    cluster: Cluster, tmp_path: Path, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_PATIENCE_SECONDS", 3.0)
    stopped: list[int] = []
    notes: list[str] = []
    with RayEvaluator(OFTEN, cluster, most=1, note=notes.append) as workers:
        workers.start()

        def told(_number: int, _report: EpochReport) -> None:
            if not stopped:
                worker = psutil.Process(workers.pids[0])
                stopped.append(worker.ppid())
                worker.suspend()
                os.kill(worker.ppid(), signal.SIGSTOP)

        try:
            assert same_as(alone, tmp_path, train(workers, tmp_path, 2, told))
        finally:
            for pid in stopped:
                if psutil.pid_exists(pid):
                    os.kill(pid, signal.SIGKILL)
    assert "does not answer" in " ".join(notes)


def test_an_actor_that_ray_ends_for_want_of_memory_says_so(cluster: Cluster) -> None:
    assert cluster.words(ray.exceptions.OutOfMemoryError("killed")) == ("ended by Ray for want of memory", True)
    assert cluster.words(ray.exceptions.ActorDiedError())[1] is False


def test_a_node_with_other_packages_is_refused_by_name(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = evaluator.facts()
    other = dataclasses.replace(mine, packages={**mine.packages, "torch": "1.0"})
    monkeypatch.setattr(evaluator, "facts", lambda: other)
    with RayEvaluator(OFTEN, cluster, most=1) as workers, pytest.raises(IgcnasError) as caught:
        workers.start()
    assert f"is refused: torch {mine.packages['torch']}, here 1.0" in str(caught.value)
    assert str(caught.value).startswith("node ")


def npz(path: Path, first: int) -> DataSettings:
    pictures = np.full((200, 8, 8), first, dtype=np.uint8)
    pictures[:, 0, :] = np.arange(200)[:, None]
    np.savez(path, images=pictures, labels=np.arange(200) % 10)
    training = OFTEN.training
    return DataSettings.of(load_dataset(f"npz:{path}"), training, spec=f"npz:{path}", data_dir=None, image_size=None)


def test_a_node_with_another_data_set_is_refused_by_name(cluster: Cluster, tmp_path: Path) -> None:
    settings = npz(tmp_path / "a.npz", 1)
    npz(tmp_path / "a.npz", 2)
    wrong = dataclasses.replace(OFTEN, data=settings)
    with RayEvaluator(wrong, cluster, most=1) as workers, pytest.raises(IgcnasError, match="is another one") as caught:
        workers.start()
    assert "a.npz" in str(caught.value)


def test_a_node_without_the_data_set_is_sent_it(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = npz(tmp_path / "b.npz", 1)
    here = settings.load()
    (tmp_path / "b.npz").unlink()
    monkeypatch.setattr(DataSettings, "load", lambda self: here)
    with RayEvaluator(dataclasses.replace(setup(2), data=settings), cluster, most=1) as workers:
        workers.start()
        outcome = train(workers, tmp_path, 1)[0]
    assert outcome.reason is None
    assert outcome.results["val_accuracy"] >= 0


def test_a_search_waits_for_a_worker_with_a_bound(cluster: Cluster) -> None:
    from igcnas.search.cluster.cluster import RaySettings as Settings

    before, cluster.settings = cluster.settings, Settings(where="auto", cpus=64.0)
    try:
        workers = RayEvaluator(OFTEN, cluster, most=1, wait_seconds=0.5)
        with workers, pytest.raises(IgcnasError, match="nothing is lost: free its cores or add nodes"):
            workers.start()
    finally:
        cluster.settings = before


def test_a_campaign_on_ray_is_stopped_and_goes_on_to_the_same_weights(cluster: Cluster, tmp_path: Path) -> None:
    often = dataclasses.replace(WHOLE, checkpoint_seconds=3600.0)
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    with ProcessEvaluator(often, slots=[Slot(device="cpu", threads=1)]) as here:
        Campaign([training(tmp_path / "here")]).run(here, Silent())
    told: list[int] = []

    class Heard(Silent):
        def epoch(self, training: Any, report: EpochReport) -> None:
            told.append(report.epoch)

    campaign = Campaign([training(tmp_path / "there")])
    with RayEvaluator(often, cluster, most=1, stop=lambda: bool(told), stop_seconds=30.0) as workers:
        workers.start()
        with pytest.raises(Interrupted):
            campaign.run(workers, Heard())
    (checkpoint,) = (tmp_path / "there").glob("*.pt")  # saved at the stop, there, and brought here
    assert checkpoint.stat().st_size > 0
    with RayEvaluator(often, cluster, most=1) as workers:
        workers.start()
        campaign.run(workers, Silent())
    (found,), (wanted,) = ((tmp_path / name).glob("*.safetensors") for name in ("there", "here"))
    assert found.read_bytes() == wanted.read_bytes()


def search(*more: str) -> list[str]:
    words = "search --budget-mflops 0.05 --data digits --networks 5 --no-baselines --epochs 3 --seeds 1 --no-export"
    return [*words.split(), "--device", "cpu", "--workers", "1", *more]


def test_a_search_whose_controller_is_killed_ends_as_one_without_ray(
    nodes: Any, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = search("--studies-dir", str(tmp_path), "--study", "there", "--ray", nodes.address)
    run = [sys.executable, "-c", "import sys; from igcnas.cli import main; sys.exit(main(sys.argv[1:]))", *there]
    with open(tmp_path / "out", "w") as output:
        killed = subprocess.Popen(run, stdout=output, stderr=output)
        trial = tmp_path / "there" / "trials" / "00001"
        assert wait_until(lambda: trial.exists() or killed.poll() is not None, 60.0)
        killed.kill()
        killed.wait()
    assert trial.exists(), (tmp_path / "out").read_text()
    assert wait_until(lambda: ray.available_resources().get("CPU") == 1.0)  # its actors ended with it
    monkeypatch.setattr(ray_workers, "_OPEN", [cluster])
    assert main(there) == 0
    assert main(search("--studies-dir", str(tmp_path), "--study", "here")) == 0
    capsys.readouterr()
    found, wanted = (rows(tmp_path / name / "trials.csv") for name in ("there", "here"))
    assert len(found) == 5
    assert found == wanted


def rows(path: Path) -> list[dict[str, str]]:
    import csv

    with open(path, newline="", encoding="utf-8") as file:
        return [
            {k: v for k, v in row.items() if k not in ("seconds", "peak_memory_mb")} for row in csv.DictReader(file)
        ]
