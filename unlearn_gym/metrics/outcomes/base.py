"""What measures outcomes: it looks at a model, and remembers what its original showed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
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
    """Compares what models of one or several families show with what the original of their family showed.

    Args:
        original: returns the model of the named family before unlearning.
    """

    def __init__(self, original: Callable[[str], Any]) -> None:
        self._original = original
        self._before: dict[Hashable, Look] = {}

    @abstractmethod
    def look(self, model: Any, shown: Shown, seed: int) -> Look:
        """Return what a model shows of a request."""

    @abstractmethod
    def key(self, shown: Shown, seed: int) -> Hashable:
        """Return what the look of a family's original depends on."""

    def before(self, shown: Shown, seed: int) -> Look:
        """Return what the family's original shows, which is looked at once where nothing changes it."""
        key = shown.family, self.key(shown, seed)
        if key not in self._before:
            self._before[key] = self.look(self._original(shown.family), shown, seed)
        return self._before[key]

    def measure(self, model: Any, shown: Shown, seed: int = 0) -> Outcome:
        """Return the outcome of a request whose run left ``model``."""
        return outcome(self.before(shown, seed).shares, self.look(model, shown, seed).shares, shown)
