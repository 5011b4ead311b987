"""What measures outcomes: it looks at a model, and remembers what the original showed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from unlearn_gym.data.requests.family import Shown
from unlearn_gym.metrics.outcomes.outcome import Outcome, outcome


@dataclass(frozen=True)
class Look:
    """What a model shows.

    Attributes:
        shares: label → share of what is shown of it that is each concept, and last that is none, (concepts + 1,).
        images: what was looked at, (n, channels, height, width), those of the request's labels first; None where
            nothing was drawn.
    """

    shares: dict[int, Tensor]
    images: Tensor | None = None


class Meter(ABC):
    """Compares what models show with what the original showed.

    Args:
        original: returns the model before unlearning; called once.
    """

    def __init__(self, original: Callable[[], Any]) -> None:
        self._make_original = original
        self._before: dict[Hashable, Look] = {}

    @cached_property
    def _original(self) -> Any:
        return self._make_original()

    @abstractmethod
    def look(self, model: Any, shown: Shown, seed: int) -> Look:
        """Return what a model shows of a request."""

    @abstractmethod
    def key(self, shown: Shown, seed: int) -> Hashable:
        """Return what the original's look depends on."""

    def before(self, shown: Shown, seed: int) -> Look:
        """Return what the original shows, which is looked at once where nothing changes it."""
        key = self.key(shown, seed)
        if key not in self._before:
            self._before[key] = self.look(self._original, shown, seed)
        return self._before[key]

    def measure(self, model: Any, shown: Shown, seed: int = 0) -> Outcome:
        """Return the outcome of a request whose run left ``model``."""
        return outcome(self.before(shown, seed).shares, self.look(model, shown, seed).shares, shown)
