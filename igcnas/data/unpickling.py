"""A pickle reader which builds arrays of bytes, lists, dicts, strings and numbers, and refuses everything else.

A pickle may name any function and have it called; a data file somebody sent could so run a program. Here a name which
numpy's arrays do not need is an error before anything is called, and those they need name stand-ins.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

from igcnas.errors import DataError

# What a file that is cut short or overwritten makes pickle and numpy raise; found by feeding them damaged files.
_DAMAGE = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ImportError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
)


def unpickle_arrays(content: bytes, *, where: str) -> dict[Any, Any]:
    """The dict in `content`, a pickle of Python 2 or 3, its arrays uint8; strings of Python 2 come as bytes.

    DataError, which names `where`, if it names a forbidden global, ends early, or is no pickle of a dict.
    """
    try:
        found = _ArrayUnpickler(content, where).load()
    except DataError:  # ours, and a ValueError too: it says more than the line below
        raise
    except _DAMAGE as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{where!r} is truncated or no pickle ({reason}); fetch the file again") from error
    if not isinstance(found, dict):
        raise DataError(
            f"{where!r} holds a {type(found).__name__}, not a dict of arrays and labels; fetch the file again"
        )
    return {key: value.array if isinstance(value, _Pixels) else value for key, value in found.items()}


def _latin1(text: str, encoding: str) -> bytes:
    """What numpy calls `_codecs.encode` for, and no other codec: some of those unpack archives."""
    if encoding != "latin1":
        raise ValueError(f"codec {encoding!r} is not used by arrays")
    return text.encode("latin1")


class _Dtype:
    """Stands in for numpy.dtype: keeps the name and ignores the byte order, which one byte does not have."""

    def __init__(self, name: str | bytes, *_: object) -> None:
        self.name = name.decode("latin1") if isinstance(name, bytes) else name

    def __setstate__(self, state: object) -> None:
        pass


class _Pixels:
    """Stands in for numpy.ndarray: takes its state, if that is one of bytes, and checks it."""

    array: NDArray[np.uint8] | None = None

    def __setstate__(self, state: tuple[object, ...]) -> None:
        _, shape, dtype, fortran_order, content = state
        if not isinstance(dtype, _Dtype) or dtype.name not in ("u1", "uint8"):
            raise ValueError(f"an array of {getattr(dtype, 'name', dtype)!r} where pixels are 'u1'")
        if not isinstance(content, bytes) or not isinstance(shape, tuple) or not all(type(n) is int for n in shape):
            raise ValueError("an array without its bytes or its shape")
        self.array = np.frombuffer(content, np.uint8).reshape(shape, order="F" if fortran_order else "C")


def _reconstruct(*_: object) -> _Pixels:
    return _Pixels()


# numpy's own functions are not called: a wrong state of an array crashes the interpreter (seen with numpy 2.4 when
# bytes were changed at random). Numpy 1 wrote the first name of the function, numpy 2 writes the second.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Pixels,
    ("numpy", "dtype"): _Dtype,
    ("_codecs", "encode"): _latin1,
}


class _ArrayUnpickler(pickle.Unpickler):
    def __init__(self, content: bytes, where: str) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self._where = where

    def find_class(self, module: str, name: str) -> Any:
        """The allowed object of that name; DataError for any other."""
        try:
            return _ALLOWED[module, name]
        except KeyError:
            named = f"{module}.{name}"
            raise DataError(
                f"{self._where!r} asks for {named!r}, which a pickle of arrays may not call; "
                "do not use this file, fetch it from its publisher"
            ) from None
