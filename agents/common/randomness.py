"""Libraries that draw from the global random generators, kept to a state of their own."""

from __future__ import annotations

import random
from types import TracebackType
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.utils import set_random_seed


class OwnRandomness:
    """A context in which the global generators are ours; outside they are as if nothing had happened.

    Stable-Baselines3 draws from the global generators of Python, NumPy and PyTorch. Each agent owns such a
    state and continues it whenever the context is entered.

    Args:
        seed: seed of the state.
    """

    def __init__(self, seed: int) -> None:
        self._depth = 0
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Start over from ``seed``."""
        outside = capture()
        set_random_seed(seed % 2**32)  # NumPy takes no more
        self._inside = capture()
        restore(outside)

    def __enter__(self) -> OwnRandomness:
        if self._depth == 0:
            self._outside = capture()
            restore(self._inside)
        self._depth += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._inside = capture()
            restore(self._outside)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of our generators, inside or outside the context."""
        return capture() if self._depth else self._inside

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        self._inside = state
        if self._depth:
            restore(state)


def capture() -> dict[str, Any]:
    """Return the state of the global generators of Python, NumPy and PyTorch."""
    state = {
        "python": random.getstate(),
        "numpy": np.random.get_state(legacy=False),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore(state: dict[str, Any]) -> None:
    """Put the global generators into ``state``."""
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
