"""Where the records of a study are: the address of a server, never with a password where it is shown or kept.

studies/NAME/storage.json    {"format": 1, "url": "postgresql://USER@HOST:PORT/DATABASE", "study": its name there}

The password comes with `--storage`, with the environment variable IGCNAS_STORAGE, or as libpq has it (PGPASSWORD,
~/.pgpass, a certificate); so does everything that an address leaves out.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from igcnas.errors import IgcnasError, StudyError
from igcnas.system.files import write_text
from igcnas.system.reading import read_json

FILE, VARIABLE = "storage.json", "IGCNAS_STORAGE"
SETTINGS = "igcnas_settings"  # an attribute of a study in a server: what its settings.json holds
_FORMAT = 1
_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")
_SECRETS = ("password", "sslpassword")
_EXAMPLE = "postgresql://USER@HOST/DATABASE"
# To the last @ of a word: a password may have one that nobody escaped.
_PASSWORD = re.compile(r"(\b\w+(?:\+\w+)?://[^\s:@/?#]*):\S*@")
_QUERY = re.compile(rf"\b({'|'.join(_SECRETS)})=[^\s&'\"]+")


def redacted(text: str) -> str:
    """The same without the passwords of addresses in it.

    >>> redacted("run --storage postgresql://me:secret@host/db?sslpassword=other")
    'run --storage postgresql://me@host/db?sslpassword=***'
    """
    return _QUERY.sub(r"\1=***", _PASSWORD.sub(r"\1@", text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A database of a server. Compared, shown and kept without its password.

    Attributes:
        place: host and port, as they are written.
        user, database: "" for what libpq takes.
        query: of the URL, without secrets.
        secrets: what is never shown.
    """

    place: str
    user: str = ""
    database: str = ""
    query: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)

    @staticmethod
    def read(url: str) -> Address:
        """IgcnasError for what is no address of a PostgreSQL server."""
        try:
            parts = urlsplit(url)
            words = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        except ValueError:
            raise IgcnasError(f"{redacted(url)!r} is no address of a database; write it as {_EXAMPLE}") from None
        if parts.scheme not in _SCHEMES or not url.startswith(f"{parts.scheme}://"):
            raise IgcnasError(
                f"records of a study are kept in its folder, or in PostgreSQL ({_EXAMPLE}), not in {redacted(url)!r}"
            )
        login, at, place = parts.netloc.rpartition("@")
        user, colon, password = login.partition(":")
        secrets = [(name, value) for name, value in words if name in _SECRETS]
        return Address(
            place=place if at else parts.netloc,
            user=unquote(user),
            database=unquote(parts.path.removeprefix("/")),
            query=tuple((name, value) for name, value in words if name not in _SECRETS),
            secrets=tuple([*secrets, ("password", unquote(password))] if colon else secrets),
        )

    @staticmethod
    def given() -> Address | None:
        """That of `--storage` or of the environment; None where there is none."""
        url = os.environ.get(VARIABLE)
        return Address.read(url) if url else None

    def text(self) -> str:
        """The URL, without secrets."""
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        query = f"?{urlencode(self.query)}" if self.query else ""
        return f"postgresql://{user}{self.place}/{quote(self.database, safe='')}{query}"

    def with_secrets(self) -> Address:
        """The same with what the environment knows of the same database, if this one has no password of its own."""
        given = Address.given()
        mine = given is not None and not self.secrets and (given.place, given.database) == (self.place, self.database)
        return given if mine and given is not None and given.user in ("", self.user) else self


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where the records of one study are. study: its name there."""

    address: Address
    study: str

    @staticmethod
    def of(folder: Path) -> Home | None:
        """That of a study; None where its folder has them. StudyError for a file that is damaged."""
        path = folder / FILE
        if not path.exists():
            return None
        found = read_json(path, dict[str, Any], advice=f"copy it again, or remove {path} and give --storage URL")
        if found.get("format") != _FORMAT or not all(type(found.get(key)) is str for key in ("url", "study")):
            raise StudyError(f"{path} is damaged, or of a later version of igcnas; write it again with --storage URL")
        return Home(address=Address.read(found["url"]).with_secrets(), study=found["study"])

    def write(self, folder: Path) -> None:
        """Keep it, without secrets."""
        found = {"format": _FORMAT, "url": self.address.text(), "study": self.study}
        write_text(folder / FILE, json.dumps(found, indent=2) + "\n")

    def words(self) -> str:
        """For a message."""
        return f"study {self.study!r} in {self.address.text()}"
