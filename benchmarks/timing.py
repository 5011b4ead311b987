"""Times of several actions, taken in turns so that a busy machine slows all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Times:
    """Seconds of one action, one number a repetition."""

    seconds: list[float]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.seconds)


@dataclass(frozen=True)
class Ratio:
    """How many times longer one action takes than another: median of pairs, with the quartiles."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.low:.2f}-{self.high:.2f})"


def interleaved(
    actions: Mapping[str, Callable[[], object]], repetitions: int, warm_up: int = 3
) -> dict[str, Times]:
    """Run every action once a round, ``repetitions`` rounds after those of the warm-up."""
    found: dict[str, list[float]] = {name: [] for name in actions}
    for round_ in range(-warm_up, repetitions):
        for name, action in actions.items():
            seconds = timed(action)
            if round_ >= 0:
                found[name].append(seconds)
    return {name: Times(seconds) for name, seconds in found.items()}


def timed(action: Callable[[], object]) -> float:
    """Return the seconds of one call, with the device's queue emptied before and after."""
    _synchronise()
    start = time.perf_counter()
    action()
    _synchronise()
    return time.perf_counter() - start


def ratio(times: Times, base: Times) -> Ratio:
    """Compare round by round, which cancels what the machine did meanwhile."""
    quotients = [a / b for a, b in zip(times.seconds, base.seconds, strict=True)]
    low, middle, high = statistics.quantiles(quotients, n=4)
    return Ratio(middle, low, high)


def _synchronise() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
