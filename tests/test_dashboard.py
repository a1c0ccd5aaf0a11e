"""The dashboard on a real study: served on this machine, shown with notes and figures, and only to look."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import optuna
import pytest
from optuna.artifacts.exceptions import ArtifactNotFound
from support.real_studies import unpack

from igcnas.cli import main
from igcnas.drawing.thumbnails import block_svg, network_svg
from igcnas.errors import StudyError
from igcnas.results.dashboard import Server
from igcnas.results.dashboard.notes import network_note
from igcnas.results.dashboard.pictures import Pictures
from igcnas.results.dashboard.storage import shown_storage
from igcnas.search.folder import open_study
from igcnas.search.records import networks, records
from igcnas.search.settings import StudySettings

pytestmark = pytest.mark.usefixtures("forked_workers")

ROOT = Path(__file__).parents[1]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return unpack(tmp_path / "studies")


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with Server(folder, port=0) as running:
        yield running


def get(server: Server, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=30) as answer:
        body: bytes = answer.read()
    return body


def detail(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(get(server, f"/api/studies/{server.study_id}"))
    return found


def test_the_study_is_served_with_a_note_on_each_network(server: Server, folder: Path) -> None:
    shown = detail(server)
    every = records(open_study(folder))
    assert shown["name"] == "gp-4"
    assert [trial["number"] for trial in shown["trials"]] == [record.number for record in every]
    for trial, record in zip(shown["trials"], every, strict=True):
        note = trial["note"]["body"]
        assert record.architecture.id in note
        assert f"{record.final_macs:,} MACs" in note
        assert f"{record.final_params:,} parameters" in note
        assert f"| {record.val_accuracy:.2f} % |" in note
        assert f"| 10 | {record.curve[-1][1]:.4f} | {record.curve[-1][2]:.2f} |" in note
    network = next(one for one in networks(every) if one.n == 5)
    note = shown["trials"][network.record.number]["note"]["body"]
    assert f"mean {network.mean:.2f} %, sd {network.sd:.2f}, n = 5" in note
    assert all(f"| `{key}` | `{value}` |" in note for key, value in _parameters(folder, network.record.number).items())
    assert "baseline ResNet-20" in shown["trials"][0]["note"]["body"]


def _parameters(folder: Path, number: int) -> dict[str, Any]:
    return open_study(folder).trials[number].params


def test_learning_curves_are_there_as_intermediate_values(server: Server, folder: Path) -> None:
    shown = detail(server)
    assert shown["has_intermediate_values"]
    curve = records(open_study(folder))[5].curve
    values = shown["trials"][5]["intermediate_values"]
    assert [(value["step"], value["value"]) for value in values] == [(epoch, accuracy) for epoch, _, accuracy in curve]


def test_the_note_of_the_study_tells_its_front_and_shows_it(server: Server, folder: Path) -> None:
    shown = detail(server)
    note = shown["note"]["body"]
    assert "| 29 | 0.167 | 97.18 | 1.15 | 5 |" in note
    assert "with probability" in note
    (artifact,) = shown["artifacts"]
    assert artifact["filename"] == "pareto.png"
    place = f"/artifacts/{server.study_id}/{artifact['artifact_id']}"
    assert f"]({place})" in note
    assert get(server, place).startswith(PNG)


def test_figures_that_other_commands_left_are_shown_as_they_are(server: Server, folder: Path) -> None:
    (folder / "importance.png").write_bytes(PNG + b"importance")
    for place in ("audit-150", "trials", "best", "figures"):
        (folder / place).mkdir()
        (folder / place / "audit.png").write_bytes(PNG + place.encode())
    shown = {one["filename"]: one["artifact_id"] for one in detail(server)["artifacts"]}
    assert set(shown) == {"pareto.png", "importance.png", "audit-150/audit.png"}
    for name, content in (("importance.png", b"importance"), ("audit-150/audit.png", b"audit-150")):
        assert get(server, f"/artifacts/{server.study_id}/{shown[name]}") == PNG + content


def test_pictures_of_a_network_are_those_of_the_drawing_on_white(server: Server, folder: Path) -> None:
    trial = detail(server)["trials"][7]
    names = {one["filename"]: one for one in trial["artifacts"]}
    assert set(names) == {"block.svg", "network.svg"}
    assert {one["mimetype"] for one in names.values()} == {"image/svg+xml"}
    place = f"/artifacts/{server.study_id}/{trial['trial_id']}/"
    architecture = records(open_study(folder))[7].architecture
    for name, drawn in (("block.svg", block_svg(architecture)), ("network.svg", network_svg(architecture))):
        shown = get(server, place + names[name]["artifact_id"]).decode()
        white = ElementTree.fromstring(shown)[0]
        assert (white.tag, white.get("fill")) == ("{http://www.w3.org/2000/svg}rect", "#fff")
        assert shown.endswith(drawn[drawn.index(">") + 1 :])
        assert place + names[name]["artifact_id"] in trial["note"]["body"]


def test_what_a_running_search_adds_is_seen(folder: Path) -> None:
    settings = StudySettings.read(folder)
    storage = shown_storage(folder, settings, Pictures(folder))
    study = open_study(folder)
    known = study.trials[10]
    attributes = {**known.user_attrs, "baseline": None}
    for key in ("curve", "val_accuracy"):
        del attributes[key]
    study.enqueue_trial(dict(known.params), user_attrs=attributes)
    notes = storage.get_study_system_attrs(0)
    assert "| in training |" in notes["dashboard:40:note_str:0"]
    trial = study.ask()
    trial.set_user_attr("val_accuracy", 55.5)
    trial.set_user_attr("curve", [[1, 2.0, 55.5]])
    study.tell(trial, [55.5, 1000.0])
    assert "| 55.50 % |" in storage.get_study_system_attrs(0)["dashboard:40:note_str:0"]
    assert "31 networks" in storage.get_study_system_attrs(0)["dashboard:note_str:0"]
    assert storage.get_trial(40).intermediate_values == {1: 55.5}
    assert len(storage.get_all_trials(0)) == 41


def test_the_table_of_a_long_curve_holds_some_epochs_and_the_last(folder: Path) -> None:
    record = records(open_study(folder))[0]
    curve = tuple((epoch, 1.0, float(epoch)) for epoch in range(1, 52))
    note = network_note(dataclasses.replace(record, curve=curve), None, {}, StudySettings.read(folder))
    rows = note.partition("| epoch |")[2].splitlines()[2:]
    assert [int(row.split("|")[1]) for row in rows] == [*range(3, 52, 3)]
    note = network_note(dataclasses.replace(record, curve=curve[:50]), None, {}, StudySettings.read(folder))
    assert note.endswith("| 48 | 1.0000 | 48.00 |\n| 50 | 1.0000 | 50.00 |")


# It only looks


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/studies/0"),
        ("POST", "/api/studies"),
        ("POST", "/api/studies/0/rename"),
        ("PUT", "/api/studies/0/note"),
        ("PUT", "/api/studies/0/3/note"),
        ("POST", "/api/trials/3/user-attrs"),
        ("POST", "/api/trials/3/tell"),
        ("DELETE", "/api/artifacts/0/4d483c26-907c-5df1-8c5a-c48ed2ea9dc7"),
    ],
)
def test_whatever_would_change_the_study_is_refused(server: Server, folder: Path, method: str, path: str) -> None:
    before = (folder / "journal.log").read_bytes()
    body = json.dumps({"body": "x", "version": 2, "study_name": "new", "state": "Fail"}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", data=body, method=method)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=30)
    assert caught.value.code == 403
    assert "only looks at the study" in json.loads(caught.value.read())["reason"]
    assert (folder / "journal.log").read_bytes() == before
    assert len(detail(server)["trials"]) == 40


def test_neither_storage_nor_artifacts_can_be_written(folder: Path) -> None:
    settings = StudySettings.read(folder)
    pictures = Pictures(folder)
    storage = shown_storage(folder, settings, pictures)
    before = (folder / "journal.log").read_bytes()
    for write in (
        lambda: storage.delete_study(0),
        lambda: storage.set_study_system_attr(0, "dashboard:note_ver", 7),
        lambda: storage.set_trial_user_attr(3, "x", 1),
        lambda: storage.create_new_study([optuna.study.StudyDirection.MINIMIZE], "new"),
    ):
        with pytest.raises(StudyError, match="only looks at a study"):
            write()
    with pytest.raises(ArtifactNotFound):
        pictures.remove(next(iter(pictures.of_study())))
    assert (folder / "journal.log").read_bytes() == before


@pytest.mark.filterwarnings("ignore::UserWarning:optuna")
def test_looking_leaves_every_file_as_it_was(server: Server, folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    shown = detail(server)
    get(server, f"/artifacts/{server.study_id}/{shown['artifacts'][0]['artifact_id']}")
    get(server, f"/api/studies/{server.study_id}/param_importances")
    get(server, f"/csv/{server.study_id}")
    assert {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_only_this_machine_is_answered_and_only_under_its_own_name(server: Server) -> None:
    assert server._server.server_address[0] == "127.0.0.1"
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/api/studies", headers={"Host": f"evil.example:{server.port}"})
    answer = connection.getresponse()
    assert answer.status == 403
    assert "for its own machine alone" in answer.read().decode()


# The command


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_told_to_stop_also_in_the_background(folder: Path, number: int) -> None:
    command = [sys.executable, "-m", "igcnas", "dashboard", str(folder), "--port", "0"]
    command = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *command]  # as shells start what ends with &
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = line.split()[1]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert "<title>Optuna Dashboard</title>" in answer.read().decode()
        process.send_signal(number)
        try:
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (0, "stopped\n", "")


def test_a_port_that_is_taken_is_told_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["dashboard", str(folder), "--port", str(port)]) == 2
    err = capsys.readouterr().err
    assert f"cannot listen on port {port}" in err
    assert err.count("\n") == 1


def test_without_optuna_dashboard_the_way_to_it_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    assert main(["dashboard", str(folder)]) == 2
    err = capsys.readouterr().err
    assert err == 'error: igcnas dashboard needs optuna-dashboard: pip install "igcnas[dashboard]"\n'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gp-5"], "unknown study 'gp-5'; did you mean 'gp-4'? known: gp-4"),
        (["gp-4", "--port", "70000"], "--port 70000 must be at most 65,535"),
        (["gp-4", "--port", "-1"], "--port -1 must be at least 0; 0 is any that is free"),
    ],
)
def test_mistakes_are_told_in_one_line(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(folder.parents[1])
    assert main(["dashboard", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


# In a browser

CHROMIUM = Path(os.environ.get("IGCNAS_CHROMIUM", "/usr/bin/chromium"))


@pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium")
def test_a_browser_shows_notes_and_figures_without_an_error_or_a_request_elsewhere(server: Server) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page()
        errors: list[str] = []
        urls: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: urls.append(request.url))
        page.goto(f"{server.address}/note")
        page.get_by_role("cell", name="97.18").wait_for()
        page.wait_for_function("document.querySelector('img[alt=\"pareto.png\"]')?.naturalWidth > 500")
        page.goto(f"{server.address}/trials?numbers=29")
        page.get_by_text("mean 97.18 %, sd 1.15, n = 5").wait_for()
        browser.close()
    assert errors == []
    assert all(url.startswith((f"http://127.0.0.1:{server.port}/", "data:", "blob:")) for url in urls)
