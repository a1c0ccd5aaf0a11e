"""Whether the project installs everywhere: `python -m tools.pins` resolves it on each platform and Python.

For every platform below and every Python that pyproject.toml claims, with and without the packages of `dev`: the exact
versions of constraints.txt. For the oldest and the newest Python also the newest versions that the ranges allow. It
asks the public index alone: no local wheel, no index of this machine, no settings of pip or uv. No wheel is downloaded;
that there is one for the platform and the Python is part of the question, and packages that are only there as sources
are listed by name. Every version must be pinned, but for the packages that torch's CUDA builds pin themselves.

Exit status 0: all resolve, or the index cannot be reached, which is said; 1: one does not, or anything else went wrong.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLATFORMS = {
    "Linux x86_64": "x86_64-manylinux_2_28",
    "Linux aarch64": "aarch64-manylinux_2_28",
    "macOS 14 arm64": "aarch64-apple-darwin",
    "Windows x86_64": "x86_64-pc-windows-msvc",
}
WAYS = ("pins", "pins, dev", "ranges")
# There are no wheels of these, and nothing in them is compiled.
SOURCES = ("fvcore", "iopath")
PINNED_BY_TORCH = ("nvidia-", "cuda-")
_UNREACHED = re.compile(r"^\s*(?:error|cause): (?:error sending request|.*HTTP status server error|.*timed out)", re.M)
_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing to resolve."""

    platform: str
    python: str
    way: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """packages: how many it installs. fault: why it does not, None if it does. reached: whether the index answered."""

    packages: int = 0
    fault: str | None = None
    reached: bool = True


def pythons(project: Path) -> list[str]:
    """Every Python that pyproject.toml claims in its classifiers."""
    data = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    claims = [
        re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", one) for one in data["project"]["classifiers"]
    ]
    return [claim[1] for claim in claims if claim]


def cases(project: Path) -> list[Case]:
    """All of them."""
    versions = pythons(project)
    ends = {"ranges": {versions[0], versions[-1]}}
    return [
        Case(platform=platform, python=version, way=way)
        for way in WAYS
        for platform in PLATFORMS
        for version in versions
        if version in ends.get(way, versions)
    ]


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Without what would lead uv or pip elsewhere than to the public index."""
    kept = {name: value for name, value in given.items() if not name.startswith(("UV_", "PIP_"))}
    if "UV_CACHE_DIR" in given:
        kept["UV_CACHE_DIR"] = given["UV_CACHE_DIR"]
    return kept | {"MACOSX_DEPLOYMENT_TARGET": "14.0", "UV_HTTP_RETRIES": "1"}


def command(case: Case, project: Path, index: str | None) -> list[str]:
    """uv's words for it."""
    from uv import find_uv_bin

    words = [find_uv_bin(), "pip", "compile", "--no-config", "--no-python-downloads", "--no-header", "--no-annotate"]
    words += ["--python-platform", PLATFORMS[case.platform], "--python-version", case.python]
    words += ["--only-binary", ":all:"] + [word for name in SOURCES for word in ("--no-binary", name)]
    words += ["--default-index", index] if index else []
    words += ["--extra", "dev"] if case.way == "pins, dev" else []
    words += [] if case.way == "ranges" else ["--constraint", str(project / "constraints.txt")]
    return [*words, str(project / "pyproject.toml")]


def answer(case: Case, project: Path, index: str | None = None) -> Answer:
    """Ask uv."""
    done = subprocess.run(
        command(case, project, index),
        env=environment(os.environ),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        return Answer(fault=done.stderr.strip(), reached=not _UNREACHED.search(done.stderr))
    resolved = set(re.findall(r"^([\w.-]+)==", done.stdout, re.M))
    loose = sorted(resolved - pinned(project)) if case.way != "ranges" else []
    loose = [name for name in loose if not name.startswith(PINNED_BY_TORCH)]
    fault = f"not in constraints.txt: {', '.join(loose)}" if loose else None
    return Answer(packages=len(resolved), fault=fault)


def pinned(project: Path) -> set[str]:
    """Names in constraints.txt, as an index writes them."""
    text = (project / "constraints.txt").read_text(encoding="utf-8")
    return {re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([\w.-]+)==", text, re.M)}


def matrix(answers: Mapping[Case, Answer]) -> str:
    """How many packages each installs; FAILS where it does not."""
    versions = list(dict.fromkeys(case.python for case in answers))
    lines = ["packages".ljust(28) + "".join(version.rjust(8) for version in versions)]
    for way in WAYS:
        for platform in PLATFORMS:
            row = [answers.get(Case(platform=platform, python=version, way=way)) for version in versions]
            shown = (
                "" if a is None else "-" if not a.reached else "FAILS" if a.fault else str(a.packages) for a in row
            )
            lines.append(f"{platform}, {way}".ljust(28) + "".join(text.rjust(8) for text in shown))
    return "\n".join(lines)


def _shown(one: Answer | None) -> str:
    if one is None:
        return ""
    if not one.reached:
        return "-"
    return "FAILS" if one.fault else str(one.packages)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the matrix, and what failed."""
    parser = argparse.ArgumentParser(prog="python -m tools.pins", description="Resolve on each platform and Python.")
    parser.add_argument("--project", type=Path, default=ROOT, metavar="DIR", help="pyproject.toml and constraints.txt")
    parser.add_argument("--index", metavar="URL", help="another index than the public one")
    options = parser.parse_args(arguments)
    every = cases(options.project)
    first = answer(every[0], options.project, options.index)
    if not first.reached:
        print("pins: the package index cannot be reached; whether they resolve is NOT checked")
        return 0
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        rest = threads.map(lambda case: answer(case, options.project, options.index), every[1:])
        answers = dict(zip(every, [first, *rest], strict=True))
    print(matrix(answers))
    failed = {case: one.fault for case, one in answers.items() if one.fault and one.reached}
    for case, fault in failed.items():
        print(f"\n{case.platform}, Python {case.python}, {case.way}:\n{fault}", file=sys.stderr)
    missed = sum(not one.reached for one in answers.values())
    if missed:
        print(f"pins: the package index could not be reached for {missed} of {len(answers)}, which are NOT checked")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
