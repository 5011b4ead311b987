"""Options of environments whose requests bring budgets of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from unlearn_gym.data.requests.request import Request
from unlearn_gym.envs.options import DiffusionOptions

BUDGET = ("horizon", "learning_rate", "batch_size")


@dataclass(frozen=True, kw_only=True)
class RequestOptions(DiffusionOptions):
    """The options of diffusion models, with budgets that follow the request where they are None."""

    horizon: int | None = None  # type: ignore[assignment]
    learning_rate: float | None = None  # type: ignore[assignment]
    batch_size: int | None = None  # type: ignore[assignment]

    AUTOMATIC: ClassVar[tuple[str, ...]] = ()

    def budget(self, request: Request) -> dict[str, Any]:
        """Return the budget of a request, with what was given here in the place of its own."""
        own = {name: getattr(self, name) for name in BUDGET}
        return {name: getattr(request, name) if value is None else value for name, value in own.items()}

    def of(self, request: Request) -> Self:
        """Return the same options with the budget of a request."""
        return replace(self, **self.budget(request))
