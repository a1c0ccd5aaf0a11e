"""A study whose records are in a PostgreSQL server: the same study, whatever becomes of the server meanwhile."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from support.postgres import Postgres, programs
from support.searches import SMALL, Quiet, Trainings, raising, settings_of

pytest.importorskip("psycopg", reason="psycopg is not installed (pip install 'igcnas[postgresql]')")
if programs() is None:
    pytest.skip("there is no PostgreSQL server here (apt-get install postgresql)", allow_module_level=True)

import igcnas
from igcnas.cli import main
from igcnas.cli.common import command_line
from igcnas.errors import IgcnasError, MachineError, StudyError
from igcnas.results.dashboard.pictures import Pictures
from igcnas.results.dashboard.storage import shown_storage
from igcnas.search.controller import Search
from igcnas.search.database import serving
from igcnas.search.database.address import VARIABLE, Address, Home, redacted
from igcnas.search.database.faults import AwayError
from igcnas.search.database.moving import COPIED
from igcnas.search.database.serving import Served
from igcnas.search.evaluation import InTurn
from igcnas.search.folder import guard_settings, let_go, open_study, placed
from igcnas.search.patience import Patience
from igcnas.search.storage import JournalBackend
from igcnas.search.study import Study

SETTINGS = settings_of(SMALL)
TRUST = ("local all all trust", "host all locked 127.0.0.1/32 scram-sha-256", "host all all 127.0.0.1/32 trust")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    found = Postgres()
    found.let_in(*TRUST)
    try:
        yield found
    finally:
        found.close()


@pytest.fixture(autouse=True)
def _no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def url(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(VARIABLE, server.url())
    return server.url()


class Held:
    """A controller: the study and its session, which has the lock until it is let go."""

    def __init__(self, folder: Path, trainings: Trainings | None = None, patience: Patience | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        placed(folder, None)
        guard_settings(folder, SETTINGS)
        self.progress = Quiet()
        self.study = open_study(folder, create_for=SETTINGS, patience=patience or Patience(note=self.progress.note))
        self.search = Search(
            self.study, folder, SMALL, SETTINGS, InTurn(trainings or Trainings()), self.progress, stop=lambda: False
        )

    def let_go(self) -> None:
        let_go(self.study)


def searched(folder: Path, networks: int = 3, trainings: Trainings | None = None, **words: Any) -> Quiet:
    held = Held(folder, trainings, **words)
    try:
        held.search.run(networks)
    finally:
        held.let_go()
    return held.progress


def history(folder: Path) -> list[tuple[Any, ...]]:
    """All that a study says but the times."""
    trials = Study.read(folder).trials
    return [(t.number, t.state, t.params, t.user_attrs) for t in trials]


def without_starts(told: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """A training that a crash cut off was begun once more."""
    return [(*rest, {key: value for key, value in told.items() if key != "starts"}) for *rest, told in told]


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    """What a search says that keeps a journal."""
    folder = tmp_path_factory.mktemp("journal") / "study"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(VARIABLE, raising=False)
        searched(folder)
    assert (folder / "journal.log").exists()
    return history(folder)


def test_a_search_says_the_same_in_a_server_as_in_a_journal(url: str, tmp_path: Path, wanted: Any) -> None:
    folder = tmp_path / "same"
    searched(folder)
    assert not (folder / "journal.log").exists()
    assert history(folder) == wanted


def test_it_opens_in_plain_optuna(url: str, tmp_path: Path, wanted: Any) -> None:
    searched(tmp_path / "plain")
    found = optuna.load_study(study_name="plain", storage=url.replace("postgresql", "postgresql+psycopg"))
    assert [trial.user_attrs for trial in found.get_trials()] == [attributes for *_, attributes in wanted]


def test_a_search_that_was_killed_goes_on_as_if_it_had_not_been(url: str, tmp_path: Path, wanted: Any) -> None:
    folder = tmp_path / "killed"
    with pytest.raises(SystemExit):
        searched(folder, trainings=Trainings(raising(SystemExit(), 2)))
    searched(folder)
    assert without_starts(history(folder)) == without_starts(wanted)


@pytest.mark.parametrize("done", [False, True], ids=["before it was done", "after it was done"])
def test_a_session_that_is_lost_at_any_operation_costs_and_doubles_nothing(
    done: bool, url: str, tmp_path: Path, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_PAUSE", 0.0)
    original, count = Served.steadily, [0]

    def steadily(self: Served, work: Callable[[], Any], **words: Any) -> Any:
        def cut() -> Any:
            count[0] += self._patience is not None
            if self._patience is None or count[0] % 5 or count[0] in lost:
                return work()
            lost.add(count[0])
            if done:
                work()
            raise AwayError("cut")

        return original(self, cut, **words)

    lost: set[int] = set()
    monkeypatch.setattr(Served, "steadily", steadily)
    for begin in range(0, 5, 2 if done else 4):  # so that each operation is hit in one of the searches
        count[0] = begin
        lost.clear()
        folder = tmp_path / f"cut-{done}-{begin}"
        searched(folder)
        assert len(lost) > 5
        assert history(folder) == wanted


def test_a_server_that_crashes_and_comes_back_is_waited_for(
    server: Postgres, url: str, tmp_path: Path, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_LONGEST_PAUSE", 0.1)

    def crash(position: int) -> None:
        if position == 2:
            server.stop()
            threading.Timer(0.5, server.start).start()

    progress = searched(tmp_path / "crash", trainings=Trainings(crash))
    assert history(tmp_path / "crash") == wanted
    waited, answers = (note for note in progress.notes if url in note)
    assert waited.startswith(f"{url} does not answer (")
    assert "the search waits for it, at most 10 min" in waited
    assert answers.startswith(f"{url} answers again, after ")


def test_after_the_bound_the_search_stops_in_one_line_and_loses_nothing(
    server: Postgres, url: str, tmp_path: Path, wanted: Any
) -> None:
    folder = tmp_path / "bound"

    def stop(position: int) -> None:
        if position == 2:
            server.stop()

    try:
        with pytest.raises(MachineError, match=r"has not answered for 1 s .* nothing is lost") as said:
            searched(folder, trainings=Trainings(stop), patience=Patience(seconds=0.6))
        assert "\n" not in str(said.value)
        with pytest.raises(MachineError, match=r"does not answer .* start it, or see to the network"):
            Study.read(folder)
    finally:
        server.start()
    searched(folder)
    assert [(number, state, params) for number, state, params, _ in history(folder)] == [w[:3] for w in wanted]


def test_a_server_that_refuses_in_the_middle_of_a_search_is_waited_for(
    server: Postgres, url: str, tmp_path: Path, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_LONGEST_PAUSE", 0.1)

    def refuse(position: int) -> None:
        if position == 2:
            server.let_in("local all all trust", "host all all 127.0.0.1/32 reject")
            server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'igcnas%'")
            threading.Timer(0.5, lambda: server.let_in(*TRUST)).start()

    progress = searched(tmp_path / "refused", trainings=Trainings(refuse))
    assert history(tmp_path / "refused") == wanted
    assert "pg_hba.conf" in progress.notes[0]


def test_who_stops_the_search_need_not_wait_for_the_server(server: Postgres, url: str, tmp_path: Path) -> None:
    asked = threading.Event()
    folder = tmp_path / "asked"

    def stop(position: int) -> None:
        if position == 2:
            server.stop()
            threading.Timer(0.3, asked.set).start()

    begin = time.monotonic()
    try:
        held = Held(folder, Trainings(stop), Patience(seconds=300, stop=asked.is_set))
        with pytest.raises(MachineError, match="nothing is lost"):
            held.search.run(3)
    finally:
        server.start()
    assert time.monotonic() - begin < 60


def test_a_server_without_a_connection_to_spare_is_waited_for(
    server: Postgres, url: str, tmp_path: Path, wanted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "_LONGEST_PAUSE", 0.1)
    server.sql("CREATE ROLE few LOGIN SUPERUSER")
    monkeypatch.setenv(VARIABLE, server.url("few"))
    folder = tmp_path / "full"

    def crowd(position: int) -> None:
        if position == 2:
            server.sql("ALTER ROLE few NOSUPERUSER CONNECTION LIMIT 0")
            server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'few'")
            threading.Timer(0.5, lambda: server.sql("ALTER ROLE few SUPERUSER CONNECTION LIMIT -1")).start()

    progress = searched(folder, trainings=Trainings(crowd))
    assert history(folder) == wanted
    assert "too many connections for role" in progress.notes[0]


def test_one_controller_has_a_study_and_readers_see_that_it_is_in_use(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, elsewhere = tmp_path / "here" / "held", tmp_path / "elsewhere" / "held"
    held = Held(folder)
    held.search.run(1)
    assert Study.read(folder).in_use
    with pytest.raises(StudyError, match=r"^study 'held' in .* is in use by process \d+ on ") as said:
        Held(elsewhere)
    assert "use another --study name" in str(said.value)
    held.let_go()
    assert not Study.read(folder).in_use
    searched(elsewhere, 2)
    assert len(history(folder)) == 2


def test_a_controller_whose_place_was_taken_meanwhile_writes_nothing_more(
    server: Postgres, url: str, tmp_path: Path
) -> None:
    held = Held(tmp_path / "taken")
    held.search.run(1)
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'igcnas%'")
    other = Held(tmp_path / "other" / "taken")
    with pytest.raises(StudyError, match="is in use by process"):
        held.search.run(2)
    other.let_go()
    assert len(history(tmp_path / "taken")) == 1


def test_a_session_of_its_own_that_the_server_has_not_missed_is_no_other_controller(url: str, tmp_path: Path) -> None:
    held = Held(tmp_path / "cut off")
    held.search.run(1)
    engine = held.study._storage._backend.engine  # type: ignore[attr-defined]
    lost, engine.pool = engine.pool, engine.pool.recreate()  # its session is still there
    held.search.run(2)
    held.let_go()
    lost.dispose()
    assert len(history(tmp_path / "cut off")) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.url("locked"), r"refuses \(.*no password.*\); give the password by PGPASSWORD"),
        (lambda s: s.url("locked:wrong"), "refuses .*password authentication failed"),
        (lambda s: s.url(database="none"), 'database "none" does not exist.*; make it with createdb'),
        (lambda s: s.url("nobody"), 'role "nobody" does not exist'),
        (lambda s: s.url().replace(str(s.port), "1"), "does not answer .*Connection refused"),
        (lambda s: "mysql://root:secret@host/db", "kept in its folder, or in PostgreSQL"),
        (lambda s: "postgresql:/me", "kept in its folder, or in PostgreSQL"),
    ],
)
def test_a_server_that_cannot_be_used_is_one_line_at_once(
    change: Callable[[Postgres], str],
    said: str,
    server: Postgres,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["search", "--budget-mflops", "0.05", "--networks", "1", "--studies-dir", str(tmp_path), "--study", "x"]
    assert main([*words, "--device", "cpu", "--workers", "1", "--storage", change(server)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(said, line)
    assert "secret" not in line
    assert "wrong" not in line


def test_passwords_are_neither_shown_nor_kept(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.sql("GRANT ALL ON SCHEMA public TO locked", "studies")
    server.sql(
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO locked; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO locked",
        "studies",
    )
    monkeypatch.setenv(VARIABLE, server.url("locked:right"))
    searched(tmp_path / "secret", 1)
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"locked@127.0.0.1" in everything
    assert b"right@" not in everything
    dumped = server.sql("SELECT * FROM study_user_attributes", "studies") + server.sql(
        "SELECT * FROM trial_user_attributes", "studies"
    )
    assert "right@" not in dumped
    monkeypatch.setattr("sys.argv", ["run_search.py", "--storage", "postgresql://locked:ri@ght@h/d?sslpassword=s3"])
    assert command_line() == "python run_search.py --storage 'postgresql://locked@h/d?sslpassword=***'"
    assert "right" not in repr(Address.given())
    assert redacted("nothing here: a@b") == "nothing here: a@b"


def test_the_password_of_the_environment_is_used_for_the_same_database_alone(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, server.url("locked:right"))
    Home(address=Address.read(server.url("locked")), study="x").write(tmp_path)
    found = Home.of(tmp_path)
    assert found is not None
    assert dict(found.address.secrets) == {"password": "right"}
    monkeypatch.setenv(VARIABLE, server.url("locked:right", "other"))
    again = Home.of(tmp_path)
    assert again is not None
    assert not again.address.secrets


def test_a_copy_goes_to_a_server_and_back_bit_for_bit(
    server: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "copied"
    with pytest.raises(SystemExit):  # one of its trials is in training
        searched(folder, 4, Trainings(raising(SystemExit(), 3)))
    before, journal = history(folder), (folder / "journal.log").read_bytes()
    times = Study.read(folder).times
    words = ["studies", "copy", "copied", "--studies-dir", str(tmp_path)]
    assert main([*words[:3], server.url(), *words[3:]]) == 0
    assert f"3 trials of copied; its records are in {server.url()} from now on" in capsys.readouterr().out
    assert (folder / COPIED).read_bytes() == journal
    assert not (folder / "journal.log").exists()
    assert history(folder) == before
    assert Study.read(folder).times == times
    assert main(["status", "copied", "--studies-dir", str(tmp_path)]) == 0
    assert "2 trained" in capsys.readouterr().out
    assert main([*words[:3], server.url(), *words[3:]]) == 2
    assert "already" in capsys.readouterr().err
    searched(folder, 4)
    assert len(history(folder)) == 4
    assert main([*words[:3], "journal", *words[3:]]) == 0
    assert Home.of(folder) is None
    assert len(list(JournalBackend(folder / "journal.log").read_logs(0))) > 4
    assert [trial[0] for trial in history(folder)] == [0, 1, 2, 3]
    assert main([*words[:3], "nowhere", *words[3:]]) == 2


def test_a_study_of_a_server_is_opened_where_it_was_not_begun(
    url: str, tmp_path: Path, wanted: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    searched(tmp_path / "mine" / "shared")
    words = ["--studies-dir", str(tmp_path / "yours"), "--storage", url]
    assert main(["studies", "list", "--json", *words]) == 0
    assert json.loads(capsys.readouterr().out)["shared"] == f"{url}, no folder here"
    assert main(["status", "shared", *words]) == 0
    assert "3 trained" in capsys.readouterr().out
    monkeypatch.delenv(VARIABLE, raising=False)
    assert history(tmp_path / "yours" / "shared") == wanted
    monkeypatch.setenv(VARIABLE, url)
    assert main(["status", "shard", *words]) == 2
    assert "shared" in capsys.readouterr().err


def test_the_dashboard_shows_a_study_of_a_server_and_writes_nothing(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "board"
    searched(folder)
    shown = shown_storage(folder, SETTINGS, Pictures(folder))
    (study,) = (one for one in shown.get_all_studies() if one.study_name == "board")
    trials = shown.get_all_trials(study._study_id)
    assert [sorted(trial.intermediate_values) for trial in trials] == [[1, 2]] * 3
    assert any("note_str" in key for key in study.system_attrs)
    with pytest.raises(StudyError, match="cannot be written"):
        shown.set_study_user_attr(study._study_id, "a", 1)


def test_python_searches_in_a_server_and_leaves_the_environment_as_it_was(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"device": "cpu", "workers": 1, "no_export": True, "progress": False, "study": "python", "epochs": 1}
    found = igcnas.search(
        "digits", budget_mflops=0.02, networks=2, studies_dir=tmp_path, storage=server.url(), **options
    )
    assert len(found.frame()) >= 2
    assert not (tmp_path / "python" / "journal.log").exists()
    assert VARIABLE not in os.environ
    assert not Study.read(tmp_path / "python").in_use  # its session ended with the search


def test_a_study_is_not_gone_on_with_elsewhere(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched(tmp_path / "here", 1)
    monkeypatch.setenv(VARIABLE, server.url())
    with pytest.raises(StudyError, match=r"has its records in its folder, not in .* igcnas studies copy here"):
        placed(tmp_path / "here", server.url())
    placed(tmp_path / "here", None)  # what the environment says is for new studies
    Home(address=Address.read(server.url(database="other")), study="there").write(tmp_path)
    with pytest.raises(StudyError, match=r"the records are those of study 'there' in .*/other, not in .*/studies"):
        placed(tmp_path, server.url())


@pytest.mark.parametrize(
    "content", ["", "{}", '{"format": 2, "url": "postgresql://h/d", "study": "x"}', '{"format": 1}']
)
def test_a_damaged_file_of_the_place_is_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "storage.json").write_text(content)
    with pytest.raises(IgcnasError) as said:
        Home.of(tmp_path)
    assert "storage.json" in str(said.value)
    assert "\n" not in str(said.value)
