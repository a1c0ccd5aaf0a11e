"""Limits of containers: made-up trees of control groups, version 1, 2, both, nested, seen from inside and outside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from igcnas.system import resources
from igcnas.system.resources import cpu_quota, memory, usable_cores

V2 = "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
MB = 10**6


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "granted_cores", lambda: 8)
    monkeypatch.setattr(resources, "_of_machine", lambda: 16_000 * MB)
    monkeypatch.setattr(resources, "_of_shell", list)


def tree(root: Path, *, group: str, mounts: str, files: dict[str, str]) -> Path:
    for name, text in {"proc/self/cgroup": group, "proc/self/mountinfo": mounts, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_a_machine_without_control_groups_has_no_limits(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path) is None
    assert usable_cores(tmp_path) == 8
    assert memory(tmp_path) == resources.Memory(available=16_000 * MB, limit=None, by=None)


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("150000 100000", 2),
        ("50000 100000", 1),
        ("200000 100000", 2),
        ("max 100000", 8),
        ("9900000 100000", 8),
        ("", 8),
    ],
)
def test_a_quota_of_version_2_is_rounded_up_to_whole_cores(text: str, cores: int, tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/cpu.max": text}
    assert usable_cores(tree(tmp_path, group="0::/\n", mounts=V2, files=files)) == cores


def test_the_tightest_of_the_own_group_and_those_above_counts(tmp_path: Path) -> None:
    base = "sys/fs/cgroup/"
    files = {
        f"{base}a/cpu.max": "300000 100000",
        f"{base}a/b/cpu.max": "max 100000",
        f"{base}a/b/c/cpu.max": "600000 100000",
        f"{base}other/cpu.max": "100000 100000",
        f"{base}a/memory.max": "900000000",
        f"{base}a/memory.current": "500000000",
        f"{base}a/memory.stat": "anon 1\ninactive_file 100000000\n",
        f"{base}a/b/memory.max": "max",
        f"{base}a/b/c/memory.high": "700000000",
        f"{base}a/b/c/memory.current": "200000000",
    }
    root = tree(tmp_path, group="0::/a/b/c\n", mounts=V2, files=files)
    assert cpu_quota(root) == 3.0
    assert memory(root) == resources.Memory(available=500 * MB, limit=700 * MB, by="memory.high")


def test_a_container_that_sees_its_own_group_as_the_root_is_found_by_the_path_of_the_host(tmp_path: Path) -> None:
    mounts = "31 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
    files = {"sys/fs/cgroup/cpu.max": "100000 100000", "sys/fs/cgroup/inner/cpu.max": "50000 100000"}
    assert cpu_quota(tree(tmp_path, group="0::/docker/abc\n", mounts=mounts, files=files)) == 1.0
    assert cpu_quota(tree(tmp_path, group="0::/docker/abc/inner\n", mounts=mounts, files=files)) == 0.5
    assert cpu_quota(tree(tmp_path, group="0::/elsewhere\n", mounts=mounts, files=files)) == 1.0
    assert cpu_quota(tree(tmp_path, group="0::/../x\n", mounts=V2, files=files)) == 1.0


V1 = (
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)


def test_version_1_has_a_folder_for_each_controller(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "250000",
        "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        "sys/fs/cgroup/memory/task/memory.limit_in_bytes": "2000000000",
        "sys/fs/cgroup/memory/task/memory.usage_in_bytes": "1800000000",
        "sys/fs/cgroup/memory/task/memory.stat": "inactive_file 5\ntotal_inactive_file 800000000\n",
    }
    group = "5:devices:/x\n4:memory:/task\n3:cpu,cpuacct:/job\n"
    root = tree(tmp_path, group=group, mounts=V1, files=files)
    assert cpu_quota(root) == 2.5
    assert usable_cores(root) == 3
    assert memory(root) == resources.Memory(available=1000 * MB, limit=2000 * MB, by="memory.limit_in_bytes")


def test_both_versions_at_once_each_count(tmp_path: Path) -> None:
    mounts = V1 + "41 31 0:38 / /sys/fs/cgroup/unified\\040tree rw - cgroup2 cgroup2 rw\n"
    files = {
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "400000",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
        "sys/fs/cgroup/unified tree/a/cpu.max": "200000 100000",
    }
    root = tree(tmp_path, group="2:cpu,cpuacct:/\n0::/a\n", mounts=mounts, files=files)
    assert cpu_quota(root) == 2.0


def test_what_no_kernel_writes_is_passed_over(tmp_path: Path) -> None:
    files = {
        "sys/fs/cgroup/cpu.max": "0 0",
        "sys/fs/cgroup/memory.max": "\udcff".encode("utf-8", "surrogateescape").hex(),
    }
    root = tree(tmp_path, group="nonsense\n::\n0::/\n", mounts="short\n - \n" + V2, files=files)
    assert cpu_quota(root) is None
    assert memory(root).limit is None


def program(code: str, **environment: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, encoding="utf-8", check=True, timeout=120
    ).stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is kept on Linux alone")
def test_a_limit_of_the_shell_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))\n"
        "from igcnas.system.resources import memory; found = memory()\n"
        "print(found.limit, found.by, found.available <= 10**9)"
    )
    assert program(code) == "1000000000 ulimit -v True"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_cores_are_those_that_the_scheduler_may_choose() -> None:
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nfrom igcnas.system import resources\n"
    assert program(code + "print(resources.granted_cores(), resources.usable_cores())") == "1 1"


def test_libraries_hear_of_a_quota_and_not_of_a_number_that_the_user_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "cpu_quota", lambda _root: 2.0)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(name, "")  # so that what the code under test sets is taken back
        monkeypatch.delenv(name)
    monkeypatch.setenv("MKL_NUM_THREADS", "5")
    resources.settle_threads()
    assert (os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]) == ("2", "5")


def _made_group() -> Path | None:
    """A control group of version 1 for processors, where this process may make one."""
    folder = Path(f"/sys/fs/cgroup/cpu/igcnas-test-{os.getpid()}")
    try:
        folder.mkdir()
        (folder / "cpu.cfs_quota_us").write_text("50000", encoding="ascii")
    except OSError:
        if folder.is_dir():
            folder.rmdir()
        return None
    return folder


def test_a_real_control_group_is_seen() -> None:
    folder = _made_group()
    if folder is None:
        pytest.skip("this machine lets nobody make a control group for processors")
    try:
        code = f"open({str(folder / 'cgroup.procs')!r}, 'w').write('0')\nfrom igcnas.system import resources\n"
        assert program(code + "print(resources.cpu_quota(), resources.usable_cores())") == "0.5 1"
    finally:
        folder.rmdir()
