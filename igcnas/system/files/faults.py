"""Faults of the machine, in one line: which file, why, what to do."""

from __future__ import annotations

import errno
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from igcnas.errors import IgcnasError, MachineError

_ADVICE = {
    errno.ENOSPC: "make room and run the same command again",
    errno.EDQUOT: "make room within your quota and run the same command again",
    errno.EFBIG: "raise the limit of the size of files (ulimit -f)",
    errno.EROFS: "the file system is read-only; name another folder",
    errno.EACCES: "give leave to write there, or name another folder",
    errno.EPERM: "give leave to write there, or name another folder",
    errno.EMFILE: "raise the number of files that a process may open (ulimit -n)",
    errno.ENFILE: "the system has too many open files; end other programs",
    errno.ENOMEM: "free some memory",
    errno.EAGAIN: "end other programs, or raise the number of processes (ulimit -u)",
    errno.EIO: "the disk reports a fault; check it, or name a folder on another",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ENOENT: "the folder is not there; bring it back, or name another",
    errno.EISDIR: "move that folder away, or give another name",
}
# By these words the machine is known where a library tells the reason in words alone. Not 'Cannot allocate memory':
# torch says so where one network is too large.
_TOLD_IN_WORDS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE, errno.EROFS, errno.EACCES)
# Signals by which the system ends a process for what the machine lacks, whatever that was computing.
_DEATHS = {
    "SIGBUS": "a file that is mapped into memory could not be read or written; make room on the disk and in shared "
    "memory (/dev/shm), and if there is room check the disk",
    "SIGXCPU": "the limit of its processor time is reached; raise it (ulimit -t)",
}
_RUST = re.compile(r"\(os error (\d+)\)")


@contextmanager
def naming_faults(verb: str, path: Path | str) -> Iterator[None]:
    """Turn a fault of the machine in the block into a MachineError: which file, why, what to do."""
    try:
        yield
    except Exception as error:  # libraries wrap an OSError into errors of all kinds
        found = None if isinstance(error, IgcnasError) else machine_fault(error)
        if found is None:
            raise
        raise MachineError(fault(verb, path, found)) from error


@contextmanager
def going_on() -> Iterator[None]:
    """Add to a MachineError of the block that the command can be given again: for those that take up their work."""
    try:
        yield
    except MachineError as error:
        text = str(error)
        again = "" if "same command" in text else ": the same command then goes on"
        raise MachineError(text if "nothing is lost" in text else f"{text}; nothing is lost{again}") from error


def fault(verb: str, path: Path | str, error: OSError) -> str:
    """One line: "cannot write FILE: No space left on device; make room and run the same command again"."""
    advice = _ADVICE.get(error.errno or 0)
    return f"cannot {verb} {path}: {reason_of(error)}" + (f"; {advice}" if advice else "")


def machine_fault(error: BaseException | None) -> OSError | None:
    """The fault of the machine that is behind an error; None where there is none.

    Any OSError with a number is one, also as the cause of a library's own error, but for a pipe whose other end is
    gone. Other errors are where their words are those of the system.
    """
    while error is not None:
        if isinstance(error, OSError):
            return None if error.errno is None or isinstance(error, ConnectionError) else error
        words = str(error)
        number = _RUST.search(words)
        if number:  # safetensors, which is written in Rust
            return OSError(int(number[1]), os.strerror(int(number[1])))
        for code in _TOLD_IN_WORDS:
            if os.strerror(code) in words:
                return OSError(code, os.strerror(code))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return None


def deadly_fault(status: int) -> str | None:
    """The fault of the machine by which a process died with this exit status; None for any other end."""
    for name, text in _DEATHS.items():
        if status == -getattr(signal, name, 0) != 0:
            return f"{name}: {text}"
    return None


def describe_fault(error: OSError) -> str:
    """The same as `fault`, where it is not known what was to be done."""
    if error.filename is not None:
        return fault("use", os.fsdecode(error.filename), error)
    advice = _ADVICE.get(error.errno or 0)
    return f"this machine has a fault: {reason_of(error)}" + (f"; {advice}" if advice else "")


def reason_of(error: OSError) -> str:
    """In the words of the system."""
    return error.strerror or str(error) or type(error).__name__
