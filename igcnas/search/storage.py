"""The journal of a study: one Optuna record per line, whole after any kill, and one search per folder.

Convention: a record is there once its line ends in a newline and parses. Whatever follows the last such line was left
by a process that died while it wrote; readers pass over it and the next append cuts it off. The file stays a plain
Optuna journal, so `JournalFileBackend` and optuna-dashboard read it at any time; they use other locks, so let them
write to it (notes, deletions) only while no search runs.

Kernel locks (flock) end with their process, so nobody waits for a dead one. Optuna's own lock is a file that a killed
holder leaves behind: the others then wait 30 s for it, and append to the torn line, after which no process can load
the study again (optuna 5.0.0; optuna#5138, optuna#5921).
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend, JournalFileOpenLock

from igcnas.errors import MachineError, StudyError
from igcnas.system.files import fault, naming_faults

if TYPE_CHECKING:
    from optuna import Study

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)
_FIRST_BYTES = b'{"op_code":'  # of every record that Optuna writes
_MAKING, _OPERATIONS = (0, 1, 4), 11  # operations of Optuna that make and delete studies and trials; how many it knows
_SETTING = (5, 8)  # parameters and attributes of a trial, which nobody reads while they are set
# A search writes records of a few kilobytes with some twenty parameters; a study of 100,000 networks takes 1 GB.
_MOST_BYTES, _MOST_IN_LINE, _MOST_ENTRIES = 8 * 2**30, 64 * 2**20, 10_000
_log = logging.getLogger(__name__)
_held: set[int] = set()


class Journal(JournalStorage):
    """Optuna's storage. Its replay names the line that it cannot take, and it can write several records at once."""

    _held_back: list[dict[str, Any]] | None = None

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write what is set of trials in the block at its end: the same records, in order, and one wait for the disk.

        It can be read after the block. A kill meanwhile leaves some of the first records, as it does without.
        """
        self._held_back = []
        try:
            yield
        finally:
            records, self._held_back = self._held_back, None
            if records:
                with self._thread_lock:
                    self._backend.append_logs(records)
                    self._sync_with_backend()

    def _write_log(self, op_code: int, extra_fields: dict[str, Any]) -> None:
        record = {"op_code": op_code, "worker_id": self._replay_result.worker_id, **extra_fields}
        if self._held_back is not None and op_code in _SETTING:
            self._held_back.append(record)
            return
        self._backend.append_logs([*(self._held_back or ()), record])
        if self._held_back:
            self._held_back.clear()

    def _sync_with_backend(self) -> None:
        """Hear what is new. StudyError for a record of the right form and an impossible meaning."""
        if self._held_back:
            return
        last: dict[str, Any] = {}

        def records() -> Iterator[dict[str, Any]]:
            nonlocal last
            for record in self._backend.read_logs(self._replay_result.log_number_read):
                last = record
                yield record

        try:
            self._replay_result.apply_logs(records())
        except (StudyError, MemoryError):
            raise
        except Exception as error:  # whatever a wrong value makes the replay of Optuna raise
            own = last.get("worker_id") == self._replay_result.worker_id
            if own and isinstance(error, KeyError | DuplicatedStudyError | UpdateFinishedTrialError):
                raise  # what Optuna tells the caller of this very operation
            path, line = getattr(self._backend, "path", "of this study"), self._replay_result.log_number_read
            raise _damaged(path, line, last, " ".join(str(error).split())[:100] or type(error).__name__) from None


def open_storage(path: Path) -> JournalStorage:
    """Storage of the studies in the journal at ``path``; the file appears with the first write."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise StudyError(f"study folder {folder} does not exist; check the name of the study")
    return Journal(JournalBackend(path))


def together(study: Study) -> AbstractContextManager[None]:
    """`Journal.together`, where the study has a journal; a server hears each record by itself."""
    storage = study._storage
    return storage.together() if isinstance(storage, Journal) else nullcontext()


def place_of(study: Study) -> str:
    """Where the records of a study are, for a message: its journal, if it has one, else its name."""
    path = getattr(getattr(study._storage, "_backend", None), "path", None)
    return f"study {study.study_name!r}" if path is None else f"journal {path}"


