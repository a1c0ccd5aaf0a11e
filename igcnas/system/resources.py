"""What this process may use of its machine: cores and memory, with the limits of containers.

A container is a control group with limits. Those of the group of this process count and those of all groups above it,
version 1 and 2, also both at once. /proc/self/cgroup names the groups, /proc/self/mountinfo where they are seen: a
container sees its own group as the root, or the path of the host and not its folder. Memory that the kernel can take
back at once (files read and not used since) counts as free, as it does for the whole machine.

Every function takes the root of the file system, so that tests can make one. Memory is in bytes, None is unknown.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path("/")
# What version 1 writes where there is no limit is near 2^63, rounded to pages.
_NO_LIMIT = 2**60
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """available: what new processes may take. limit: that of a container or a shell; by: which."""

    available: int | None
    limit: int | None
    by: str | None


def usable_cores(root: Path = ROOT) -> int:
    """Cores that this process may run on; of a quota of 1.5 cores two, as one and a half would leave time unused."""
    quota = cpu_quota(root)
    return granted_cores() if quota is None else max(1, min(granted_cores(), math.ceil(quota)))


def granted_cores() -> int:
    """Cores that the scheduler may choose for this process, whatever share of their time it gets."""
    if hasattr(os, "sched_getaffinity"):
        with suppress(OSError):
            return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota(root: Path = ROOT) -> float | None:
    """Cores' worth of time that the control groups allow; None where they set no limit."""
    found = []
    for folder in _groups(root, "cpu", 2):
        words = _words(folder / "cpu.max")  # "max 100000" or "150000 100000"
        if len(words) == 2 and words[0].isdecimal() and words[1].isdecimal() and int(words[1]):
            found.append(int(words[0]) / int(words[1]))
    for folder in _groups(root, "cpu", 1):
        quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
        if quota is not None and period and quota > 0:
            found.append(quota / period)
    return min((cores for cores in found if cores > 0), default=None)


def memory(root: Path = ROOT) -> Memory:
    """What the machine, the control groups and the limits of the shell (ulimit -v) leave."""
    left = [] if (free := _of_machine()) is None else [free]
    set_limits: list[tuple[int, str]] = []
    for limit, used, name in (*_of_version_2(root), *_of_version_1(root)):
        left.append(max(0, limit - used))
        set_limits.append((limit, name))
    for limit, name in _of_shell():
        left.append(limit)
        set_limits.append((limit, name))
    tightest, by = min(set_limits) if set_limits else (None, None)
    return Memory(available=min(left, default=None), limit=tightest, by=by)


def settle_threads() -> None:
    """Tell the libraries of a quota before they are loaded: they start a thread for each core that they see."""
    cores = usable_cores()
    if cores < granted_cores():
        for name in _THREADS:
            os.environ.setdefault(name, str(cores))


def _of_version_2(root: Path) -> Iterator[tuple[int, int, str]]:
    """Limit, what is used of it, and the name of the limit, of each group."""
    for folder in _groups(root, "memory", 2):
        used = _number(folder / "memory.current") or 0
        used -= min(used, _listed(folder / "memory.stat", "inactive_file"))
        for name in ("memory.max", "memory.high"):
            limit = _number(folder / name)  # no limit reads "max"
            if limit is not None and limit < _NO_LIMIT:
                yield limit, used, name


def _of_version_1(root: Path) -> Iterator[tuple[int, int, str]]:
    for folder in _groups(root, "memory", 1):
        limit = _number(folder / "memory.limit_in_bytes")
        if limit is not None and limit < _NO_LIMIT:
            used = _number(folder / "memory.usage_in_bytes") or 0
            yield (
                limit,
                used - min(used, _listed(folder / "memory.stat", "total_inactive_file")),
                "memory.limit_in_bytes",
            )


def _of_shell() -> Iterator[tuple[int, str]]:
    try:
        import resource
    except ImportError:  # Windows
        return
    for name, word in (("RLIMIT_AS", "ulimit -v"), ("RLIMIT_DATA", "ulimit -d")):
        with suppress(AttributeError, OSError, ValueError):
            soft, _ = resource.getrlimit(getattr(resource, name))
            if soft != resource.RLIM_INFINITY and soft < _NO_LIMIT:
                yield soft, word


def _of_machine() -> int | None:
    try:
        import psutil  # type: ignore[import-untyped]

        return int(psutil.virtual_memory().available)
    except Exception:  # without /proc it is whatever psutil makes of that; memory is then unknown
        return None


def _groups(root: Path, controller: str, version: int) -> Iterator[Path]:
    """Folder of the group that this process is in, and of each above it that is to be seen."""
    path = _own_group(root, controller, version)
    if path is None:
        return
    for seen, place in _mounts(root, controller, version):
        try:
            inside = PurePosixPath(path).relative_to(seen)
        except ValueError:  # the path of the host, in a container that sees its own group alone
            inside = PurePosixPath()
        if ".." in inside.parts:
            inside = PurePosixPath()
        folder = root / place.lstrip("/")
        yield folder
        for part in inside.parts:
            folder = folder / part
            yield folder


def _own_group(root: Path, controller: str, version: int) -> str | None:
    """Path of the group, from lines such as '0::/a/b' and '4:cpu,cpuacct:/a'."""
    for line in _lines(root / "proc/self/cgroup"):
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if (number == "0" and not names) if version == 2 else controller in names.split(","):
            return path or "/"
    return None


def _mounts(root: Path, controller: str, version: int) -> Iterator[tuple[str, str]]:
    """(path of the group that is seen, where) of the mounted hierarchies that hold the controller."""
    for line in _lines(root / "proc/self/mountinfo"):
        before, separator, after = line.partition(" - ")
        fields, kinds = before.split(), after.split()
        if not separator or len(fields) < 5 or not kinds:
            continue
        if kinds[0] == ("cgroup2" if version == 2 else "cgroup"):
            options = kinds[2].split(",") if len(kinds) > 2 else []
            if version == 2 or controller in options:
                yield _unescaped(fields[3]), _unescaped(fields[4])


def _unescaped(field: str) -> str:
    """mountinfo writes blanks as octal numbers."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field


def _lines(path: Path) -> list[str]:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    return []


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _number(path: Path) -> int | None:
    words = _words(path)
    return int(words[0]) if len(words) == 1 and words[0].lstrip("-").isdecimal() else None


def _listed(path: Path, name: str) -> int:
    """The number behind a name in a list such as memory.stat; 0 if it is not there."""
    for line in _lines(path):
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdecimal():
            return int(value)
    return 0
