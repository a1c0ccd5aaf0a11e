"""The connection to Ray: a cluster of its own on this machine, or one that runs; its nodes, and the actors on them."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from igcnas.errors import IgcnasError
from igcnas.search.cluster import scratch
from igcnas.system.extras import extra
from igcnas.system.resources import usable_cores

LOCAL, AUTO = "local", "auto"
# Only a data set that a node does not have goes through it.
_LOOPBACK = "127.0.0.1"
_OBJECT_STORE = 200_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RaySettings:
    """Which cluster, and what of it a worker takes.

    where: 'local' for a cluster of its own on this machine, 'auto' for the one that runs here, or host:port. per_gpu:
    workers that share a GPU. cpus: cores that a worker on a CPU, or on a share of a GPU, reserves.
    """

    where: str
    per_gpu: int = 1
    cpus: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A machine of the cluster. name: its host, with the address where that is not the same. room: workers that it has
    the cores or GPUs for, whoever uses them now.
    """

    id: str
    name: str
    address: str
    room: int
    draining: bool = False


class Cluster:
    """Use as a context manager. A cluster of its own ends with it, and with this process, however that ends."""

    def __init__(self, settings: RaySettings) -> None:
        self.settings = settings
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if settings.where == LOCAL and "ray" not in sys.modules and "RAY_AUTH_MODE" not in os.environ:
            # Ray listens on the network: nobody without this word is heard. It is read when Ray is imported.
            os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self._ray: Any = extra("ray", what="--ray")
        from ray import exceptions

        self._exceptions: Any = exceptions
        # What a call to a cluster may raise; all else is an error of this program.
        self.faults: tuple[type[Exception], ...] = (exceptions.RayError, ConnectionError, TimeoutError)
        self._session_folder: str | None = None
        self._loud: Callable[..., Any] | None = None

    def __enter__(self) -> Cluster:
        if self._ray.is_initialized():
            raise IgcnasError("this process is connected to a Ray cluster already; call ray.shutdown() before")
        where = self.settings.where
        how: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "namespace": "igcnas"}
        if where == LOCAL:
            how |= {"include_dashboard": False, "num_cpus": usable_cores(), "object_store_memory": _OBJECT_STORE}
            how["_node_ip_address"] = _LOOPBACK  # nobody else is to reach it
        with _own_signals():
            try:
                self._ray.init(address=where, **how)
            except (ConnectionError, ValueError, RuntimeError, OSError) as error:
                reason = " ".join(str(error).split())[:300]
                raise IgcnasError(
                    f"--ray {where}: no Ray cluster can be reached there ({reason}); start one with 'ray start "
                    "--head', or use --ray local"
                ) from error
        from ray._private import worker

        if where == LOCAL:
            with suppress(AttributeError):
                self._session_folder = worker._global_node.get_session_dir_path()
        # It prints the end of a node's log, among the results; what became of a node is said by this program.
        self._loud = getattr(worker, "print_to_stdstream", None)
        worker.print_to_stdstream = lambda *_, **__: None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()
        if self._loud is not None:
            from ray._private import worker

            worker.print_to_stdstream = self._loud
        if self._session_folder is not None:
            scratch.remove(Path(self._session_folder))

    @property
    def session(self) -> str:
        """A name that no other run on these machines has."""
        return str(self._ray.get_runtime_context().get_job_id()) + "-" + _SESSION

    def device(self, asked: str) -> str:
        """'cpu' or 'cuda', for `--device`; a GPU by its number is not asked of Ray."""
        if asked not in ("auto", "cpu", "cuda"):
            raise IgcnasError(f"--device {asked}: with --ray it is auto, cpu or cuda; Ray chooses the GPU")
        if asked == "cpu":
            return "cpu"
        gpus = any(one["Alive"] and one["Resources"].get("GPU") for one in self._ray.nodes())
        if asked == "cuda" and not gpus:
            raise IgcnasError("--device cuda: no node of the Ray cluster has a GPU; use --device cpu")
        return "cuda" if gpus else "cpu"

    def nodes(self, device: str) -> dict[str, Node]:
        """The nodes that are there, by their ids."""
        leaving = self._draining()
        found = {}
        for one in self._ray.nodes():
            if one["Alive"]:
                name, address = one["NodeManagerHostname"], one["NodeManagerAddress"]
                found[one["NodeID"]] = Node(
                    id=one["NodeID"],
                    name=f"node {name}" if name == address else f"node {name} ({address})",
                    address=address,
                    room=self._room(one["Resources"], device),
                    draining=one["NodeID"] in leaving,
                )
        return found

    def is_here(self, node: Node) -> bool:
        """Whether it is the machine of this process."""
        return bool(node.address == self._ray.util.get_node_ip_address())

    def trains_here(self) -> bool:
        """Whether a node with room is the machine of this process."""
        return any(node.room and self.is_here(node) for node in self.nodes("cpu").values())

    def spawn(self, node: Node, device: str, kind: type, *values: Any) -> Any:
        """An actor of this class on this node; it is there once there is room."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return (
            self._ray.remote(max_restarts=0, max_task_retries=0, concurrency_groups={"words": 1})(kind)
            .options(
                **self._share(device),
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
            )
            .remote(*values)
        )

    def put(self, value: Any) -> Any:
        """A reference to a value, which each node fetches once."""
        return self._ray.put(value)

    def answer(self, reference: Any, seconds: float) -> Any:
        """What a call gave; one of `faults` where it fails, or takes longer."""
        return self._ray.get(reference, timeout=seconds)

    def is_done(self, reference: Any) -> bool:
        """Whether a call has an answer or has failed."""
        done, _ = self._ray.wait([reference], timeout=0)
        return bool(done)

    def end(self, handle: Any) -> None:
        """End an actor, whatever it does."""
        with suppress(*self.faults, ValueError):
            self._ray.kill(handle, no_restart=True)

    def words(self, error: Exception) -> tuple[str, bool]:
        """What a fault means, in one line, and whether an actor was ended for want of memory."""
        known = self._exceptions
        text = " ".join(str(error).split())
        if isinstance(error, known.OutOfMemoryError) or "memory pressure" in text or "OOM" in text:
            return "ended by Ray for want of memory", True
        if isinstance(error, known.GetTimeoutError):
            return "it does not answer any more", False
        if isinstance(error, known.RayTaskError):
            return f"{type(error.cause).__name__}: {error.cause}" if error.cause else text[:200], False
        if isinstance(error, known.RayActorError):
            return "the actor is gone, by itself or with its node", False
        return text[:200], False

    def _share(self, device: str) -> Mapping[str, float]:
        if device == "cpu":
            return {"num_cpus": self.settings.cpus, "num_gpus": 0}
        return {"num_cpus": self.settings.cpus, "num_gpus": 1 / self.settings.per_gpu}

    def _room(self, resources: Mapping[str, float], device: str) -> int:
        cpus = int(resources.get("CPU", 0) / self.settings.cpus + 1e-9)
        if device == "cpu":
            return cpus
        return min(cpus, int(resources.get("GPU", 0) * self.settings.per_gpu + 1e-9))

    def _draining(self) -> set[str]:
        """Nodes that are to be taken away; Ray has no public name for that."""
        try:
            from ray._private.state import state

            return set(state.get_draining_nodes())
        except Exception:  # of another version: what trains there is moved when the node has gone
            return set()


_SESSION = secrets.token_hex(4)


class _own_signals:  # noqa: N801 - a context, read as words
    """Ray takes SIGTERM for itself; it is this program's."""

    def __enter__(self) -> None:
        self._before: Callable[..., Any] | int | None = signal.getsignal(signal.SIGTERM)

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread() and self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
