"""Requests that are drawn from a seed: a split of many jobs in one line, for training above all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from unlearn_gym.data.requests.request import Request, names_of
from unlearn_gym.errors import UserError
from unlearn_gym.runtime.checks import Check, positive, refused, whole

MOST = 10_000
"""Requests that one split may draw."""
ATTEMPTS = 100
"""Draws for each request that is wanted, until the ranges are found too narrow for so many different ones."""
DIGITS = 3
"""Significant digits of a learning rate that was drawn: its request's name then says all of it."""


def drawn(
    *,
    draw: int,
    forget: Any,
    horizon: Any,
    learning_rate: Any,
    seed: int = 0,
    together: int = 1,
    count: Any = None,
    batch_size: int = 32,
    family: str = "",
) -> tuple[Request, ...]:
    """Return requests drawn at random, no two of them the same; the same ones each time.

    A range is its two ends, both included; a single number is always that number.

    Args:
        draw: how many.
        forget: names of the concepts to choose from.
        horizon: updates, whole numbers in a range.
        learning_rate: log-uniform in a range.
        seed: of every draw.
        together: most concepts of one request, which has 1 to so many of them.
        count: images of each concept, whole numbers in a range; None for all.
        batch_size: of every request.
        family: likewise.

    Raises:
        UserError: if a value is wrong, or there are not so many different requests.
    """
    concepts = names_of(forget)
    Request(concepts, 1, 1.0, batch_size, family=family)  # what no request could have is refused here
    whole(0)("seed", seed)
    _up_to("draw", draw, MOST)
    _up_to("together", together, len(concepts))
    horizons, rates = _range("horizon", horizon, whole(1)), _range("learning_rate", learning_rate, positive)
    counts = None if count is None else _range("count", count, whole(1))
    generator = np.random.default_rng(seed)

    def one() -> Request:
        chosen = generator.permutation(len(concepts))[: generator.integers(1, together, endpoint=True)]
        return Request(
            forget=tuple(concepts[number] for number in sorted(chosen)),
            horizon=int(generator.integers(*horizons, endpoint=True)),
            learning_rate=_log_uniform(generator, *rates),
            batch_size=batch_size,
            count=None if counts is None else int(generator.integers(*counts, endpoint=True)),
            family=family,
        )

    found: dict[Request, None] = {}
    for _ in range(ATTEMPTS * draw):
        found.setdefault(one())
        if len(found) == draw:
            return tuple(found)
    raise UserError(
        f"draw={draw} requests were wanted, but only {len(found)} different ones were found; give wider ranges or "
        "draw fewer."
    )


def _log_uniform(generator: np.random.Generator, low: float, high: float) -> float:
    value = math.exp(generator.uniform(math.log(low), math.log(high)))
    return min(max(float(f"{value:.{DIGITS}g}"), low), high)


def _up_to(name: str, value: Any, most: int) -> None:
    whole(1)(name, value)
    if value > most:
        raise refused(name, value, f"a whole number from 1 to {most}")


def _range(name: str, value: Any, check: Check) -> tuple[Any, Any]:
    """Return the ends of a range, which may be one number."""
    ends = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(ends) != 2:
        raise refused(name, value, "a number, or the two ends of a range")
    for end in ends:
        check(name, end)
    if ends[0] > ends[1]:
        raise refused(name, value, "the smaller end of a range first")
    return ends
