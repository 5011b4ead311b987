"""Adaptive λ by variational inference (paper, section 5.1 and Algorithm 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jsonargparse.typing import NonNegativeFloat, PositiveFloat, PositiveInt
from stable_baselines3.common.running_mean_std import RunningMeanStd
from torch import nn

from unlearn_gym.agents.common.online import OnlineLearner
from unlearn_gym.agents.common.squashed import kl_to_standard_normal
from unlearn_gym.models.threads import seeded_weights
from unlearn_gym.processes.base import SIGNALS
from unlearn_gym.trajectories.episode import Latent

FEATURES = len(SIGNALS)
LOG_STD_RANGE = (-5.0, 2.0)
FEATURE_LIMIT = 10.0

ESTIMATORS: dict[str, Callable[[dict[str, Any]], float]] = {
    "weights": lambda info: info["dloss_dlambda"],
    "full": lambda info: 0.0,
    "variance": lambda info: info["dvariance_dlambda"],
}
"""Estimator → λ-gradient from the ``info`` of a step.

``weights`` differentiates the weights with the mixture sample held fixed, as the paper does (biased);
``full`` adds the score-function term, after which nothing is left but the prior (a check);
``variance`` descends the second moment of the loss estimator.
"""


class AdaptiveVIAgent(OnlineLearner):
    """An inference network from the first four state features to q(z) = N(μ, σ²); λ is a sigmoid of z.

    After each step it descends (∂L/∂λ)·λ(z) + β·KL(q ‖ N(0, 1)) with z = μ + σξ and the ξ of that step:
    the environment gives the λ-gradient, the chain rule through dλ/dz is here.
    """

    name = "adaptive_vi"
    reads = SIGNALS
    arguments = ("estimator",)

    @dataclass(frozen=True)
    class Settings:
        """The inference network.

        Args:
            estimator: λ-gradient to use.
            beta: weight of the divergence from the prior N(0, 1) of z.
            learning_rate: Adam's.
            hidden: width of the two hidden layers.
        """

        estimator: Literal["weights", "full", "variance"] = "weights"
        beta: NonNegativeFloat = 0.1
        learning_rate: PositiveFloat = 1e-3
        hidden: PositiveInt = 64

    def build(self) -> None:
        """Make the network, its optimizer and the running statistics of its features."""
        width = self.settings.hidden
        with seeded_weights(self.seed):
            self.net = nn.Sequential(
                nn.Linear(FEATURES, width),
                nn.Tanh(),
                nn.Linear(width, width),
                nn.Tanh(),
                nn.Linear(width, 2),
            )
        self.net.to(self.device)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=self.settings.learning_rate)
        self.statistics = RunningMeanStd(shape=(FEATURES,))
        self._noise = 0.0

    def infer(self, observation: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Return μ and log σ of z, scalars, for an observation of shape (6,)."""
        features = np.log1p(np.asarray(observation[:FEATURES], dtype=np.float64))
        scaled = (features - self.statistics.mean) / np.sqrt(self.statistics.var + 1e-8)
        scaled = np.clip(scaled, -FEATURE_LIMIT, FEATURE_LIMIT)
        mean, log_std = self.net(torch.as_tensor(scaled, dtype=torch.float32, device=self.device))
        return mean, log_std.clamp(*LOG_STD_RANGE)

    def squash(self, z: torch.Tensor) -> torch.Tensor:
        """Return λ = low + (high − low)·sigmoid(z)."""
        return self.low + (self.high - self.low) * torch.sigmoid(z)

    def choose(self, observation: np.ndarray, deterministic: bool) -> float:
        """Draw z = μ + σξ, ``deterministic`` or not: the draw is a step of the method (Algorithm 2)."""
        self._noise = float(self.rng.standard_normal())
        with torch.no_grad():
            mean, log_std = self.infer(observation)
            z = mean + log_std.exp() * self._noise
        if self.encoding.name == "lambda":  # else an action is another function of z
            self.latent = Latent(*(np.full((1, 1), each.item()) for each in (mean, log_std.exp(), z)))
        return self.squash(z).item()

    def objective(self, observation: np.ndarray, noise: float, gradient: float) -> torch.Tensor:
        """Return a scalar whose gradient is that of the loss through λ, plus the divergence from the prior.

        Args:
            observation: shape (6,).
            noise: the ξ of z = μ + σξ.
            gradient: ∂L/∂λ of the step, per unit of λ.
        """
        mean, log_std = self.infer(observation)
        lam = self.squash(mean + log_std.exp() * noise)
        return gradient * lam + self.settings.beta * kl_to_standard_normal(mean, log_std)

    def feedback(
        self, observation: np.ndarray, action: np.ndarray, reward: float, info: dict[str, Any]
    ) -> None:
        """Make one step of Adam; a step that diverged teaches nothing."""
        gradient = float(ESTIMATORS[self.settings.estimator](info))
        if info["diverged"] or not np.isfinite(gradient):
            return
        self.optimizer.zero_grad()
        self.objective(observation, self._noise, gradient).backward()
        self.optimizer.step()
        self.statistics.update(np.log1p(np.asarray(observation[:FEATURES], dtype=np.float64))[None])

    def state_dict(self) -> dict[str, Any]:
        """Return weights, moments and statistics."""
        return {
            "net": dict(self.net.state_dict()),
            "optimizer": self.optimizer.state_dict(),
            "statistics": dict(vars(self.statistics)),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take weights, moments and statistics."""
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        vars(self.statistics).update(state["statistics"])
