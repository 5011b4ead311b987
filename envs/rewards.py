"""Rewards: small functions of the update and the process; each names its terms, which sum to the reward."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from unlearn_gym.errors import UserError
from unlearn_gym.processes.base import Process, Quality, Update
from unlearn_gym.runtime.checks import positive, weight
from unlearn_gym.runtime.registered import make_part

SIDES = ("retain", "forget")
"""Names of the terms of a reward that does not say ``names``."""


class Reward(Protocol):
    """What an environment asks of a reward.

    One that looks at more than the process has ``attach(env)``, which is called once, when the environment is made;
    and ``state_dict()``, what its attributes must be for it to go on after a kill, where these are not all of them. One
    under which a diverged run is worth something else than it has paid so far has ``ruined()``: the terms that are due
    at a divergence.

    Attributes:
        names: names of its terms, the same in every step; a class without it has those in ``SIDES``.
    """

    names: tuple[str, ...] = SIDES

    def reset(self, process: Process) -> None:
        """Take note of the original weights; called after the process was reset."""

    def terms(self, update: Update, process: Process) -> dict[str, float]:
        """Return the named terms earned by the update that was just made."""


class LossReward(Reward):
    """The paper's reward, −L_t(λ_t) (section 5.3); its two terms are the sides of the loss."""

    def reset(self, process: Process) -> None:
        """Nothing to remember."""

    def terms(self, update: Update, process: Process) -> dict[str, float]:
        """Return the negated retain and forget terms of the loss."""
        return {"retain": -update.retain_term, "forget": -update.forget_term}


class ProgressReward(Reward):
    """φ(θ_{t+1}) − φ(θ_t) on a fixed probe batch: bounded, and it telescopes to the final quality.

    φ = min(L_forget, c)/c − min(κ·max(0, L_retain − L_retain(θ₀)), m), with c = ``forget_cap``, κ = ``retain_weight``
    and m = ``most_lost``: what is wrecked beyond m costs no more, so that one step's reward lies in ±(m + 1).
    """

    def __init__(
        self, *, forget_cap: float = 0.15, retain_weight: float = 50.0, most_lost: float = 100.0
    ) -> None:
        positive("forget_cap", forget_cap)
        weight("retain_weight", retain_weight)
        weight("most_lost", most_lost)
        self.forget_cap, self.retain_weight, self.most_lost = forget_cap, retain_weight, most_lost
        self._start = 0.0
        self._last = (0.0, 0.0)

    def reset(self, process: Process) -> None:
        """Measure the weights of the start, and take note of the original ones' retain loss."""
        quality = _of_the_start(process)
        original = quality if process.dampened is None else process.dampened.original_quality
        self._start = original.retain_loss
        self._last = self._potential(quality)

    def _potential(self, quality: Quality) -> tuple[float, float]:
        if not _is_finite(quality):
            return math.nan, math.nan  # min and max would hide it
        forget = min(quality.forget_loss, self.forget_cap) / self.forget_cap
        lost = self.retain_weight * max(0.0, quality.retain_loss - self._start)
        return -min(lost, self.most_lost), forget

    def terms(self, update: Update, process: Process) -> dict[str, float]:
        """Return what each side gained since the last call."""
        before, self._last = self._last, self._potential(process.quality())
        return {"retain": self._last[0] - before[0], "forget": self._last[1] - before[1]}


class BalanceReward(ProgressReward):
    """φ(θ_{t+1}) − φ(θ_t) with φ = min(L_forget, c)/c − min(κ·L_retain, m): a better retain fit counts too.

    For models that the forget data had spoiled, such as a curve fitted to all points together.
    """

    def reset(self, process: Process) -> None:
        """Measure the original weights."""
        self._start = 0.0
        self._last = self._potential(_of_the_start(process))


def _is_finite(quality: Quality) -> bool:
    return math.isfinite(quality.retain_loss) and math.isfinite(quality.forget_loss)


def _of_the_start(process: Process) -> Quality:
    """Return the losses of the original weights on the probe batch, which must be finite."""
    quality = process.quality()
    if not _is_finite(quality):
        raise UserError(
            f"The original model's losses on the probe batch are not finite ({quality.retain_loss:g} on the retain "
            f"set, {quality.forget_loss:g} on the forget set); check its weights and the data."
        )
    return quality


REWARDS: dict[str, Callable[..., Reward]] = {
    "loss": LossReward,
    "progress": ProgressReward,
    "balance": BalanceReward,
}
"""Name → class; the keywords of its constructor are ``reward_kwargs``. A new reward is one line here."""


def make_reward(
    reward: str | Reward, registry: Mapping[str, Callable[..., Reward]] = REWARDS, **keywords: Any
) -> Reward:
    """Return the reward that a name stands for, or a copy of an instance.

    Raises:
        UserError: on an unknown name or keyword, or one beside an instance.
    """
    made = make_part("reward", reward, registry, keywords)
    if not all(callable(getattr(made, method, None)) for method in ("reset", "terms")):
        raise UserError(f"reward={reward!r:.80} has no reset and terms; see unlearn_gym.envs.rewards.Reward.")
    return made
