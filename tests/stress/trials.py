"""What one wrong input is: how it is prepared, and how it is given to the package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.stress.cases import Place, fail_unless


@dataclass(frozen=True)
class Call:
    """Python code; it raises ``Fault`` where its input is taken and what comes of it is wrong."""

    body: Callable[[], object]


@dataclass(frozen=True)
class Words:
    """A command line.

    Attributes:
        words: script and words.
        right: raises ``Fault`` where it ends well and what it left is wrong.
        goes_on: whether it changes what it was given, when it takes it.
    """

    words: tuple[str, ...]
    right: Callable[[Path], None] = lambda folder: None
    goes_on: bool = False


@dataclass(frozen=True)
class Trial:
    """A wrong input.

    Attributes:
        title: what is wrong with what.
        prepare: writes the files that it needs and returns how it is given.
        refused: whether it must be refused (else it may be taken, with right results).
    """

    title: str
    prepare: Callable[[Place], Call | Words]
    refused: bool


def drive(env: Any, steps: int = 3) -> list[np.ndarray]:
    """Go some steps from a seeded reset and return all numbers, which have to be finite and in their spaces."""
    observation, _ = env.reset(seed=0)
    low, high = float(env.action_space.low[0]), float(env.action_space.high[0])
    seen = [observation]
    for _ in range(steps):
        observation, reward, terminated, _, info = env.step(np.array([(low + high) / 2], np.float32))
        seen += [observation, np.array([reward, *info["reward_terms"].values()], np.float64)]
        if terminated:
            break
    fail_unless(all(np.isfinite(part).all() for part in seen), f"numbers that are not finite: {seen[-2:]}")
    inside = all(env.observation_space.contains(part) for part in seen[:1] + seen[1::2])
    fail_unless(inside, "an observation outside its space")
    env.close()
    return seen
