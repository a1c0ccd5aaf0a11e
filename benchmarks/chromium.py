"""A headless Chromium: the one that this machine has. Playwright's own is not downloaded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# No sandbox, as containers have none; and nothing that asks the network by itself.
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def executable() -> str | None:
    """Its path: IGCNAS_CHROMIUM, or the first of the usual names on PATH; None where there is none."""
    return os.environ.get("IGCNAS_CHROMIUM") or next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser, and its end."""
    from playwright.sync_api import sync_playwright

    path = executable()
    if path is None:
        raise SystemExit(f"error: no Chromium: install one of {', '.join(_NAMES)}, or set IGCNAS_CHROMIUM to its path")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield chromium
        chromium.close()
