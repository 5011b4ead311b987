"""What an action means: λ, and the factor of the learning rate where that is controlled as well."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces

from unlearn_gym.errors import UserError

CONTROLS = (("lambda",), ("lambda", "learning_rate"))
"""What an action may set, in its order."""
LARGEST_FACTOR = 4.0
"""The learning rate is multiplied by a factor from 1/4 to 4."""
LOG_ODDS_0, SLOPE = -2.0, 2.5
"""Log-odds of λ's position in its range at an action of 0, and how fast they rise there."""
LOG_DECADES = math.log(1000.0)
"""Log of the factor that an action on a log scale covers."""


@dataclass(frozen=True)
class Decision:
    """What an action asks for.

    Attributes:
        lam: λ, inside its range.
        factor: of the learning rate in this update.
        clipped: whether the action lay outside its space.
    """

    lam: float
    factor: float
    clipped: bool


class Encoding(ABC):
    """How actions say λ and the factor of the learning rate.

    Args:
        lambda_range: smallest and largest λ.
        control: an element of ``CONTROLS``.

    Attributes:
        low: smallest λ, rounded to float32 as the actions are, and ``high`` the largest.
        space: of the actions, (1,) or (2,).
    """

    name: ClassVar[str]

    def __init__(self, lambda_range: Sequence[float], control: Sequence[str] = CONTROLS[0]) -> None:
        self.low, self.high = (float(np.float32(end)) for end in lambda_range)
        self.control = tuple(control)
        ends = self.ends()[: len(self.control)]
        low, high = (np.array(each, np.float32) for each in zip(*ends, strict=True))
        self.space = spaces.Box(low, high, dtype=np.float32)

    @property
    def sets_learning_rate(self) -> bool:
        """Whether an action has a factor of the learning rate."""
        return "learning_rate" in self.control

    @abstractmethod
    def ends(self) -> list[tuple[float, float]]:
        """Return the smallest and the largest number of an action that stands for λ, and for the factor."""

    @abstractmethod
    def lam(self, number: float) -> float:
        """Return the λ that a number inside its ends stands for."""

    @abstractmethod
    def factor(self, number: float) -> float:
        """Return the factor that a number inside its ends stands for."""

    @abstractmethod
    def numbers(self, lam: float, factor: float) -> tuple[float, float]:
        """Return the numbers that stand for a λ and a factor inside their ranges."""

    def decode(self, action: Any) -> Decision:
        """Return what an action asks for; one outside the space is clipped.

        Raises:
            UserError: if it has another shape, or a number that is not finite.
        """
        try:
            given = np.asarray(action, dtype=np.float64).reshape(-1)
        except (TypeError, ValueError):
            given = np.empty(0)
        if given.size != len(self.control) or not np.isfinite(given).all():
            wanted = (
                "two finite numbers, for λ and the learning rate"
                if self.sets_learning_rate
                else "one finite λ"
            )
            raise UserError(
                f"The action {action!r} is not {wanted}; give an array of shape ({len(self.control)},)."
            )
        values = given.tolist()
        lows, highs = self.space.low.tolist(), self.space.high.tolist()
        inside = [min(max(value, low), high) for value, low, high in zip(values, lows, highs, strict=True)]
        # the ends are float32, so that a float64 one may lie a rounding outside
        same = all(
            math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-6)
            for one, other in zip(inside, values, strict=True)
        )
        factor = self.factor(inside[1]) if self.sets_learning_rate else 1.0
        return Decision(self.lam(inside[0]), factor, clipped=not same)

    def encode(self, lam: float, factor: float = 1.0) -> np.ndarray:
        """Return the action for a λ and a factor, each clipped to its range, float32 of the space's shape.

        Where the learning rate is not controlled, the factor is left out.
        """
        lam = min(max(lam, self.low), self.high)
        factor = min(max(factor, 1.0 / LARGEST_FACTOR), LARGEST_FACTOR)
        return np.array(self.numbers(lam, factor)[: len(self.control)], dtype=np.float32)