@contextmanager
def lock_study(folder: Path, *, other: str = "use another --study name") -> Iterator[None]:
    """Keep every other process out of ``folder`` until the block ends or this process does.

    `other` is what a user may do instead. The pid of the holder is in ``folder/lock``. No child keeps the lock: another
    program never gets the descriptor (O_CLOEXEC, the default of os.open), and a plain fork, such as a worker of a
    DataLoader, closes it (_close_held).
    Windows has no flock: the pid is written there, but nobody is kept out.
    """
    path = str(folder.absolute() / "lock")
    with ExitStack() as stack:
        try:
            fd = stack.enter_context(_flock(path, exclusive=True, wait=False))
        except BlockingIOError:
            # The holder writes its pid just after it gets the lock; until then the file may be empty.
            pid = Path(path).read_text(encoding="ascii", errors="replace").strip() or "unknown"
            advice = f"wait until it ends, end it, or {other}"
            raise StudyError(f"study folder {folder} is in use by process {pid}; {advice}") from None
        except OSError as error:
            if error.errno in _NO_LOCKS:
                raise StudyError(f"cannot lock {path}: {error.strerror}; use a folder on a local disk") from error
            raise MachineError(fault("lock", path, error)) from error
        with suppress(OSError):  # on a full disk the holder has no name, and holds the lock all the same
            os.ftruncate(fd, 0)
            os.write(fd, f"{os.getpid()}\n".encode("ascii"))
        yield


def is_locked(folder: Path) -> bool:
    """Whether a process holds the lock of ``folder`` now; False where nobody can tell."""
    path = str(folder.absolute() / "lock")
    if fcntl is None or not os.path.exists(path):
        return False
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # for an instant; who begins just then is told to try again
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


