"""Where studies lie, and files that may be made again at any time: decoded images, compiled kernels, libraries' own.

Convention: a folder counts as writable once a file was written in it; that it could be made says nothing. First the
folder that the user named (IGCNAS_CACHE), then the user's cache folder of this system, then one of this user alone
under the temporary folder, and where nothing can be written nothing is kept. No function here fails: a user without a
home, an entry in the list of users or a folder to write has a slower program, not a broken one.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

KERNELS = "kernels-"  # and a hash of their sources
# The environment is what the processes have that this one starts: they need not say again what it has said.
_SAID = "IGCNAS_SAID"


def studies() -> Path:
    """The folder of all studies: IGCNAS_STUDIES where it is set, else `studies` in the present folder."""
    named = os.environ.get("IGCNAS_STUDIES")
    return Path(named).expanduser() if named else Path("studies")


def caches() -> list[Path]:
    """Folders for what may be made again, best first; the temporary one only where it is this user's alone."""
    named = os.environ.get("IGCNAS_CACHE")
    found = [Path(named).absolute() if named else None, None if named else _of_user(), private_temporary()]
    return [folder for folder in found if folder is not None]


def writable(folders: Iterable[Path]) -> Path | None:
    """The first of these that can be written; it is made if need be."""
    return next((folder for folder in folders if can_write(folder)), None)


def can_write(folder: Path) -> bool:
    """Whether a file can be written there: tried, with the folder made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"1")
            file.flush()
    except (OSError, ValueError):  # ValueError: a NUL in a name
        return False
    return True


def kernel_folders(sources: Path) -> list[Path]:
    """Where compiled kernels of the Python files in `sources` may lie, best first; readable or not.

    NUMBA_CACHE_DIR where it is set, else beside the sources; then the caches.
    """
    name = KERNELS + sources_hash(sources)
    named = os.environ.get("NUMBA_CACHE_DIR")
    first = Path(named) if named else sources / "__pycache__"
    return [folder / name for folder in (first, *caches())]


def sources_hash(folder: Path) -> str:
    """Of every Python file in a folder, names and contents."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def private_temporary() -> Path | None:
    """A folder of this user under the temporary one, made if need be; None where there is none that is safe.

    Compiled code is read from it, so one that another user has put there, or can write, is not used.
    """
    base = temporary_base()
    if base is None:
        return None
    if not hasattr(os, "getuid"):  # Windows: the temporary folder is the user's own
        return base / "igcnas"
    folder = base / f"igcnas-{os.getuid()}"
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
    except OSError:
        return None
    own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return folder if own else None


def temporary_base() -> Path | None:
    """The temporary folder of the system; None where it has none that can be written."""
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        return None


def say_once(text: str) -> None:
    """A line on stderr, once for this process and those that it starts."""
    key = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
    said = os.environ.get(_SAID, "").split()
    if key not in said:
        os.environ[_SAID] = " ".join([*said, key])
        if sys.stderr is not None:
            sys.stderr.write(f"note: {text}\n")
            sys.stderr.flush()


def settle_libraries() -> None:
    """Give the libraries what they fail or complain without: a name of the user, a folder that matplotlib may write.

    To be called before they are imported. onnxruntime is kept from writing an id of this machine into the home folder,
    for its telemetry, and from complaining where it cannot. matplotlib refuses to be imported where MPLBACKEND names no
    backend that it knows; figures are written to files, which needs none. Kernels that numba is told not to compile
    would take hours for what they do in seconds.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    if "MPLBACKEND" in os.environ:
        os.environ["MPLBACKEND"] = "agg"
    if os.environ.pop("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        say_once("NUMBA_DISABLE_JIT is not heeded: kernels that are not compiled would take hours")
    if not _has_name():
        os.environ["LOGNAME"] = f"uid{os.getuid()}"  # getpass.getuser of torch, and of others
    if not all(map(can_write, _of_matplotlib())) and (own := private_temporary()) is not None:
        os.environ["MPLCONFIGDIR"] = str(own / "matplotlib")


def same_modules() -> dict[str, str]:
    """The environment for a Python that is to find modules where this one does, so that both are the same igcnas."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}


def home() -> Path | None:
    """The user's own folder; None where nothing names one."""
    with suppress(RuntimeError, KeyError, OSError):  # no HOME and no entry in the list of users
        return Path.home()
    return None


def _of_user() -> Path | None:
    shared = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(shared):  # the XDG specification has a relative path ignored
        return Path(shared) / "igcnas"
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "igcnas" / "cache"
    own = home()
    if own is None or not own.is_absolute():
        return None
    return own / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "igcnas"


def _of_matplotlib() -> list[Path]:
    """Where matplotlib looks for settings and keeps its list of fonts; what it cannot write it complains of."""
    if named := os.environ.get("MPLCONFIGDIR"):
        return [Path(named)]
    own = home()
    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return [Path(local) / "matplotlib"]
    if not sys.platform.startswith(("linux", "freebsd")):
        return [(own or Path(os.devnull)) / ".matplotlib"]
    shared = (os.environ.get("XDG_CONFIG_HOME"), ".config"), (os.environ.get("XDG_CACHE_HOME"), ".cache")
    return [Path(place or (own or Path(os.devnull)) / usual) / "matplotlib" for place, usual in shared]


def _has_name() -> bool:
    """Whether getpass.getuser answers."""
    if any(os.environ.get(name) for name in ("LOGNAME", "USER", "LNAME", "USERNAME")):
        return True
    try:
        import pwd
    except ImportError:  # Windows: always in the environment
        return True
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return True