class LambdaEncoding(Encoding):
    """The action is λ itself, and the factor itself."""

    name = "lambda"

    def ends(self) -> list[tuple[float, float]]:
        """See ``Encoding.ends``."""
        return [(self.low, self.high), (1.0 / LARGEST_FACTOR, LARGEST_FACTOR)]

    def lam(self, number: float) -> float:
        """Return the number."""
        return number

    def factor(self, number: float) -> float:
        """Return the number."""
        return number

    def numbers(self, lam: float, factor: float) -> tuple[float, float]:
        """Return the two."""
        return lam, factor


class LogitEncoding(Encoding):
    """Actions a in [−1, 1]: λ = low + (high − low)·p with logit p = −2 + 2.5·artanh a, and the factor 4^a.

    The ends are the ends of the range, and a = 0 is 12 % of the way, where the best constants of the requests are. A
    Gaussian policy that is squashed by tanh has Gaussian log-odds.
    """

    name = "logit"

    def ends(self) -> list[tuple[float, float]]:
        """See ``Encoding.ends``."""
        return [(-1.0, 1.0)] * 2

    def lam(self, number: float) -> float:
        """Return λ at a number in [−1, 1]."""
        if abs(number) >= 1.0:
            return self.high if number > 0 else self.low
        position = 1.0 / (1.0 + math.exp(-LOG_ODDS_0 - SLOPE * math.atanh(number)))
        return min(max((1.0 - position) * self.low + position * self.high, self.low), self.high)

    def factor(self, number: float) -> float:
        """Return 4 to the power of the number."""
        return LARGEST_FACTOR**number

    def numbers(self, lam: float, factor: float) -> tuple[float, float]:
        """Return the two numbers in [−1, 1]."""
        odds = log_odds((lam - self.low) / (self.high - self.low))
        return math.tanh((odds - LOG_ODDS_0) / SLOPE), math.log(factor) / math.log(LARGEST_FACTOR)


class LogEncoding(LogitEncoding):
    """Actions a in [−1, 1]: λ = low + (high − low)·(1000^p − 1)/999 with p = (a + 1)/2, and the factor 4^a.

    Three decades: on a range of as many, such as [1e-3, 1], ln λ is linear in a.
    """

    name = "log"

    def lam(self, number: float) -> float:
        """Return λ at a number in [−1, 1]."""
        position = math.expm1((number + 1.0) / 2.0 * LOG_DECADES) / math.expm1(LOG_DECADES)
        return min(max(self.low + position * (self.high - self.low), self.low), self.high)

    def numbers(self, lam: float, factor: float) -> tuple[float, float]:
        """Return the two numbers in [−1, 1]."""
        position = (lam - self.low) / (self.high - self.low)
        share = math.log1p(position * math.expm1(LOG_DECADES)) / LOG_DECADES
        return 2.0 * share - 1.0, super().numbers(self.low, factor)[1]


def log_odds(position: float) -> float:
    """Return logit p of a number, −∞ from 0 down and ∞ from 1 up; NaN stays NaN."""
    if position <= 0.0 or position >= 1.0:
        return math.copysign(math.inf, position - 0.5)
    return math.log(position) - math.log1p(-position)


ENCODINGS: dict[str, type[Encoding]] = {
    kind.name: kind for kind in (LambdaEncoding, LogitEncoding, LogEncoding)
}
"""Name → class. A new one is one line here."""


def encoding_of(env: Any) -> Encoding:
    """Return what the actions of an environment mean; λ itself where it, or the space of a wrapper, says nothing.

    Args:
        env: Gymnasium's, or a vector environment of Stable-Baselines3.
    """
    space, found = env.action_space, None
    if not hasattr(env, "has_attr"):
        found = getattr(getattr(env, "unwrapped", env), "encoding", None)
    elif env.has_attr("encoding"):  # a worker process would not survive the question that follows
        found = env.get_attr("encoding", 0)[0]
    if isinstance(found, Encoding) and found.space == space:
        return found
    return LambdaEncoding((float(space.low[0]), float(space.high[0])))
