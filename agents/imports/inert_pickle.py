"""Pickles read as descriptions: nothing that they name is imported or called, so that they need not be trusted.

Whatever class or function a pickle names, an empty class of ours stands in for it; what the pickle would call it with
is kept. ``array`` makes numbers of the descriptions of NumPy's arrays, from their bytes.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from typing import Any, ClassVar

import numpy as np


class Described:
    """Stands in for an object.

    Attributes:
        origin: module and name of its class, or of the function that would make it.
        args: what that would be called with.
        state: its attributes, as the pickle has them.
    """

    origin: ClassVar[tuple[str, str]] = ("", "")
    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: Any, **keywords: Any) -> Described:
        """Keep the arguments."""
        described = object.__new__(cls)
        described.args, described.state = args, None
        return described

    def __setstate__(self, state: Any) -> None:
        """Keep the attributes."""
        self.state = state


class _Reader(pickle.Unpickler):
    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))
        self._classes: dict[tuple[str, str], type[Described]] = {}

    def find_class(self, module: str, name: str) -> type[Described]:
        """Return the stand-in of what has this name."""
        origin = (module, name)
        return self._classes.setdefault(origin, type("Stand", (Described,), {"origin": origin}))


def read(data: bytes) -> Any:
    """Return what a pickle describes: built-in values, ``Described`` objects, and subclasses of it for classes.

    Raises:
        ValueError: when it is no whole pickle, or of a kind that is not understood.
    """
    try:
        return _Reader(data).load()
    except Exception as error:  # a damaged pickle fails in any way
        raise ValueError(f"no readable pickle ({type(error).__name__}: {error})") from error


def array(value: Any) -> np.ndarray:
    """Return a number, or the description of an array, as an array.

    Raises:
        ValueError: when it is neither.
    """
    if isinstance(value, (bool, int, float)):
        return np.asarray(value)
    try:
        module, name = value.origin
        if module.split(".")[0] != "numpy":
            raise ValueError(f"{module}.{name} is no array")
        if name == "_frombuffer":
            raw, kind, shape, order = value.args
        elif name == "_reconstruct":
            _, shape, kind, fortran, raw = value.state
            order = "F" if fortran else "C"
        elif name == "scalar":
            (kind, raw), shape, order = value.args, (), "C"
        else:
            raise ValueError(f"{module}.{name} is no array")
        dtype = _dtype(kind)
        if len(raw) != dtype.itemsize * math.prod(shape):
            raise ValueError("an array of the wrong size")
        return np.frombuffer(bytes(raw), dtype).reshape(shape, order=order)
    except (AttributeError, TypeError) as error:
        raise ValueError("no description of an array") from error


def _dtype(described: Any) -> np.dtype:
    code, order = described.args[0], described.state[1]
    if (
        described.origin != ("numpy", "dtype")
        or not re.fullmatch("[fiu][1248]|b1", code)
        or order not in "<>|="
    ):
        raise ValueError(f"an array of {code!r}")
    return np.dtype(code).newbyteorder(order)
