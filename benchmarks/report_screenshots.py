"""Pictures of a report's page as people see it: wide, on a phone, dark, and printed, to be looked at one by one.

    python -m benchmarks.report_screenshots studies/NAME/report.html /tmp/screens

Needs playwright and a Chromium on this machine. Pages of the PDF become PNGs where pdftoppm is there; without it the
page is also photographed with the style of print.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.chromium import browser


class View(NamedTuple):
    """A window: CSS pixels, and what the reader prefers. tall: the whole page instead of what fits in the window."""

    name: str
    width: int
    height: int
    options: dict[str, Any]
    tall: bool = True


PHONE = {"is_mobile": True, "has_touch": True, "device_scale_factor": 2}
VIEWS = (
    View("wide", 1280, 900, {}),
    View("wide-top", 1280, 900, {}, tall=False),
    View("dark", 1280, 900, {"color_scheme": "dark"}),
    View("phone", 390, 844, PHONE),
    View("phone-dark", 390, 844, PHONE | {"color_scheme": "dark"}),
    View("small", 360, 640, PHONE, tall=False),
    View("no-script", 1280, 900, {"java_script_enabled": False}),
)


def take(page_file: Path, folder: Path) -> list[Path]:
    """Write the pictures; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    address = page_file.resolve().as_uri()
    written = []
    with browser() as chromium:
        for view in VIEWS:
            page = chromium.new_page(viewport={"width": view.width, "height": view.height}, **view.options)
            page.goto(address)
            written.append(folder / f"{view.name}.png")
            page.screenshot(path=written[-1], full_page=view.tall)
            page.close()
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address)
        chosen = page.locator(".front a[tabindex='0']")
        if chosen.count():
            chosen.locator("use").hover(force=True)
            written.append(folder / "hover.png")
            page.locator("figure.front").screenshot(path=written[-1])
        page.emulate_media(media="print")
        page.set_viewport_size({"width": 720, "height": 1000})
        written.append(folder / "print.png")
        page.screenshot(path=written[-1], full_page=True)
        written.append(folder / "print.pdf")
        page.pdf(path=written[-1], format="A4", prefer_css_page_size=True)
    if shutil.which("pdftoppm"):
        subprocess.run(["pdftoppm", "-r", "70", "-png", folder / "print.pdf", folder / "print"], check=True)
        written += sorted(folder.glob("print-*.png"))
    return written


def main() -> None:
    """Take the pictures of the page that was named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, metavar="REPORT.HTML")
    parser.add_argument("folder", type=Path, metavar="DIR")
    arguments = parser.parse_args()
    for path in take(arguments.page, arguments.folder):
        print(path)


if __name__ == "__main__":
    main()
