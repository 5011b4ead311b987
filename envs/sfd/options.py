"""The options of one-step generators that forget a class."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from unlearn_gym.envs.options import EpisodeOptions, Keywords, as_device, as_dtype
from unlearn_gym.envs.requests.outcome import GeneratedOutcomeReward
from unlearn_gym.envs.rewards import REWARDS, Reward
from unlearn_gym.errors import UserError
from unlearn_gym.objectives.sfd import OVERRIDES
from unlearn_gym.objectives.sfd.base import Override
from unlearn_gym.processes.sfd.process import TIED
from unlearn_gym.runtime.checks import number, positive, refused, weight, whole
from unlearn_gym.runtime.registered import make_part

OF_SFD = (
    "forget_label",
    "batch_size",
    "learning_rate",
    "fake_learning_rate",
    "fake_weight",
    "sharpness",
    "ema",
)
share = number("a number from 0 to below 1, such as 0.9", lambda value: 0 <= value < 1)


def fake_weight(name: str, value: Any) -> None:
    """Check a ρ_f: a number, or "lambda"."""
    if value != TIED:
        weight(name, value)


@dataclass(frozen=True, kw_only=True)
class SFDOptions(EpisodeOptions):
    """The options of ``processes.sfd.SFDProcess`` and of its episodes."""

    forget_label: int = 1
    override: str | Override = "fixed"
    override_kwargs: Keywords | None = None
    reward: str | Reward = "progress"
    learning_rate: float = 1e-4
    fake_learning_rate: float = 3e-4
    fake_weight: float | str = 1.0
    sharpness: float = 1.2
    ema: float = 0.9
    lambda_range: tuple[float, float] = (1e-3, 1.0)
    action: str = "log"

    REWARDS: ClassVar[Mapping[str, Callable[..., Reward]]] = ChainMap(
        {"outcome": GeneratedOutcomeReward}, REWARDS
    )
    FAMILY_DEFAULTS: ClassVar[Keywords] = {"forget_cap": 0.3, "retain_weight": 5.0}

    @classmethod
    def registries(cls) -> dict[str, Mapping[str, Callable[..., Any]]]:
        """See ``EpisodeOptions.registries``; overrides, too."""
        return {"override": OVERRIDES, **super().registries()}

    def __post_init__(self) -> None:
        """Refuse what SFD cannot do, too."""
        super().__post_init__()
        whole(0)("forget_label", self.forget_label)
        positive("fake_learning_rate", self.fake_learning_rate)
        fake_weight("fake_weight", self.fake_weight)
        share("ema", self.ema)
        weight("sharpness", self.sharpness)
        if self._override().gated and self.lambda_range[1] >= 1:
            raise refused("lambda_range", self.lambda_range, "λ below 1 with a gate, such as (0.001, 0.9)")

    def _override(self) -> Override:
        made = make_part("override", self.override, OVERRIDES, self.keywords("override"))
        if not isinstance(made, Override):
            raise UserError(
                f"override={self.override!r:.80} makes no Override; see unlearn_gym.objectives.sfd.base."
            )
        return made

    def of_process(self) -> dict[str, Any]:
        """Return the keywords of ``processes.sfd.SFDProcess``."""
        same = {name: getattr(self, name) for name in OF_SFD}
        computing = {"device": as_device(self.device), "dtype": as_dtype(self.dtype)}
        return {**same, "override": self._override(), **computing}
