"""Fitted Q evaluation (Le et al. 2019): Q of a policy by least squares on logged steps, linear in quadratic features.

That is enough to take variance out of the doubly robust estimate, whose mean does not depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from unlearn_gym.trajectories.episode import Episode, Latent

NODES = 8
"""Points of the quadrature for each number of the action."""
RIDGE = 1e-3
"""Penalty on the weights, for each row."""


class FittedQ:
    """Q(s, a) = w·φ(s, a), φ being all products of two of 1, the standardised logs of s, and a = tanh(z/2).

    Args:
        episodes: logged by anyone.
        targets: the policy at their observations, ``ratios.replayed``.
        discount: γ.
    """

    def __init__(self, episodes: Sequence[Episode], targets: Sequence[Latent], discount: float) -> None:
        seen = np.concatenate([_logs(episode.observations) for episode in episodes])
        self._centre, self._scale = seen.mean(axis=0), seen.std(axis=0) + 1e-6
        self._weights = np.zeros(0)
        here = np.concatenate([self._taken(episode) for episode in episodes])
        after = np.concatenate([self._expected(e, t)[1:] for e, t in zip(episodes, targets, strict=True)])
        ends = np.concatenate([np.arange(1, e.steps + 1) == e.steps + (not e.terminated) for e in episodes])
        after[ends] = 0.0  # nothing comes after the end
        rewards = np.concatenate([episode.rewards for episode in episodes])
        inverse = np.linalg.inv(here.T @ here + RIDGE * len(here) * np.eye(here.shape[1])) @ here.T
        self._weights = inverse @ rewards
        for _ in range(max(episode.steps for episode in episodes) - 1):  # each sees one step further
            self._weights = inverse @ (rewards + discount * after @ self._weights)

    def taken(self, episode: Episode) -> np.ndarray:
        """Return Q(s_t, a_t) of the logged actions, (T,)."""
        return self._taken(episode) @ self._weights

    def expected(self, episode: Episode, target: Latent) -> np.ndarray:
        """Return V(s_t), the mean of Q(s_t, ·) under the policy, (T,)."""
        return self._expected(episode, target)[: episode.steps] @ self._weights

    def _taken(self, episode: Episode) -> np.ndarray:
        latent = episode.latent
        assert latent is not None
        return self._features(episode.observations[: episode.steps], latent.z)

    def _expected(self, episode: Episode, target: Latent) -> np.ndarray:
        """Return the mean of the features under the policy, (T + 1, m), by Gauss–Hermite quadrature."""
        places, shares = np.polynomial.hermite_e.hermegauss(NODES)
        shares = shares / shares.sum()
        mean = 0.0
        for chosen in product(range(NODES), repeat=target.mean.shape[1]):
            z = target.mean + target.std * places[list(chosen)]
            mean = mean + shares[list(chosen)].prod() * self._features(episode.observations, z)
        return np.asarray(mean)

    def _features(self, observations: np.ndarray, z: np.ndarray) -> np.ndarray:
        seen = (_logs(observations) - self._centre) / self._scale
        plain = np.concatenate([np.ones((len(z), 1)), seen, np.tanh(0.5 * z)], axis=1)
        one, other = np.triu_indices(plain.shape[1])
        return plain[:, one] * plain[:, other]


def _logs(observations: np.ndarray) -> np.ndarray:
    """Return numbers of any size on a scale of logarithms, with their sign."""
    numbers = np.asarray(observations, dtype=np.float64)
    return np.sign(numbers) * np.log1p(np.abs(numbers))
