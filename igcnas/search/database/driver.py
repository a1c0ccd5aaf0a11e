"""The driver of PostgreSQL, which is an extra: MissingExtraError where it is not installed."""

from __future__ import annotations

from igcnas.system.extras import extra

extra("psycopg", what="a study in PostgreSQL")

import psycopg  # noqa: E402 - whoever checks types must see the module itself

__all__ = ["psycopg"]
