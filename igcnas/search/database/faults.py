"""What an error of the server means: that it is away, which passes, or that it refuses, which a user must mend."""

from __future__ import annotations

import re

from igcnas.errors import IgcnasError, MachineError, StudyError
from igcnas.search.database.address import Address
from igcnas.search.database.driver import psycopg

# Classes and codes of PostgreSQL. Passing: connection lost; shutting down, starting up; no resources, too many
# connections; another transaction was first.
_PASSING = ("08", "57P0", "53", "40")
_NO_TABLES, _READ_ONLY, _FORBIDDEN, _FULL = "42P01", "25006", "42501", "53100"
# What libpq says of a connection that it cannot make, which has no code; the way out.
_REFUSING = (
    (r"no password supplied|password authentication failed", "give the password by PGPASSWORD, ~/.pgpass or --storage"),
    (r"pg_hba\.conf|authentication failed", "have the server let this user in from this machine"),
    (r"database .* does not exist", "make it with createdb, or give another one"),
    (r"role .* does not exist", "have the user made there, or give another one"),
    (r"certificate|SSL", "see sslmode and sslrootcert in the documentation of libpq"),
    (
        r"resolve host|translate host name|invalid (port|connection option|URI)|missing \"=\"",
        "write the address as {example}",
    ),
)
EXAMPLE = "postgresql://USER@HOST:PORT/DATABASE"


def nothing_there(address: Address) -> StudyError:
    """That a database has no study."""
    return StudyError(
        f"{address.text()} holds no study; search with --storage, or copy one there with igcnas studies copy"
    )


class AwayError(Exception):
    """The server does not answer now. Its text is the reason; nothing that a user sees."""


def meaning(error: BaseException, address: Address) -> Exception:
    """What is raised in the place of an error of the driver."""
    reason = _reason(error)
    code = getattr(error, "sqlstate", None) or ""
    where = address.text()
    if code == _NO_TABLES:
        return nothing_there(address)
    if code == _FULL:
        return MachineError(f"the disk of the server {where} is full ({reason}); make room there")
    if code in (_FORBIDDEN, _READ_ONLY):
        return StudyError(f"{where} cannot be written ({reason}); have its user be allowed to, or give another one")
    if code.startswith(_PASSING):
        return AwayError(reason)
    for pattern, advice in _REFUSING:
        if isinstance(error, psycopg.OperationalError) and re.search(pattern, str(error)):
            return IgcnasError(f"{where} refuses ({reason}); {advice.format(example=EXAMPLE)}")
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return AwayError(reason)
    return IgcnasError(f"{where} cannot do what is asked ({reason}); see igcnas doctor, or report it")


def _reason(error: BaseException) -> str:
    """What the server or libpq says, in one line: of several addresses of a name the last."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if "failed:" in line or "FATAL" in line or "ERROR" in line] or lines or ["no reason"]
    return re.sub(r"^.*(FATAL|ERROR):\s*", "", said[-1]).removeprefix("connection failed: ")[:200]
