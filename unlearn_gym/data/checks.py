"""Options of the data: whole numbers and shares in their range, keywords that exist."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

from unlearn_gym.errors import UserError

LARGEST_SEED = 2**63 - 1


def whole(name: str, value: Any, low: int, high: int) -> int:
    """Return ``value`` if it is a whole number (no truth value) in [low, high].

    Raises:
        UserError: if it is not.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= int(value) <= high:
        raise UserError(f"{name}={value!r} was given; give a whole number from {low} to {high}.")
    return int(value)


def finite(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """Return ``value`` if it is a finite number (no truth value) in [low, high].

    Raises:
        UserError: if it is not.
    """
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        ends = {(False, False): "", (True, False): f" of at least {low:g}", (False, True): f" of at most {high:g}",
                (True, True): f" from {low:g} to {high:g}"}[math.isfinite(low), math.isfinite(high)]  # fmt: skip
        raise UserError(f"{name}={value!r} was given; give a finite number{ends}.")
    return float(value)


def check_keywords(what: str, function: Callable[..., Any], given: Mapping[str, object]) -> None:
    """Refuse keywords that a function does not take.

    Args:
        what: what an error message calls the function's subject.
        function: takes the keywords.
        given: what is to be handed over.

    Raises:
        UserError: naming the first unknown one and all known ones.
    """
    taken = [name for name, p in inspect.signature(function).parameters.items() if p.kind != p.VAR_KEYWORD]
    unknown = [name for name in given if name not in taken]
    if unknown:
        raise UserError(f"{unknown[0]!r} is no keyword of {what}; allowed are {', '.join(taken) or 'none'}.")
