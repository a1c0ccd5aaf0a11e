"""What igcnas finds on this machine, and what to do about each: the content of `igcnas doctor`.

Convention: every finding stands alone and is guarded, so that a broken library or a strange machine is a finding and no
end. Libraries that take long to load, or may take the process with them, are loaded in processes of their own, which
run meanwhile.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from igcnas import __version__
from igcnas.cli.doctor.finding import NOTE, OK, PROBLEM, Finding, Probe
from igcnas.cli.doctor.gpu import gpu_findings, steps_findings, steps_probe
from igcnas.errors import AdditionError
from igcnas.system import additions, folders, resources, streams

_PACKAGE = Path(__file__).resolve().parents[2]
_NEED_MB = 700  # of a worker, as in evaluation.slots, which loads torch
_LITTLE_DISK, _NO_DISK = 1_000_000_000, 50_000_000
_FEW_FILES = 256
_TORCH = """
import json, torch
available = torch.cuda.is_available()
print(json.dumps({
    "version": torch.__version__, "cuda": torch.version.cuda, "available": available,
    "devices": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if available else [],
    "threads": torch.get_num_threads(),
}))
"""
_NUMBA = "import json, numba, llvmlite.binding as b; print(json.dumps([numba.__version__, b.get_host_cpu_name()]))"


def findings(studies: Path, *, check_gpu: bool = False) -> list[Finding]:
    """All of them, in the order in which they are shown; studies: the folder of all studies.

    check_gpu: check now whether captured steps are right and faster on the GPUs.
    """
    torch, numba = Probe([sys.executable, "-c", _TORCH]), Probe([sys.executable, "-c", _NUMBA])
    steps = steps_probe(check=check_gpu)
    parts: dict[str, Callable[[], list[Finding]]] = {
        "python": _python,
        "igcnas": _igcnas,
        "libraries": _libraries,
        "extras": _extras,
        "additions": _additions,
        "cores": _cores,
        "memory": _memory,
        "files": _files,
        "cache": _cache,
        "kernels": lambda: _kernels(numba),
        "studies": lambda: _studies(studies),
        "output": _output,
        "user": _user,
        "torch": lambda: _torch(torch),
        "gpu": lambda: gpu_findings(torch),
        "steps": lambda: steps_findings(torch, steps, asked=check_gpu),
    }
    found = []
    for name, part in parts.items():
        try:
            found += part()
        except Exception as error:  # whatever it is: the other findings are due
            found.append(
                Finding(name=name, state=NOTE, found=f"cannot be told ({type(error).__name__}: {_line(error)})")
            )
    return found


def _python() -> list[Finding]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}"
    if sys.version_info >= (3, 15):
        return [Finding(name="python", state=NOTE, found=found, advice="tried with 3.11 to 3.14")]
    return [Finding(name="python", state=OK, found=found)]


def _igcnas() -> list[Finding]:
    return [Finding(name="igcnas", state=OK, found=f"{__version__} in {_PACKAGE}")]


def _requirements() -> Iterator[tuple[str, str | None, Any]]:
    """(name, extra or None, range) of each library that the installed metadata name for this machine."""
    from packaging.requirements import Requirement

    for text in metadata.requires("igcnas") or ():
        requirement = Requirement(text)
        extra = re.search(r"""extra\s*==\s*['"]([^'"]+)['"]""", text)
        environment = {"extra": extra[1] if extra else ""}
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield requirement.name, extra[1] if extra else None, requirement.specifier


def _version(name: str) -> str | None:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(name)
    return None


def _libraries() -> list[Finding]:
    try:
        needed = [(name, span) for name, extra, span in _requirements() if extra is None]
    except metadata.PackageNotFoundError:
        advice = "from its folder it runs all the same; pip install -e . makes it known"
        return [Finding(name="libraries", state=NOTE, found="igcnas is not installed as a package", advice=advice)]
    found = []
    for name, span in needed:
        version = _version(name)
        if version is None:
            advice = f"python -m pip install '{name}{span}'"
            found.append(Finding(name=name, state=PROBLEM, found="is not installed", advice=advice))
        elif not span.contains(version, prereleases=True):
            advice = f"python -m pip install '{name}{span}'"
            found.append(Finding(name=name, state=PROBLEM, found=f"{version} is outside {span}", advice=advice))
    if not found:
        versions = ", ".join(f"{name} {_version(name)}" for name, _ in needed)
        found.append(Finding(name="libraries", state=OK, found=versions))
    return found


def _extras() -> list[Finding]:
    missing: dict[str, list[str]] = {}
    with suppress(metadata.PackageNotFoundError):
        for name, extra, _ in _requirements():
            if extra is not None:
                missing.setdefault(extra, [])
                if _version(name) is None:
                    missing[extra].append(name)
    return [
        Finding(
            name="extra",
            state=NOTE if names else OK,
            found=f"{extra}: " + (f"without {', '.join(names)}" if names else "all there"),
            advice=f"if you need it: python -m pip install 'igcnas[{extra}]'" if names else "",
        )
        for extra, names in missing.items()
    ]


def _additions() -> list[Finding]:
    """What other packages add; a problem where one bears a name that is taken, or cannot be loaded."""
    found = [
        Finding(name="addition", state=PROBLEM, found=fault.partition(";")[0], advice=fault.partition("; ")[2])
        for fault in additions.faults(_own_names())
    ]
    for one in () if found else additions.additions():
        try:
            one.load(object)
            found.append(Finding(name="addition", state=OK, found=str(one)))
        except AdditionError as error:
            text, _, advice = str(error).rpartition("; ")
            found.append(Finding(name="addition", state=PROBLEM, found=text, advice=advice))
    return found


def _own_names() -> dict[str, Container[str]]:
    """The names that igcnas has itself, by group of additions."""
    from igcnas.data.loading import OWN
    from igcnas.network import blocks, grouping
    from igcnas.network.budget import LIMITS
    from igcnas.search.samplers import AUTO, SAMPLERS
    from igcnas.search.space import known_spaces

    return {
        additions.DATA: OWN,
        additions.BLOCKS: blocks.KINDS.own,
        additions.GROUPINGS: grouping.KINDS.own,
        additions.LIMITS: tuple(LIMITS),
        additions.SAMPLERS: (AUTO, *SAMPLERS),
        additions.FAMILIES: known_spaces(),
    }


def _cores() -> list[Finding]:
    granted, quota, usable = resources.granted_cores(), resources.cpu_quota(), resources.usable_cores()
    found = f"{usable} to be used, of {os.cpu_count()} in the machine"
    if quota is None:
        return [Finding(name="cores", state=OK, found=found)]
    found += f"; a quota of {quota:g} cores' time"
    low = quota < granted
    advice = "more would be faster: docker run --cpus, or resources.cpu" if low else ""
    return [Finding(name="cores", state=NOTE if low else OK, found=found, advice=advice)]


def _memory() -> list[Finding]:
    memory = resources.memory()
    if memory.available is None:
        return [Finding(name="memory", state=NOTE, found="nothing tells how much is free")]
    found = f"{memory.available / 1e6:,.0f} MB available"
    if memory.limit is not None:
        found += f", under a limit of {memory.limit / 1e6:,.0f} MB ({memory.by})"
    if memory.available / 1e6 < _NEED_MB:
        advice = f"a training on small images takes about {_NEED_MB} MB: end other programs, or raise the limit"
        return [Finding(name="memory", state=PROBLEM, found=found, advice=advice)]
    return [Finding(name="memory", state=OK, found=found)]


def _files() -> list[Finding]:
    try:
        import resource
    except ImportError:  # Windows
        return []
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = soft != resource.RLIM_INFINITY and soft < _FEW_FILES
    advice = "with many workers that may not do: ulimit -n 1024" if few else ""
    state = NOTE if few else OK
    return [Finding(name="files", state=state, found=f"{soft} may be open at once (ulimit -n)", advice=advice)]


def _cache() -> list[Finding]:
    places = folders.caches()
    chosen = folders.writable(places)
    if chosen is None:
        tried = ", ".join(map(str, places)) or "none could be named"
        advice = "set IGCNAS_CACHE to a folder that can; without one images and kernels are made anew each time"
        return [Finding(name="cache", state=PROBLEM, found=f"no folder can be written ({tried})", advice=advice)]
    if len(places) > 1 and chosen == places[-1]:
        advice = "a restart may empty it: set IGCNAS_CACHE to a folder that stays"
        return [Finding(name="cache", state=NOTE, found=f"{chosen}, as {places[0]} cannot be written", advice=advice)]
    return [Finding(name="cache", state=OK, found=f"{chosen}, can be written")]


def _kernels(numba: Probe) -> list[Finding]:
    sources = _PACKAGE / "execution" / "cpu"
    places = folders.kernel_folders(sources)
    wanted = sum(path.read_text(encoding="utf-8").count("\n@kernel\n") for path in sources.glob("*.py"))
    tag = f"py{sys.version_info[0]}{sys.version_info[1]}"
    compiled = {path.name for folder in places for path in folder.glob(f"*.{tag}*.nbi")}
    where = folders.writable(places)
    advice = "" if where else "no folder can keep them: set IGCNAS_CACHE to one that can be written"
    if len(compiled) < wanted:
        how = "the first search does it, or now: python -m igcnas.execution.cpu (about a minute)"
        found = f"{len(compiled)} of {wanted} are compiled"
        return [_of_numba(numba), Finding(name="kernels", state=NOTE, found=found, advice=advice or how)]
    holding = next(folder for folder in places if any(folder.glob("*.nbi")))
    return [_of_numba(numba), Finding(name="kernels", state=OK, found=f"compiled, in {holding}")]


def _of_numba(probe: Probe) -> Finding:
    if error := probe.ended().error:
        advice = "--engine eager trains without it; python -m pip install --force-reinstall numba llvmlite"
        return Finding(name="numba", state=PROBLEM, found=f"cannot be loaded ({error})", advice=advice)
    version, processor = json.loads(probe.output)
    return Finding(name="numba", state=OK, found=f"{version}, compiles for {processor}")


def _studies(folder: Path) -> list[Finding]:
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not folders.can_write(there):
        advice = "run in another folder, or name one with --studies-dir"
        return [Finding(name="studies", state=PROBLEM, found=f"{there} cannot be written", advice=advice)]
    free = shutil.disk_usage(there).free
    found = f"{folder.absolute()} can be {'written' if there == folder.absolute() else 'made'}, "
    found += f"{free / 1e9:,.1f} GB free"
    if free < _NO_DISK:
        return [Finding(name="studies", state=PROBLEM, found=found, advice="make room, or name another --studies-dir")]
    little = free < _LITTLE_DISK
    advice = "a study of small networks takes some 10 to 100 MB" if little else ""
    return [Finding(name="studies", state=NOTE if little else OK, found=found, advice=advice)]


def _output() -> list[Finding]:
    encoding = getattr(sys.stdout, "encoding", None) or "unknown"
    found = f"{encoding}, {'a terminal' if sys.stdout.isatty() else 'no terminal'}"
    if streams.can_say("▁█", sys.stdout):
        return [Finding(name="output", state=OK, found=found)]
    advice = "curves are drawn in ASCII and other letters as escapes; PYTHONIOENCODING=utf-8 changes that"
    return [Finding(name="output", state=NOTE, found=found, advice=advice)]


def _user() -> list[Finding]:
    import getpass

    home = folders.home()
    name = getpass.getuser()
    if home is None:
        advice = "paths with '~' do not work; set HOME if you need them"
        return [Finding(name="user", state=NOTE, found=f"{name}, without a home folder", advice=advice)]
    return [Finding(name="user", state=OK, found=f"{name}, home {home}")]


def _torch(probe: Probe) -> list[Finding]:
    if error := probe.ended().error:
        advice = "python -m pip install --force-reinstall torch; counting and --help work without"
        return [Finding(name="torch", state=PROBLEM, found=f"cannot be loaded ({error})", advice=advice)]
    facts = json.loads(probe.output)
    build = f"built for CUDA {facts['cuda']}" if facts["cuda"] else "built for CPUs alone"
    return [Finding(name="torch", state=OK, found=f"{facts['version']}, {build}, {facts['threads']} threads")]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
