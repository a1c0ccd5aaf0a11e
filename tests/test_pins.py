"""The check of pins, with the real resolver on an index of this machine: what fails, what is skipped, what is not."""

from __future__ import annotations

import functools
import http.server
import socket
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import pins

PROJECT = """
[project]
name = "one"
version = "1"
requires-python = ">=3.11"
classifiers = ["Programming Language :: Python :: 3.11"]
dependencies = ["alpha>=1"]

[project.optional-dependencies]
dev = ["beta"]
"""


def wheel(folder: Path, name: str, version: str, *requires: str, tag: str = "py3-none-any") -> None:
    place = folder / name
    place.mkdir(exist_ok=True)
    file = f"{name}-{version}-{tag}.whl"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    with zipfile.ZipFile(place / file, "w") as archive:
        about = f"{name}-{version}.dist-info"
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}")
        archive.writestr(f"{about}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        archive.writestr(f"{about}/RECORD", "")
    (place / "index.html").write_text("".join(f'<a href="{w.name}">{w.name}</a>' for w in place.glob("*.whl")))


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """alpha 1 needs beta 1; alpha 2 needs nothing, and has a wheel for Linux on x86_64 alone; beta 1, beta 2."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel(folder, "alpha", "1", "beta==1")
    wheel(folder, "alpha", "2", tag="py3-none-manylinux_2_17_x86_64")
    wheel(folder, "beta", "1")
    wheel(folder, "beta", "2")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def project(tmp_path: Path, *constraints: str, text: str = PROJECT) -> list[str]:
    (tmp_path / "pyproject.toml").write_text(text)
    (tmp_path / "constraints.txt").write_text("".join(f"{one}\n" for one in constraints))
    return ["--project", str(tmp_path), "--index"]


def test_pins_that_agree_resolve_on_every_platform(
    tmp_path: Path, index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pins.main([*project(tmp_path, "alpha==1", "beta==1"), index]) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 1 + 3 * len(pins.PLATFORMS)
    assert {line.split()[-1] for line in out[1:5]} == {"2"}


def test_a_pin_that_another_package_contradicts_fails(
    tmp_path: Path, index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pins.main([*project(tmp_path, "alpha==1", "beta==2"), index]) == 1
    out, err = capsys.readouterr()
    assert "FAILS" in out
    assert "your requirements are unsatisfiable" in " ".join(err.split())


def test_a_version_without_a_wheel_for_a_platform_fails_there_alone(
    tmp_path: Path, index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pins.main([*project(tmp_path, "alpha==2", "beta==1"), index]) == 1
    rows = {line[:28].strip(): line.split()[-1] for line in capsys.readouterr().out.splitlines()[1:]}
    assert rows["Linux x86_64, pins"] == "1"
    assert {rows[f"{platform}, pins"] for platform in pins.PLATFORMS} == {"1", "FAILS"}
    assert rows["Windows x86_64, ranges"] == "2"


def test_what_is_installed_and_not_pinned_fails(tmp_path: Path, index: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert pins.main([*project(tmp_path, "alpha==1"), index]) == 1
    assert "not in constraints.txt: beta" in capsys.readouterr().err


def test_an_index_that_cannot_be_reached_is_said_and_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert pins.main([*project(tmp_path, "alpha==1"), nobody]) == 0
    assert capsys.readouterr().out == (
        "pins: the package index cannot be reached; whether they resolve is NOT checked\n"
    )


@pytest.mark.parametrize("fault", ["a name that no index has", "a file that is not read"])
def test_nothing_else_is_skipped(tmp_path: Path, index: str, fault: str) -> None:
    text = PROJECT.replace("alpha>=1", "gamma" if fault.startswith("a name") else "alpha >= = 1")
    assert pins.main([*project(tmp_path, "beta==1", text=text), index]) == 1


def test_nothing_leads_away_from_the_public_index() -> None:
    given = {"UV_FIND_LINKS": "x", "UV_DEFAULT_INDEX": "y", "PIP_EXTRA_INDEX_URL": "z", "HOME": "h"}
    assert set(pins.environment(given)) == {"HOME", "MACOSX_DEPLOYMENT_TARGET", "UV_HTTP_RETRIES"}


def test_every_python_that_is_claimed_is_resolved() -> None:
    assert pins.pythons(pins.ROOT) == ["3.11", "3.12", "3.13", "3.14"]
