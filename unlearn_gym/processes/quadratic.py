"""A process whose optimal λ is known in closed form: the yardstick for agents."""

from __future__ import annotations

from typing import Any

import numpy as np

from unlearn_gym.processes.base import Process, Quality, Signals, Update


class QuadraticProcess(Process):
    """One weight θ that is pulled to 0 by the retain loss and to 1 by relabelled forget data.

    Losses: L_retain = ½θ², L_forget = ½(θ + 1)², the forget data sitting at −1. An update is one full Newton
    step on (1 − λ)·½θ² + λ·½(θ − 1)², so that θ becomes λ (plus a little noise), whatever it was. With
    φ = min(L_forget, c)/c − κ·L_retain, c = 2, the best weight is 1/(κc − 1): a ``retain_weight`` of
    κ = (1 + 1/λ*)/c makes ``best_lambda`` λ* the optimal constant.

    Args:
        noise: standard deviation of the noise on θ after an update.
    """

    cap = 2.0

    def __init__(self, noise: float = 0.01) -> None:
        self.noise = noise
        self.theta = 0.0
        self._previous = 0.0
        self._rng = np.random.default_rng(0)

    @staticmethod
    def retain_weight(best_lambda: float) -> float:
        """Return the κ of the ``progress`` reward under which ``best_lambda`` is optimal."""
        return (1.0 + 1.0 / best_lambda) / QuadraticProcess.cap

    def reset(self, rng: np.random.Generator) -> Signals:
        """See ``Process.reset``."""
        self.theta = self._previous = 0.0
        self._rng = np.random.default_rng(rng.integers(2**63))
        return self.observe()

    def observe(self) -> Signals:
        """See ``Process.observe``."""
        quality = self.quality()
        return Signals(quality.retain_loss, quality.forget_loss, abs(self.theta), abs(self.theta + 1.0))

    def update(self, lam: float) -> Update:
        """See ``Process.update``."""
        retain, relabel = 0.5 * self.theta**2, 0.5 * (self.theta - 1.0) ** 2
        self._previous = self.theta
        self.theta = lam + self.noise * float(self._rng.standard_normal())
        retain_term, forget_term = (1.0 - lam) * retain, lam * relabel
        return Update(retain_term + forget_term, retain_term, forget_term, dloss_dlambda=relabel - retain)

    def undo(self) -> None:
        """See ``Process.undo``."""
        self.theta = self._previous

    def quality(self) -> Quality:
        """See ``Process.quality``."""
        return Quality(0.5 * self.theta**2, 0.5 * (self.theta + 1.0) ** 2)

    def state_dict(self) -> dict[str, Any]:
        """See ``Process.state_dict``."""
        return {"theta": self.theta, "previous": self._previous, "rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See ``Process.load_state_dict``."""
        self.theta, self._previous = state["theta"], state["previous"]
        self._rng.bit_generator.state = state["rng"]
