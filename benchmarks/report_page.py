"""What a page of many networks takes: seconds and bytes to write it, and milliseconds until it answers in a browser.

python -m benchmarks.report_page --networks 1000
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.chromium import browser, executable
from benchmarks.made_report import made
from igcnas.results.report.content import Report
from igcnas.results.report.page import render

_MOVES = 200
# Timed inside the page: the time from an event of the mouse to the end of what it starts, layout included.
_HOVER = """(moves) => {
  const frame = document.querySelector(".front .frame");
  const box = frame.getBoundingClientRect();
  const found = [];
  for (let move = 0; move < moves; move++) {
    const place = { clientX: box.left + box.width * Math.random(), clientY: box.top + box.height * Math.random() };
    const began = performance.now();
    frame.dispatchEvent(new PointerEvent("pointermove", { ...place, bubbles: true }));
    document.querySelector(".tip").getBoundingClientRect();
    found.push(performance.now() - began);
  }
  return found;
}"""
_CHOOSE = """(moves) => {
  const links = [...document.querySelectorAll(".front a")];
  const found = [];
  for (let move = 0; move < moves; move++) {
    const link = links[Math.floor(Math.random() * links.length)];
    const began = performance.now();
    link.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
    document.body.getBoundingClientRect();
    found.push(performance.now() - began);
  }
  return found;
}"""


def measure(report: Report) -> None:
    """Print what the page of this report takes."""
    render(report)
    began = time.perf_counter()
    text = render(report)
    seconds = time.perf_counter() - began
    size = len(text.encode())
    print(f"{len(report.networks)} networks: {seconds:.2f} s to render, {size / 1e6:.2f} MB, ", end="")
    print(f"{len(gzip.compress(text.encode())) / 1e6:.2f} MB compressed")
    if executable() is None:
        print("no Chromium: how fast it answers was not measured")
        return
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        path = Path(folder) / "report.html"
        path.write_text(text, encoding="utf-8")
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        began = time.perf_counter()
        page.goto(path.as_uri())
        print(f"opened in {time.perf_counter() - began:.2f} s")
        for name, script in (("hover", _HOVER), ("choosing", _CHOOSE)):
            times = sorted(page.evaluate(script, _MOVES))
            print(f"{name}: median {statistics.median(times):.2f} ms, slowest of {_MOVES} {times[-1]:.1f} ms")


def main() -> None:
    """Measure the page of made-up results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=1000, metavar="N")
    parser.add_argument("--epochs", type=int, default=15, metavar="N")
    arguments = parser.parse_args()
    measure(made(arguments.networks, space="all", epochs=arguments.epochs))


if __name__ == "__main__":
    main()
