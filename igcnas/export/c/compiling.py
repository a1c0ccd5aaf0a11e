"""Model.c compiled by the C compiler of this machine, and called.

Libraries are kept in the cache folder of the user by what they were made of (source, compiler, flags, processor), so a
network is compiled once. The file has one static arena: calls of one library take turns.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from igcnas.errors import IgcnasError
from igcnas.export.c.files import HEADER, SOURCE
from igcnas.system.files import naming_faults, write_whole
from igcnas.system.folders import caches, writable
from igcnas.system.processor import fingerprint

FLAGS = ("-O3", "-march=native", "-ffp-contract=fast", "-std=c99")
_SHARED = ("-shared", "-fPIC")
_COMPILERS = ("cc", "gcc", "clang")
_SUFFIX = ".dll" if os.name == "nt" else ".so"
_POINTER = ctypes.POINTER(ctypes.c_float)
_MACROS = ("CHANNELS", "HEIGHT", "WIDTH", "CLASSES")
Run: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def compiler() -> list[str]:
    """The command of the C compiler: that of the variable CC, else the first that is there; IgcnasError for none."""
    named = shlex.split(os.environ.get("CC", ""))
    for command in [named] if named else [[name] for name in _COMPILERS]:
        if (path := shutil.which(command[0])) is not None:
            return [path, *command[1:]]
    what = f"CC names {named[0]!r}, which is not there" if named else "there is no C compiler"
    raise IgcnasError(f"{what}, and model.c needs one: install gcc or clang (Debian: apt install gcc), or use onnx")


def compiled(path: Path) -> Run:
    """A function from images (n, channels, height, width), values in [0, 1], to the logits (n, classes) of model.c."""
    shape, function = _shape(path), _function(path)
    turn = threading.Lock()

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        given = np.ascontiguousarray(images, np.float32)
        if given.shape[1:] != shape[:3]:
            raise IgcnasError(f"images of shape {given.shape} do not fit {path}, which takes (n, {shape[:3]})")
        logits = np.empty((len(given), shape[3]), np.float32)
        with turn:
            for image, row in zip(given, logits, strict=True):
                function(image.ctypes.data_as(_POINTER), row.ctypes.data_as(_POINTER))
        return logits

    return run


def prepared(path: Path, images: NDArray[np.float32], *, keep: bool = True) -> Callable[[], NDArray[np.float32]]:
    """The same for these images alone, again and again into the same logits: nothing but the network is in its time.

    keep: whether the library is kept in the cache folder.
    """
    shape, function = _shape(path), _function(path, keep=keep)
    given = np.ascontiguousarray(images, np.float32)
    logits = np.empty((len(given), shape[3]), np.float32)
    pairs = [
        (image.ctypes.data_as(_POINTER), row.ctypes.data_as(_POINTER)) for image, row in zip(given, logits, strict=True)
    ]

    def run() -> NDArray[np.float32]:
        for image, row in pairs:
            function(image, row)
        return logits

    return run


def _function(path: Path, *, keep: bool = True) -> Callable[..., None]:
    function = _library(path, compiler(), keep=keep).model_run
    function.argtypes, function.restype = (_POINTER, _POINTER), None
    return function


def _shape(path: Path) -> tuple[int, ...]:
    """Channels, height and width of the image, and the number of classes, as the header says them."""
    header = path.with_name(HEADER)
    if not path.is_file() or not header.is_file():
        raise IgcnasError(f"{path.parent} holds no {SOURCE} and {HEADER}; export the network again with --c")
    text = header.read_text(encoding="utf-8")
    found = [re.search(rf"^#define MODEL_{name} (\d+)$", text, re.MULTILINE) for name in _MACROS]
    if None in found:
        raise IgcnasError(f"{header} does not say the sizes of its network; export it again with --c")
    return tuple(int(one[1]) for one in found if one is not None)


def _library(path: Path, command: Sequence[str], *, keep: bool = True) -> ctypes.CDLL:
    """The compiled library: from the cache, or made and kept there, if anything can be written."""
    digest = hashlib.sha256(path.read_bytes() + path.with_name(HEADER).read_bytes())
    digest.update(repr((*command, *FLAGS, version(command), platform.machine(), fingerprint())).encode())
    name = f"model-{digest.hexdigest()[:20]}{_SUFFIX}"
    places = [folder / "c" for folder in caches()]
    for place in places:
        if (place / name).is_file():
            return _load(place / name)
    with (
        naming_faults("use", tempfile.gettempdir()),
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,  # Windows keeps what is loaded
    ):
        made = Path(folder, name)
        _compile(path, command, made)
        if not keep or (kept := writable(places)) is None:
            return _load(made)
        write_whole(kept / name, made.read_bytes())
    return _load(kept / name)


def _compile(path: Path, command: Sequence[str], target: Path) -> None:
    """Without -march=native where the compiler does not know the processor."""
    for flags in (FLAGS, [flag for flag in FLAGS if flag != "-march=native"]):
        arguments = [*command, *flags, *_SHARED, "-o", str(target), str(path.absolute())]
        done = subprocess.run(arguments, capture_output=True, encoding="utf-8", errors="replace", check=False)
        if done.returncode == 0:
            return
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    raise IgcnasError(f"{command[0]} cannot compile {path} ({lines[0]}); name another compiler by CC, or use onnx")


def _load(path: Path) -> ctypes.CDLL:
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise IgcnasError(f"{path} cannot be loaded ({error}); delete it, it is made again") from None


def version(command: Sequence[str]) -> str:
    """What the compiler says it is."""
    return _version(tuple(command))


@cache
def _version(command: tuple[str, ...]) -> str:
    with suppress(OSError):
        done = subprocess.run(
            [*command, "--version"], capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        return done.stdout
    return ""
