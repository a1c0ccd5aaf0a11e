"""One controller a study: a lock of the session in which everything is written, so that it ends with that session.

Where the session is lost, the next one takes the lock before anything else is written. A session of this very
controller that the server has not missed yet (a network was cut) is ended first.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import time
from typing import Any

from igcnas.errors import MachineError, StudyError
from igcnas.search.database.address import Address, Home
from igcnas.search.database.driver import psycopg
from igcnas.search.database.faults import AwayError, meaning

_HOLDER = """
SELECT a.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = %s AND l.objid = %s
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_END_SECONDS, _CONNECT_SECONDS = 5.0, 10


def new_name() -> str:
    """By which a server knows the sessions of one controller."""
    return f"igcnas {socket.gethostname()[:30]} {os.getpid()} {secrets.token_hex(4)}"


def connected(address: Address, *, writes: bool, name: str = "igcnas") -> psycopg.Connection:
    """A session of a database, or psycopg.Error; one that does not write cannot."""
    words: dict[str, Any] = {"application_name": name, "connect_timeout": _CONNECT_SECONDS}
    words |= dict(address.secrets) | ({} if writes else {"options": "-c default_transaction_read_only=on"})
    return psycopg.connect(address.text(), **words)


def is_held(home: Home) -> bool:
    """Whether a controller has the study now; IgcnasError where the server cannot be asked."""
    try:
        with connected(home.address, writes=False) as connection:
            return holder(connection, home) is not None
    except psycopg.Error as error:
        raise refusal(error, home.address) from None


def refusal(error: psycopg.Error, address: Address) -> Exception:
    """What a user is told where nobody waits."""
    found = meaning(error, address)
    if isinstance(found, AwayError):
        return away(address, found)
    return found


def away(address: Address, reason: object) -> MachineError:
    """That nobody waits for a server that does not answer."""
    return MachineError(f"{address.text()} does not answer ({reason}); start it, or see to the network")


def take(connection: psycopg.Connection, home: Home, name: str) -> None:
    """Take the lock of a study for this session of a controller; StudyError where another one has it."""
    end = time.monotonic() + _END_SECONDS
    while not _try(connection, home):
        found = holder(connection, home)
        if found is None:
            continue
        pid, other = found
        if other != name or time.monotonic() > end:
            words = other.split()
            who = f"process {words[2]} on {words[1]}" if words[:1] == ["igcnas"] and len(words) > 2 else repr(other)
            raise StudyError(
                f"{home.words()} is in use by {who}; wait until it ends, end it, or use another --study name"
            )
        connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        connection.commit()
        time.sleep(0.1)


def holder(connection: psycopg.Connection, home: Home) -> tuple[int, str] | None:
    """Process id of the server's and name of the session that has the lock; None where nobody has."""
    high, low = divmod(_key(home.study), 2**32)
    found = connection.execute(_HOLDER, (high, low)).fetchone()
    connection.commit()
    return None if found is None else (found[0], found[1])


def _try(connection: psycopg.Connection, home: Home) -> bool:
    key = _key(home.study)
    found = connection.execute("SELECT pg_try_advisory_lock(%s)", (key - 2**64 if key >= 2**63 else key,)).fetchone()
    connection.commit()  # the lock is of the session, not of the transaction
    return bool(found and found[0])


def _key(study: str) -> int:
    """Sixty-four bits that are the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"igcnas study {study}".encode()).digest()[:8], "big")
