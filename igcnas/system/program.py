"""How a program of igcnas begins and ends, whatever machine it is started on: streams, libraries, errors, status.

Exit status: 0 done; 1 a fault of igcnas itself, with its traceback in a file; 2 a mistake of the user's or a fault of
the machine, in one line; 130 and 143 stopped by Ctrl-C and SIGTERM.
"""

from __future__ import annotations

import atexit
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from igcnas.errors import CaptureError, IgcnasError
from igcnas.system import again, files, folders, harmless, resources
from igcnas.system.streams import Streams

FAULT, REFUSED = 1, 2
INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
TRACEBACK = "IGCNAS_TRACEBACK"
# Errors of these libraries speak of the files that they were given, not of mistakes in igcnas.
_OF_FILES = (
    *("safetensors", "zipfile", "tarfile", "zlib", "lzma", "pickle", "_pickle", "struct", "json", "msgspec"),
    *("PIL", "onnx", "onnxruntime", "optuna"),
)
_NO_MEMORY = ("allocate memory", "failed to map segment", "std::bad_alloc")


class Terminated(KeyboardInterrupt):
    """SIGTERM, where nothing else was arranged: unwinds as Ctrl-C does, so that nothing half-written stays."""


def run(work: Callable[[], int], *, unread: Callable[[], str | None] = lambda: None, ends_process: bool = False) -> int:
    """Do the work of a program; its exit status. Every error is one line on stderr.

    unread: what is said where nobody reads the output any more (igcnas.system.streams). ends_process: nothing else
    follows.
    """
    prepare()
    status = _guarded(work, unread, repeatable=ends_process and again.reason() is None)
    if status == again.WANTED:
        return again.begin()
    if ends_process and status in (INTERRUPTED, TERMINATED):
        _ignore_ctrl_c()  # the impatient press it again while the interpreter takes itself apart
    return status


def _guarded(work: Callable[[], int], unread: Callable[[], str | None], *, repeatable: bool) -> int:
    with Streams(unread) as streams, _termination():
        try:
            with harmless.harmless_output():
                status = work()
        except BaseException as error:
            status = _ended(error, streams, repeatable=repeatable)
        sys.stdout.flush()
        if streams.lost is not None:
            streams.say(f"error: cannot write the output: {streams.lost.strerror or streams.lost}")
            status = status or REFUSED
    return status


def leave(status: int) -> NoReturn:
    """End this process with this status: after all that it has arranged for its end, but before the interpreter takes
    itself and its libraries apart, which takes up to a second after torch.
    """
    global _status
    _status = status
    sys.exit(status)


def _leave() -> None:
    """Runs after what libraries that were imported later have arranged."""
    if _status is not None:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # nobody reads it, it is closed, there is none
                stream.flush()
        os._exit(_status)


_status: int | None = None
atexit.register(_leave)


def prepare() -> None:
    """What must be so before the libraries are imported, in this process and in those that it starts."""
    _open_standard_descriptors()
    folders.settle_libraries()
    resources.settle_threads()


def message(error: BaseException) -> tuple[int, str]:
    """Exit status and the line for an error."""
    if isinstance(error, IgcnasError):
        return REFUSED, _line(str(error))
    text = str(error)
    if isinstance(error, MemoryError | ImportError | OSError | RuntimeError) and (line := _of_shortage(error, text)):
        return REFUSED, line
    if isinstance(error, ImportError):
        return REFUSED, _of_import(error)
    if isinstance(error, OSError):
        return REFUSED, _of_system(error)
    if isinstance(error, UnicodeError):
        return REFUSED, f"text that is not UTF-8, or cannot be written as such: {_line(text)}"
    library = type(error).__module__.partition(".")[0]
    if library in _OF_FILES or isinstance(error, EOFError | RecursionError):
        return REFUSED, f"a file is damaged or not what it should be ({library}: {_line(text)})"
    return FAULT, f"a fault of igcnas, not of yours: {type(error).__name__}: {_line(text)}"


def _of_shortage(error: BaseException, text: str) -> str | None:
    """What the machine lacks, if that is what the error says: libraries say it in errors of every kind."""
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, MemoryError) or number == errno.ENOMEM or _contains(text, _NO_MEMORY):
        return "the memory that this process may take does not suffice; fewer --workers need less (igcnas doctor)"
    if number == errno.EAGAIN or _contains(text, ("start new thread",)):
        return "the system allows no further process or thread; raise its limits (ulimit -u, ulimit -v)"
    if isinstance(error, RuntimeError) and "home directory" in text:
        return "nothing says where the home folder is; write paths without '~', or set HOME"
    return None


def _contains(text: str, parts: tuple[str, ...]) -> bool:
    return any(part in text for part in parts)


def _ended(error: BaseException, streams: Streams, *, repeatable: bool) -> int:
    """Say how it ended; the exit status. repeatable: the command may begin again."""
    _ignore_ctrl_c()  # a further one must not break into this
    if isinstance(error, CaptureError) and repeatable:
        again.ask(str(error))
        streams.say(f"note: {_line(str(error))}; this command begins again from its checkpoints, step by step")
        return again.WANTED
    if _is_interrupt(error):
        streams.say("stopped")
        return TERMINATED if isinstance(error, Terminated) else INTERRUPTED
    if isinstance(error, SystemExit | GeneratorExit):
        raise error
    status, line = message(error)
    if os.environ.get(TRACEBACK):
        import traceback

        streams.say("".join(traceback.format_exception(error)).rstrip())
    elif status == FAULT:
        line += f"; {_kept(error)}"
    streams.say(f"error: {line}")
    return status


def _ignore_ctrl_c() -> None:
    with suppress(ValueError):  # in a thread, where none arrives
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _is_interrupt(error: BaseException | None) -> bool:
    """Also Ctrl-C that came while a library was imported, which some turn into an ImportError."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or (error.__context__ if isinstance(error, ImportError) else None)
    return False


def _kept(error: BaseException) -> str:
    """Where the traceback is now."""
    import traceback

    text = "".join(traceback.format_exception(error))
    if (folder := folders.writable(folders.caches())) is not None:
        path = folder / "fault.txt"
        with suppress(IgcnasError, OSError):
            files.write_whole(path, text.encode("utf-8", "backslashreplace"))
            return f"please report it with {path}"
    return f"please report it with what {TRACEBACK}=1 shows"


def _of_system(error: OSError) -> str:
    """The system's reason, with the file and the way out."""
    if error.filename is None:
        return files.fault("go", "on", error) if error.errno else _line(str(error))
    return files.fault(
        "use", os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename, error
    )


def _of_import(error: ImportError) -> str:
    name = (error.name or "").partition(".")[0]
    if name == "igcnas":
        return f"the installation of igcnas is not whole ({_line(str(error))}); install it again"
    return f"{name or 'a library'} cannot be imported ({_line(str(error))}); install it again, or see igcnas doctor"


def _line(text: str) -> str:
    """On one line, of a length that can be read."""
    text = harmless.line(" ".join(text.split()))
    return text if len(text) <= 1000 else text[:1000] + "..."


@contextmanager
def _termination() -> Iterator[None]:
    """SIGTERM unwinds, until something else is arranged for it; a thread arranges nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    if before[signal.SIGTERM] is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # of C code
                signal.signal(number, handler)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def _open_standard_descriptors() -> None:
    """A descriptor that the shell has closed (>&-) would be given to the next file, which stray output then ruins."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                found = os.open(os.devnull, os.O_RDWR)
                if found != number:
                    os.dup2(found, number)
                    os.close(found)
                os.set_inheritable(number, True)
