"""The trials of a long journal as they were read last, beside it: the next command reads what came after.

The journal stays what is true. A snapshot says of how many of its bytes it is, with their digest; where these bytes are
not those of the journal, or anything else is odd, it is passed over and replaced. It can be deleted at any time.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import msgspec

from igcnas.errors import IgcnasError
from igcnas.search.playback import Playback, ReadTrial, UnknownRecordError
from igcnas.search.storage import JournalBackend
from igcnas.system.files import write_whole

FILE = "journal.snapshot"
_FORMAT = 1
# Records of a journal that are read again in less than a tenth of a second.
_FEW = 5_000
_AT_ONCE = 1 << 20


class _Snapshot(msgspec.Struct, array_like=True):
    """size: bytes of the journal that it is of; digest: their SHA-256. records: lines in them."""

    format: int
    size: int
    digest: str
    records: int
    trials: list[ReadTrial]
    distributions: dict[str, str]


class Reading:
    """The trials of a journal, and what is to be kept of them once they have proved right."""

    def __init__(self, journal: Path) -> None:
        """UnknownRecordError where Optuna must be asked. StudyError as `JournalBackend`."""
        self._journal, self._kept = journal, journal.with_name(FILE)
        found = self._read()
        backend = JournalBackend(journal)
        playback, begin = Playback(), 0
        if found is not None:
            playback, begin = Playback(found.trials, found.distributions), found.records
            backend.begin_at(found.records, found.size)
        for record in backend.read_logs(begin):
            playback.apply(record)
        if not backend.position[0]:
            raise UnknownRecordError
        self.trials = playback.trials
        self._records, self._size = backend.position
        self._distributions, self._new = playback.distributions, self._records - begin

    def keep(self) -> None:
        """Write a snapshot where that spares the next command something. A folder that cannot be written is left."""
        if self._new < _FEW:
            return
        for trial in self.trials:
            trial.checked = trial.state.is_finished()
        snapshot = _Snapshot(
            format=_FORMAT,
            size=self._size,
            digest=_digest(self._journal, self._size),
            records=self._records,
            trials=self.trials,
            distributions=self._distributions,
        )
        with suppress(IgcnasError, OSError):
            write_whole(self._kept, msgspec.msgpack.encode(snapshot))

    def _read(self) -> _Snapshot | None:
        try:
            found = msgspec.msgpack.decode(self._kept.read_bytes(), type=_Snapshot)
            if found.format == _FORMAT and found.digest == _digest(self._journal, found.size):
                return found
        except (OSError, ValueError, RecursionError):  # there is none, or it is damaged
            pass
        return None


def _digest(path: Path, size: int) -> str:
    """SHA-256 of the first bytes of a file; "" where it has fewer."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while size and (part := file.read(min(size, _AT_ONCE))):
            found.update(part)
            size -= len(part)
    return "" if size else found.hexdigest()
