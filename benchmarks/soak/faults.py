"""What is done to a search. Each fault is a function that says whether it could be done."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.soak.scene import WORKER, Scene

_LONGEST = 2.0  # seconds that something is frozen, or away


def kill(scene: Scene) -> bool:
    """SIGKILL to the controller."""
    scene.kill()
    return True


def stop(scene: Scene) -> bool:
    """Ctrl-C, or SIGTERM."""
    scene.tell(scene.draws.choice((signal.SIGINT, signal.SIGTERM)))
    assert scene.process is not None
    scene.process.wait(120)
    return True


def tear(scene: Scene) -> bool:
    """SIGKILL to the controller, inside its write of a record."""
    scene.kill()
    content = scene.journal.read_bytes() if scene.journal.exists() else b""
    begin = content.rstrip(b"\n").rfind(b"\n") + 1
    if begin == 0 or len(content) - begin < 3:
        return False
    with scene.journal.open("r+b") as file:
        file.truncate(scene.draws.randrange(begin + 1, len(content)))
    return True


def cut(scene: Scene) -> bool:
    """SIGKILL to the controller; a file of a training that has not ended is half as long."""
    scene.kill()
    trials = scene.folder / "trials"
    files = [path for path in trials.glob("*/*") if path.is_file() and _unfinished(path.parent)]
    if not files:
        return False
    path = scene.draws.choice(sorted(files))
    os.truncate(path, path.stat().st_size // 2)
    return True


def worker(scene: Scene) -> bool:
    """SIGKILL to a process that trains."""
    found = _workers(scene)
    if not found:
        return False
    with contextlib.suppress(psutil.Error):
        scene.draws.choice(found).kill()
    return True


def frozen_worker(scene: Scene) -> bool:
    """SIGSTOP to a process that trains; it goes on a little later."""
    found = _workers(scene)
    if not found:
        return False
    scene.pause([scene.draws.choice(found)], scene.draws.uniform(0, _LONGEST))
    return True


def frozen_controller(scene: Scene) -> bool:
    """SIGSTOP to the controller; it goes on a little later."""
    assert scene.process is not None
    scene.pause([psutil.Process(scene.process.pid)], scene.draws.uniform(0, _LONGEST))
    return True


def clock(scene: Scene) -> bool:
    """The time of day jumps, up to two days forth or back."""
    if not scene.clock.environment:
        return False
    scene.clock.jump(scene.draws.randint(-172_800, 172_800))
    return True


def server_killed(scene: Scene) -> bool:
    """The database server crashes, and is started again a little later."""
    assert scene.server is not None
    scene.server.stop()
    time.sleep(scene.draws.uniform(0, _LONGEST))
    scene.server.start()
    return True


def server_frozen(scene: Scene) -> bool:
    """SIGSTOP to every process of the database server; they go on a little later."""
    assert scene.server is not None
    first = int((scene.server.data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
    main = psutil.Process(first)
    scene.pause([main, *main.children()], scene.draws.uniform(0, _LONGEST))
    return True


def sessions_ended(scene: Scene) -> bool:
    """The database server ends every session, as an administrator does."""
    assert scene.server is not None
    scene.server.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'studies' AND pid <> pg_backend_pid()"
    )
    return True


def actor(scene: Scene) -> bool:
    """SIGKILL to an actor of Ray; the process that trains ends with it."""
    return _ended(scene, "ray::")


def node(scene: Scene) -> bool:
    """SIGKILL to the node of Ray, the only one."""
    return _ended(scene, "raylet/raylet", "/raylet ")


def head(scene: Scene) -> bool:
    """SIGKILL to the process that knows what is in Ray's cluster."""
    return _ended(scene, "gcs_server")


_ALL: tuple[Callable[[Scene], bool], ...] = (kill, stop, worker, frozen_worker, frozen_controller, clock, cut)
FAULTS: dict[str, tuple[Callable[[Scene], bool], ...]] = {
    "journal": (*_ALL, kill, tear, tear, worker),
    "postgresql": (*_ALL, server_killed, server_frozen, sessions_ended, server_killed),
    "ray": (*_ALL, actor, actor, node, head),
}


def _workers(scene: Scene) -> list[psutil.Process]:
    return scene.descendants(WORKER)


def _ended(scene: Scene, *words: str) -> bool:
    found = scene.descendants(*words)
    if not found:
        return False
    with contextlib.suppress(psutil.Error):
        scene.draws.choice(found).kill()
    return True


def _unfinished(folder: Path) -> bool:
    """Whether a training has left no result yet."""
    return not (folder / "result.json").exists()