class JournalBackend(BaseJournalBackend):
    """Journal file that a SIGKILL at any moment leaves readable and writable.

    Safe to share between threads and to pickle: every call opens, locks and closes files of its own.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = self._path = os.path.abspath(path)  # a process may change its directory between two appends
        self._position = (0, 0)  # records handed out so far, and the offset behind the last of them
        self._whole_end = 0  # offset behind some whole record: no byte before it ever changes again

    @property
    def position(self) -> tuple[int, int]:
        """Records handed out so far, and the bytes that they take."""
        return self._position

    def begin_at(self, records: int, size: int) -> None:
        """Take the first bytes for so many records that were read before; whoever says so must know it."""
        self._position, self._whole_end = (records, size), size

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Yield every record from number ``log_number_from`` on; an unfinished last line is not there yet."""
        number, offset = self._position
        if number > log_number_from:
            number, offset = 0, 0
        size = os.path.getsize(self._path) if os.path.exists(self._path) else 0
        if size in (0, offset):  # Optuna asks before every answer; mostly nothing is new
            return
        with naming_faults("read journal", self._path), open(self._path, "rb") as file:
            with self._no_repair():
                end = self._find_end(file)
            file.seek(offset)
            while offset < end:
                line = file.readline(_MOST_IN_LINE)
                number, offset = number + 1, offset + len(line)
                if number <= log_number_from:
                    continue
                record = _parse(line)
                if record is None:
                    raise _damaged(self._path, number, _start_of(line))
                if reason := _misfit(record):
                    raise _damaged(self._path, number, record, reason)
                self._position = (number, offset)
                yield record

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write ``logs`` behind the last whole record and return once the disk has them."""
        data = b"".join(json.dumps(log, separators=(",", ":")).encode() + b"\n" for log in logs)
        try:
            # Unbuffered: a buffer would try the rest once more on close, after the error was told.
            with self._only_writer(), open(self._path, "a+b", buffering=0) as file:
                end = self._find_end(file)
                torn = os.fstat(file.fileno()).st_size - end
                if torn:
                    _log.warning("journal %s: cut off %d bytes that a killed process left", self._path, torn)
                    file.truncate(end)
                if file.write(data) != len(data):  # the next append cuts it off
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
        except OSError as error:
            raise MachineError(fault("write journal", self._path, error)) from error
        self._whole_end = end + len(data)

    def _find_end(self, file: BinaryIO) -> int:
        """Offset behind the last whole record of ``file``."""
        known = self._whole_end
        if os.fstat(file.fileno()).st_size < known:
            raise StudyError(f"journal {self._path} was cut or replaced while it was open")
        if os.fstat(file.fileno()).st_size - known > _MOST_BYTES:
            raise StudyError(f"{self._path} has more than the {_MOST_BYTES:,} bytes of any journal; give another path")
        file.seek(known)
        tail = file.read()
        length = len(tail)
        while length:
            start = tail.rfind(b"\n", 0, length - 1) + 1
            if _parse(tail[start:length]) is not None:
                break
            length = start
        # No record at all: the first one is torn, or this is somebody's own file, which we must not cut.
        if known + length == 0 and not _FIRST_BYTES.startswith(tail[: len(_FIRST_BYTES)].rstrip(b"\0")):
            raise StudyError(f"{self._path} is not a journal of Optuna; give another path")
        self._whole_end = known + length
        return known + length

    @contextmanager
    def _only_writer(self) -> Iterator[None]:
        if fcntl is not None:
            with _flock(self._path + ".flock", exclusive=True):
                yield
            return
        lock = JournalFileOpenLock(self._path)
        lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _no_repair(self) -> Iterator[None]:
        """Hold off appends: the head of a torn line and the tail of its successor could pass for one record."""
        with ExitStack() as stack:
            with suppress(OSError):  # no such lock (yet), or no leave to open it: that is no reason not to look
                stack.enter_context(_flock(self._path + ".flock", exclusive=False))
            yield


def _parse(line: bytes) -> dict[str, Any] | None:
    """Record in ``line``, or None if the line is torn."""
    if not line.endswith(b"\n"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # not JSON, or not even UTF-8, or nested without end
        return None
    return record if isinstance(record, dict) and "op_code" in record else None


def _misfit(record: Mapping[str, Any]) -> str:
    """Why a record cannot be replayed, as far as its form tells; '' for a good one."""
    if type(record["op_code"]) is not int or not 0 <= record["op_code"] < _OPERATIONS:
        return f"unknown op_code {str(record['op_code'])[:20]!r}"
    if any(isinstance(part, dict | list) and len(part) > _MOST_ENTRIES for part in record.values()):
        return f"more than {_MOST_ENTRIES:,} entries in a field"
    return ""


def _start_of(line: bytes) -> dict[str, Any]:
    """What the first bytes of a damaged line say of its operation."""
    match = re.match(rb'\{"op_code": ?(\d+),', line)
    return {"op_code": int(match[1])} if match else {}


def _damaged(path: str, line: int, record: Mapping[str, Any], reason: str = "") -> StudyError:
    """The error, with a way out that works: later lines name a trial by how many were made before it."""
    why = f" ({reason})" if reason else ""
    if record.get("op_code", 0) not in _MAKING:
        return StudyError(f"journal {path} is damaged at line {line}{why}; remove that line to go on")
    keep = f"keep the {line - 1} lines before it alone" if line > 1 else "start another study"
    return StudyError(f"journal {path} is damaged at line {line}{why}; restore it from a copy, or {keep}")


@contextmanager
def _flock(path: str, *, exclusive: bool, wait: bool = True) -> Iterator[int]:
    """Lock the file at ``path``; a descriptor per call, so that threads keep each other out as processes do."""
    fd = os.open(path, os.O_CREAT | os.O_RDWR if exclusive else os.O_RDONLY, 0o666)
    _held.add(fd)
    try:
        if fcntl is not None:
            fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
        yield fd
    finally:
        if fd in _held:  # not so in a fork, where the number may belong to another file by now
            _held.remove(fd)
            os.close(fd)


def _close_held() -> None:
    """Close the locks of the parent in a forked child, so that they end with the parent."""
    while _held:
        os.close(_held.pop())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_held)
