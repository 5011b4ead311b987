"""Options of environments whose requests bring budgets of their own."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from unlearn_gym.data.requests.request import Request
from unlearn_gym.envs.options import DiffusionOptions, SupervisedOptions
from unlearn_gym.envs.requests.outcome import OutcomeReward, SampledOutcomeReward
from unlearn_gym.envs.rewards import REWARDS, Reward

BUDGET = ("horizon", "learning_rate", "batch_size")


@dataclass(frozen=True, kw_only=True)
class Budgets:
    """Budgets that follow the request where they are None."""

    horizon: int | None = None
    learning_rate: float | None = None
    batch_size: int | None = None

    def budget(self, request: Request) -> dict[str, Any]:
        """Return the budget of a request, with what was given here in the place of its own."""
        own = {name: getattr(self, name) for name in BUDGET}
        return {name: getattr(request, name) if value is None else value for name, value in own.items()}

    def of(self, request: Request) -> Any:
        """Return the same options with the budget of a request."""
        return replace(self, **self.budget(request))


@dataclass(frozen=True, kw_only=True)
class RequestOptions(Budgets, DiffusionOptions):  # type: ignore[misc]
    """The options of diffusion models; the outcome is seen in samples."""

    REWARDS: ClassVar[Mapping[str, Callable[..., Reward]]] = ChainMap(
        {"outcome": SampledOutcomeReward}, REWARDS
    )
    AUTOMATIC: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True, kw_only=True)
class ClassifierRequestOptions(Budgets, SupervisedOptions):  # type: ignore[misc]
    """The options of classifiers; the outcome is seen in predictions of held-out images."""

    REWARDS: ClassVar[Mapping[str, Callable[..., Reward]]] = ChainMap({"outcome": OutcomeReward}, REWARDS)
