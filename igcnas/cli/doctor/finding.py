"""What a finding about this machine is, and how a library is asked in a process of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

OK, NOTE, PROBLEM = "ok", "note", "problem"
_SECONDS = 60.0  # for a library to load, on a slow disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line: what was found of a thing, whether that is well, and what to do about it."""

    name: str
    state: str
    found: str
    advice: str = ""


class Probe:
    """A command that runs meanwhile; what it printed, or why it did not. seconds: how long it may take."""

    def __init__(
        self, command: list[str], *, environment: Mapping[str, str] | None = None, seconds: float = _SECONDS
    ) -> None:
        self.output, self.error, self._seconds, self._process = "", "", seconds, None
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env=environment,
            )
        except OSError as error:
            self.error = error.strerror or str(error)

    def ended(self) -> Probe:
        """Wait for it."""
        if self._process is None:
            return self
        process, self._process = self._process, None
        try:
            self.output, errors = process.communicate(timeout=self._seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            self.error = f"no answer in {self._seconds:g} s"
            return self
        if process.returncode:
            last = errors.strip().splitlines()[-1:] or [f"ended with status {process.returncode}"]
            self.output, self.error = "", last[0][:300]
        return self
