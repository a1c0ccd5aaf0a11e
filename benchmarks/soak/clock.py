"""A clock that jumps, for one process and those that it starts: a library that is loaded before all others (Linux)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

# The time of day is that of the system and so many seconds as a file says; monotonic clocks stay.
_SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset(void) {
    char text[32] = {0};
    const char *path = getenv("SOAK_CLOCK");
    const int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    const long got = read(file, text, sizeof(text) - 1);
    close(file);
    return got > 0 ? atol(text) : 0;
}

int clock_gettime(clockid_t id, struct timespec *now) {
    const int status = syscall(SYS_clock_gettime, id, now);
    if (status == 0 && id == CLOCK_REALTIME) now->tv_sec += offset();
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec found;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec, now->tv_usec = found.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec found;
    clock_gettime(CLOCK_REALTIME, &found);
    if (out) *out = found.tv_sec;
    return found.tv_sec;
}
"""


class Clock:
    """Its library, compiled, and the file that says how far it is off. Empty where there is no compiler."""

    def __init__(self, folder: Path) -> None:
        self.file, library = folder / "clock", folder / "clock.so"
        self.environment: dict[str, str] = {}
        compiler = shutil.which("cc")
        if compiler is None:
            return
        (folder / "clock.c").write_text(_SOURCE, encoding="utf-8")
        command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(folder / "clock.c")]
        subprocess.run(command, check=True)
        self.environment = {"LD_PRELOAD": str(library), "SOAK_CLOCK": str(self.file)}

    def jump(self, seconds: int) -> None:
        """From now on it is off by so many seconds."""
        self.file.write_text(f"{seconds}\n", encoding="utf-8")
