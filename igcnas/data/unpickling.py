"""A pickle reader which builds arrays of bytes, lists, dicts, strings and numbers, and refuses everything else.

A pickle may name any function and have it called; a data file somebody sent could so run a program. Here a name which
numpy's arrays do not need is an error before anything is called, and those they need name stand-ins.

Nor may a few bytes exhaust the process. The opcodes are read first, without obeying them: only those that plain data
need, no number that is longer than any label or shape, no place in the memo beyond what can have been put there, and no
more containers than a thousand, where data sets of images have a dozen, whatever the number of images: so nothing is
nested deeply. (Objects nested a hundred thousand times crash the interpreter when they are freed, and a place 2^26 in
the memo takes a gigabyte.)
"""

from __future__ import annotations

import io
import pickle
import pickletools
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

    DataError, which names `where`, if it names a forbidden global, ends early, asks for more than its bytes can hold,
    or is no pickle of a dict.
    """
    try:
        _check(content, where)
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


# Protocols 0 to 4 of plain data and arrays. Absent are objects that something else keeps, by number (EXT1) or by name
# (PERSID), buffers out of band, and the classes of Python 2.
_ALLOWED_WORDS = """
    MARK STOP POP POP_MARK DUP FLOAT BINFLOAT INT BININT BININT1 BININT2 LONG LONG1 LONG4 NONE NEWTRUE NEWFALSE
    STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8
    EMPTY_LIST APPEND APPENDS LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT DICT SETITEM SETITEMS
    GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL REDUCE BUILD PROTO FRAME
"""
_CONTAINER_WORDS = "EMPTY_LIST LIST EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_DICT DICT REDUCE"
_OPCODES, _CONTAINERS = frozenset(_ALLOWED_WORDS.split()), frozenset(_CONTAINER_WORDS.split())
_PUT = ("PUT", "BINPUT", "LONG_BINPUT")
_CLOSING = ("APPENDS", "LIST", "TUPLE", "SETITEMS", "DICT", "POP_MARK")
_MOST_CONTAINERS = 1000
_MOST_ENTRIES = 10_000  # of all dicts together: keys of one hash each cost as many comparisons as there are others
_MOST_BITS = 63  # what an array of labels holds


def _check(content: bytes, where: str) -> None:
    """Read the opcodes and obey none; DataError for what plain data do not need."""
    containers = entries = 0
    levels = [0]  # objects on the stack since its start, and since each mark
    for number, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        name = opcode.name
        if name not in _OPCODES:
            raise _refused(where, f"the opcode {name}, which arrays and labels do not need")
        containers += name in _CONTAINERS
        if containers + len(levels) > _MOST_CONTAINERS:
            raise _refused(where, f"more than {_MOST_CONTAINERS:,} lists, tuples, dicts and arrays")
        if isinstance(argument, int) and argument.bit_length() > _MOST_BITS:
            raise _refused(where, f"a number of {argument.bit_length():,} bits")
        if name in _PUT and isinstance(argument, int) and argument > number:
            raise _refused(where, f"place {argument:,} of the memo after {number:,} opcodes")
        if name == "FRAME" and isinstance(argument, int) and argument > len(content):
            raise _refused(where, f"a frame of {argument:,} bytes in {len(content):,}")
        if name == "MARK":
            levels.append(0)
        elif name in _CLOSING and len(levels) > 1:
            size = levels.pop()
            levels[-1] += name in ("LIST", "TUPLE", "DICT")
            entries += size // 2 if name in ("SETITEMS", "DICT") else 0
        else:
            levels[-1] += len(opcode.stack_after) - len(opcode.stack_before)
            entries += name == "SETITEM"
        if entries > _MOST_ENTRIES:
            raise _refused(where, f"dicts of more than {_MOST_ENTRIES:,} entries")


def _refused(where: str, what: str) -> DataError:
    return DataError(f"{where!r} holds {what}; do not use this file, fetch it from its publisher")


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
}


class _ArrayUnpickler(pickle.Unpickler):
    def __init__(self, content: bytes, where: str) -> None:
        super().__init__(io.BytesIO(content), encoding="bytes")
        self._where = where
        self._left = len(content)  # bytes that may still be encoded: each string once

    def _latin1(self, text: str, encoding: str) -> bytes:
        """What numpy calls `_codecs.encode` for, and no other codec: some of those unpack archives."""
        if encoding != "latin1":
            raise ValueError(f"codec {encoding!r} is not used by arrays")
        self._left -= len(text)
        if self._left < 0:
            raise ValueError("the same text is encoded again and again")
        return text.encode("latin1")

    def find_class(self, module: str, name: str) -> Any:
        """The allowed object of that name; DataError for any other."""
        if (module, name) == ("_codecs", "encode"):
            return self._latin1
        try:
            return _ALLOWED[module, name]
        except KeyError:
            named = f"{module}.{name}"
            raise DataError(
                f"{self._where!r} asks for {named!r}, which a pickle of arrays may not call; "
                "do not use this file, fetch it from its publisher"
            ) from None
