"""The driver of PostgreSQL, which is an extra."""

from __future__ import annotations

from igcnas.errors import IgcnasError

try:
    import psycopg
except ImportError as error:
    raise IgcnasError(
        f"a study in PostgreSQL needs psycopg, which cannot be imported ({error}); install it with: "
        "pip install 'igcnas[postgresql]'"
    ) from None

__all__ = ["psycopg"]
