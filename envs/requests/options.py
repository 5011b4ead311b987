"""Options of environments whose requests bring budgets of their own."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from unlearn_gym.data.requests.request import Request
from unlearn_gym.envs.options import DiffusionOptions, SupervisedOptions
from unlearn_gym.envs.requests.outcome import OutcomeReward
from unlearn_gym.envs.rewards import REWARDS, Reward

REWARDS_OF_REQUESTS: Mapping[str, Callable[..., Reward]] = ChainMap({"outcome": OutcomeReward}, REWARDS)
"""Those of every environment, and the one that looks at what the model shows of the request."""
BUDGET = ("horizon", "learning_rate", "batch_size")


class Budgets:
    """Budgets that follow the request where they are None."""

    def budget(self, request: Request) -> dict[str, Any]:
        """Return the budget of a request, with what was given here in the place of its own."""
        own = {name: getattr(self, name) for name in BUDGET}
        return {name: getattr(request, name) if value is None else value for name, value in own.items()}

    def of(self, request: Request) -> Any:
        """Return the same options with the budget of a request."""
        return replace(self, **self.budget(request))  # type: ignore[type-var]


@dataclass(frozen=True, kw_only=True)
class RequestOptions(Budgets, DiffusionOptions):
    """The options of diffusion models."""

    horizon: int | None = None  # type: ignore[assignment]
    learning_rate: float | None = None  # type: ignore[assignment]
    batch_size: int | None = None  # type: ignore[assignment]

    REWARDS: ClassVar[Mapping[str, Callable[..., Reward]]] = REWARDS_OF_REQUESTS
    AUTOMATIC: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, kw_only=True)
class ClassifierRequestOptions(Budgets, SupervisedOptions):
    """The options of classifiers."""

    horizon: int | None = None  # type: ignore[assignment]
    learning_rate: float | None = None  # type: ignore[assignment]
    batch_size: int | None = None  # type: ignore[assignment]

    REWARDS: ClassVar[Mapping[str, Callable[..., Reward]]] = REWARDS_OF_REQUESTS
