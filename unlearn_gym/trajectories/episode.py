"""A logged episode: what was seen, done and earned, and what the actions were drawn from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Latent:
    """What Gaussian policies drew before the squashing: the share of the action's range is σ(z), z ~ N(mean, std²).

    In actions a in [−1, 1] that is a = tanh(z/2), see ``unlearn_gym.agents.common.squashed``. Each is float64 of shape
    (n, k): a row an observation, or a step, and a column a number of the action.

    Attributes:
        mean: of z.
        std: of z; 0 where a policy acts by its mode, which has no density.
        z: the draw.
    """

    mean: np.ndarray
    std: np.ndarray
    z: np.ndarray


LATENTS = tuple(Latent.__dataclass_fields__)
"""Names of the three."""


@dataclass(frozen=True)
class Episode:
    """T steps of one agent.

    Attributes:
        observations: (T + 1, n), the first one before any step.
        actions: (T, k), inside the action space.
        rewards: (T,).
        terminated: whether the episode ended by itself, and
        truncated: whether it was cut off; neither, where the recording stopped in its middle.
        reward_terms: name → the term's part of each reward, (T,).
        latent: what the actions were drawn from, (T, k); None where they were not drawn from a Gaussian.
        request: name of the deletion request, where the environment has several.
        agent: who acted.
        seed: of the environment's reset, None if it had none.
    """

    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminated: bool
    truncated: bool
    reward_terms: dict[str, np.ndarray] = field(default_factory=dict)
    latent: Latent | None = None
    request: str = ""
    agent: str = ""
    seed: int | None = None

    @property
    def steps(self) -> int:
        """T."""
        return len(self.rewards)

    def total(self, discount: float = 1.0) -> float:
        """Return Σ discount^t · r_t."""
        return float(self.rewards @ discount ** np.arange(self.steps))
