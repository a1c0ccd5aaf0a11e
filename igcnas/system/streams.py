"""Standard output and error of a program: any encoding, closed, or with a reader that has gone.

Convention: nothing that is printed can end a program. What an encoding cannot say is written as an escape. When nobody
reads stdout any more (a pager was closed), the work goes on in silence: what it is for lies in files. What could not be
written for another reason, such as a full disk, is said at the end.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO, cast

# Of a pipe, a terminal, a socket; Windows says EINVAL of a pipe.
_READER_GONE = {errno.EPIPE, errno.EIO, errno.ECONNRESET, errno.EBADF} | ({errno.EINVAL} if os.name == "nt" else set())


class Streams:
    """sys.stdout and sys.stderr for the length of a block, so that nothing printed raises.

    unread: asked when the reader of stdout has gone, for a line about the work that goes on; None where there is none.
    lost: why output could not be written, where somebody still wanted it.
    """

    def __init__(self, unread: Callable[[], str | None]) -> None:
        self._unread = unread
        self.lost: OSError | None = None

    def __enter__(self) -> Streams:
        self._before = (sys.stdout, sys.stderr)
        sys.stderr = cast(TextIO, _Guarded(mended(sys.stderr), lambda _error: None))
        sys.stdout = cast(TextIO, _Guarded(mended(sys.stdout), self._output_lost))
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = self._before

    def say(self, line: str) -> None:
        """A line on stderr, if anyone is there."""
        sys.stdout.flush()
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def _output_lost(self, error: OSError) -> None:
        if error.errno not in _READER_GONE:
            self.lost = self.lost or error
        elif (line := self._unread()) is not None:
            self.say(f"note: nobody reads the output any more; {line}")


def mended(stream: TextIO | None) -> TextIO:
    """The stream, made able to say everything; one into nothing where there is none."""
    if stream is None or stream.closed:
        return open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")
    if isinstance(stream, io.TextIOWrapper):
        with suppress(OSError, ValueError):  # ValueError: closed beneath, or detached
            stream.reconfigure(errors="backslashreplace")
    return stream


def can_say(text: str, stream: TextIO) -> bool:
    """Whether the encoding of a stream has these characters."""
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (UnicodeError, LookupError):
        return False
    return True


class _Guarded:
    """A stream whose first failing write is told to `lost`; what comes after goes nowhere."""

    def __init__(self, stream: TextIO, lost: Callable[[OSError], None]) -> None:
        self._stream, self._lost = stream, lost

    def write(self, text: str) -> int:
        """As of a stream."""
        self._tried(lambda: self._stream.write(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """As of a stream."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """As of a stream."""
        self._tried(self._stream.flush)

    def _tried(self, work: Callable[[], object]) -> None:
        try:
            work()
        except OSError as error:
            _into_nothing(self._stream)
            self._lost(error)
        except ValueError:  # closed meanwhile
            pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _into_nothing(stream: TextIO) -> None:
    """What goes to its descriptor from now on goes nowhere, also that of libraries and what its buffer holds."""
    with suppress(OSError, ValueError):
        number = stream.fileno()
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, number)
        os.close(nothing)
