"""What a value that a user gives may be: one sentence for each that is refused. Nothing is converted in silence."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from unlearn_gym.errors import UserError

LARGEST_WEIGHT = 1e12
"""Weights above it could carry the reward of a step out of float32."""

Check = Callable[[str, Any], None]


def is_number(value: Any) -> bool:
    """Whether ``value`` is one real number of Python or NumPy; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def refused(name: str, value: Any, allowed: str) -> UserError:
    """Return the error for a value that is not allowed."""
    return UserError(f"{name}={value!r:.80} was given; give {allowed}.")


def whole(least: int) -> Check:
    """Return the check of a whole number of at least ``least``."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise refused(name, value, f"a whole number of at least {least}")

    return check


def number(allowed: str, is_allowed: Callable[[float], bool]) -> Check:
    """Return the check of a number, NaN and text being none."""

    def check(name: str, value: Any) -> None:
        try:
            good = is_number(value) and is_allowed(float(value))
        except OverflowError:  # a whole number beyond all floats
            good = False
        if not good:
            raise refused(name, value, allowed)

    return check


def switch(name: str, value: Any) -> None:
    """Check that a value is True or False and not, say, the text "false", which Python takes for true."""
    if not isinstance(value, bool | np.bool_):
        raise refused(name, value, "True or False, without quotation marks")


def word(name: str, value: Any) -> None:
    """Check that a value is text."""
    if not isinstance(value, str):
        raise refused(name, value, "a name, as text")


def mapping(name: str, value: Any) -> None:
    """Check that a value is a dictionary of keywords."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise refused(name, value, "a dictionary of keywords and their values")


def optional(check: Check) -> Check:
    """Return the same check, passed by None too."""
    return lambda name, value: None if value is None else check(name, value)


positive = number("a finite number above 0", lambda value: 0 < value < math.inf)
weight = number(f"a number from 0 to {LARGEST_WEIGHT:g}", lambda value: 0 <= value <= LARGEST_WEIGHT)
fraction = number("a number between 0 and 1, such as 0.9", lambda value: 0 < value < 1)
divisor = number(
    f"a number from {1 / LARGEST_WEIGHT:g} to {LARGEST_WEIGHT:g}",  # its square is a divisor
    lambda value: 1 / LARGEST_WEIGHT <= value <= LARGEST_WEIGHT,
)


def one_of(name: str, value: Any, allowed: Iterable[str]) -> None:
    """Check that a value is one of a few words."""
    word(name, value)
    *others, last = allowed
    if value not in (*others, last):
        words = f"{', '.join(others)} or {last}" if others else last
        raise UserError(f"{name}={value!r} is not known; choose {words}.")


def closest_first(given: str, known: Iterable[str]) -> list[str]:
    """Return the known names, what ``given`` may have meant before all others."""
    names = list(known)
    near = difflib.get_close_matches(given, names, n=3)
    return near + [name for name in names if name not in near]


def check_known(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Refuse keywords that there are not.

    Raises:
        UserError: naming the first unknown one, and those that ``what`` knows.
    """
    known = list(known)
    for name in given:
        if name not in known:
            allowed = ", ".join(closest_first(name, known)) or "none"
            raise UserError(f"{what} has no keyword {name!r}; allowed are {allowed}.")
