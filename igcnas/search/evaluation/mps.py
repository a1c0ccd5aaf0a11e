"""NVIDIA's MPS, under which kernels of several processes run on a GPU at the same time; without it they take turns.

A daemon serves the processes that have the folder of its pipes in their environment. Where workers share a GPU, a
search starts one for the GPUs that they share, with a folder of its own that no other program knows, and stops it when
its workers have ended. A daemon that runs already is used as the user has set it up, and is never told anything but to
list its servers. No setting of a GPU is ever changed: not its mode, not MIG.

A search that is killed can stop nothing. So each holds a lock in its folder, which ends with the process; the next one
finds folders that nobody holds, and stops the daemons there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from igcnas.errors import IgcnasError
from igcnas.search.evaluation import gpus
from igcnas.search.evaluation.gpus import VISIBLE
from igcnas.search.evaluation.slots import Slot
from igcnas.search.storage import is_locked, lock_study
from igcnas.system import folders

PROGRAM = "nvidia-cuda-mps-control"
_PIPES, _LOGS = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"
_PREFIX, _NEW = "mps-", "new-mps-"
_ANSWER_SECONDS, _END_SECONDS = 20.0, 60.0
# Names of sockets are at most 107 bytes long, and the daemon puts its own behind the folder.
_LONGEST_FOLDER = 70


class _Refused(Exception):  # noqa: N818 - a reason to go on without
    """Why no daemon can be had."""


class Mps:
    """MPS for the workers of one search. Leave the block when they have ended. note: told what a user should know."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note, self._ends = note, ExitStack()

    def __enter__(self) -> Mps:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    def share(self, slots: Sequence[Slot]) -> list[Slot]:
        """The slots as they are; those of a shared GPU with a daemon, where one can be had."""
        if all(slot.device == "cpu" for slot in slots):
            return list(slots)
        program, base = shutil.which(PROGRAM), folders.private_temporary()
        if program is not None and base is not None:
            for folder in _left(base):
                self._stop(program, folder)
        devices = [slot.device for slot in slots]
        shared = {slot.device: slot for slot in slots if devices.count(slot.device) > 1}
        if not shared or (program is not None and _runs_already(program)):
            return list(slots)
        try:
            folder = self._start(program, base, list(shared.values()))
        except (_Refused, OSError, subprocess.SubprocessError, IgcnasError) as error:
            why = str(error).splitlines()[0]
            self._note(f"several workers share a GPU without MPS, so their kernels take turns: {why}")
            return list(slots)
        return [
            replace(slot, mps=str(_pipes(folder)), visible=slot.gpu.uuid)
            if slot.device in shared and slot.gpu is not None
            else slot
            for slot in slots
        ]

    def _start(self, program: str | None, base: Path | None, shared: Sequence[Slot]) -> Path:
        """The folder of a daemon for these GPUs, that was seen to work."""
        uuids = [slot.gpu.uuid for slot in shared if slot.gpu is not None and slot.gpu.uuid is not None]
        if program is None:
            raise _Refused(f"{PROGRAM} is not here")
        if len(uuids) < len(shared):
            raise _Refused("a GPU without a UUID of its own, such as a part of one (MIG)")
        if base is None or len(os.fsencode(base)) > _LONGEST_FOLDER - len(_PREFIX) - 8:
            raise _Refused("there is no safe temporary folder of a short name (TMPDIR)")
        visible = ",".join(uuids)
        with ExitStack() as ends:
            folder = ends.enter_context(_own_folder(base))
            ends.callback(self._stop, program, folder)
            _begin(program, folder, visible)
            # A daemon that answers may still have no server for a GPU: then no process could use it.
            seen = gpus.ask(range(len(uuids)), {_PIPES: str(_pipes(folder)), VISIBLE: visible})
            if len(seen) < len(uuids):
                raise _Refused(f"a process under it saw {len(seen)} of {len(uuids)} GPUs")
            self._ends.enter_context(ends.pop_all())
        return folder

    def _stop(self, program: str, folder: Path) -> None:
        """End the daemon of this folder, which is of a search that has ended or ends; then the folder goes."""
        if _ask(program, "get_server_list", folder) is not None:
            _ask(program, "quit", folder, seconds=_END_SECONDS)
            if _ask(program, "get_server_list", folder) is not None:
                self._note(
                    f"the MPS daemon of {folder} does not end; by hand: echo quit | {_PIPES}={_pipes(folder)} {PROGRAM}"
                )
                return
        shutil.rmtree(folder, ignore_errors=True)


def _begin(program: str, folder: Path, visible: str) -> None:
    """Start a daemon. It goes on in the background, so nothing that this process waits for may be its output."""
    words = folder / "said.txt"
    with words.open("wb") as said:
        # Its children have the numbers of the GPUs that it sees; UUIDs mean the same to all.
        done = subprocess.run(
            [program, "-d"],
            env=_environment(folder) | {VISIBLE: visible},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd="/",
            start_new_session=True,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    if done.returncode != 0 or _ask(program, "get_server_list", folder) is None:
        text = words.read_text(encoding="utf-8", errors="replace").strip().replace("\n", " ")
        raise _Refused(text or f"{PROGRAM} -d ended with status {done.returncode}")


def _runs_already(program: str) -> bool:
    """Whether a daemon of the user's, or of the system, serves the processes that this one starts."""
    named = os.environ.get(_PIPES)
    if named and (Path(named) / "control").exists():
        return True
    return _ask(program, "get_server_list", None) is not None


def _ask(program: str, words: str, folder: Path | None, *, seconds: float = _ANSWER_SECONDS) -> str | None:
    """What a daemon answers; None where there is none. folder: of one of ours; None for that of the environment."""
    environment = None if folder is None else _environment(folder)
    try:
        done = subprocess.run(
            [program],
            input=f"{words}\n",
            env=environment,
            capture_output=True,
            start_new_session=True,  # Ctrl-C is for the search, which still has to say "quit"
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return ""  # somebody is there
    except OSError:
        return None
    return None if done.returncode != 0 or "cannot find" in (done.stdout + done.stderr).lower() else done.stdout


def _environment(folder: Path) -> dict[str, str]:
    mine = {_PIPES: str(_pipes(folder)), _LOGS: str(folder / "logs")}
    return {name: value for name, value in os.environ.items() if name != VISIBLE} | mine


def _pipes(folder: Path) -> Path:
    return folder / "pipes"


@contextmanager
def _own_folder(base: Path) -> Iterator[Path]:
    """A folder that is held until the block ends; it has its name only once it is."""
    made = Path(tempfile.mkdtemp(prefix=_NEW, dir=base))  # of this user alone
    with lock_study(made):
        folder = made.with_name(_PREFIX + made.name.removeprefix(_NEW))
        made.rename(folder)
        for name in (_pipes(folder), folder / "logs"):
            name.mkdir(mode=0o700)
        yield folder


def _left(base: Path) -> Iterator[Path]:
    """Folders of searches that were killed; each is held while it is looked at."""
    for folder in sorted(base.glob(f"{_PREFIX}*")):
        if is_locked(folder):
            continue
        with suppress(IgcnasError), lock_study(folder):  # another search may look, too
            yield folder
