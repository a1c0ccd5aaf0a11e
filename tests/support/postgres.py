"""A PostgreSQL server of a test's own, from the system's package; nothing of it stays."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

OPTIONS = "-c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off -c autovacuum=off"


def programs() -> Path | None:
    """The folder of its programs; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    path = str(found[-1]) if found else shutil.which("initdb")
    return None if path is None else Path(path).parent


class Postgres:
    """Started with its first use of `start`; user 'me' is let in without a password, user 'locked' with one."""

    def __init__(self) -> None:
        bins = programs()
        assert bins is not None
        self._bins, self.folder = bins, Path(tempfile.mkdtemp(prefix="igcnas-pg-"))
        # It refuses to be run by root.
        self._as = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid} if os.getuid() == 0 else {}
        if self._as:
            os.chown(self.folder, pwd.getpwnam("nobody").pw_uid, -1)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._run("initdb", "-D", self.data, "-U", "me", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()
        self.sql("CREATE DATABASE studies")
        self.sql("CREATE ROLE locked LOGIN PASSWORD 'right'")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, user: str = "me", database: str = "studies") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def start(self, options: str = "") -> None:
        log = self.folder / "log"
        words = f"{OPTIONS} -p {self.port} -k {self.folder} {options}"
        self._run("pg_ctl", "-D", self.data, "-o", words, "-l", log, "-w", "start")

    def stop(self) -> None:
        """As a crash does: no session is said goodbye to."""
        self._run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")

    def let_in(self, *lines: str) -> None:
        """Rewrite who is let in, and how."""
        (self.data / "pg_hba.conf").write_text("\n".join(lines) + "\n")
        self._run("pg_ctl", "-D", self.data, "reload")

    def sql(self, command: str, database: str = "postgres") -> str:
        address = ("-h", str(self.folder), "-p", str(self.port), "-U", "me", "-d", database)
        return self._run("psql", *address, "-q", "-A", "-t", "-c", command)

    def close(self) -> None:
        if (self.data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *words: object) -> str:
        # To a file: the server would keep a pipe open.
        with open(self.folder.with_suffix(".out"), "w+") as out:
            command = [str(self._bins / program), *map(str, words)]
            done = subprocess.run(command, stdout=out, stderr=out, cwd="/", check=False, **self._as)  # type: ignore[call-overload]
            out.seek(0)
            said = out.read()
        Path(out.name).unlink()
        assert done.returncode == 0, said
        return said.strip()
