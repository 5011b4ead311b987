"""Likelihood ratios ρ_t = π(z_t | s_t) / π_b(z_t | s_t) of two Gaussian policies, in the latent before the squashing.

The squash is the same for both, so its Jacobian cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from unlearn_gym.errors import UserError
from unlearn_gym.trajectories.episode import Episode, Latent


def replayed(agent: Any, episode: Episode) -> Latent:
    """Return the Gaussian that a policy would have drawn from at each observation, (T + 1, k), and its own draws.

    Args:
        agent: has ``predict`` and ``latent``, as ours have; recurrent state is carried.
        episode: what was logged.

    Raises:
        UserError: when the policy draws from no Gaussian.
    """
    state, start, found = None, np.ones(1, dtype=bool), []
    if hasattr(agent, "begin"):
        agent.begin(0)
    for observation in episode.observations:
        _, state = agent.predict(observation, state=state, episode_start=start, deterministic=False)
        found.append(getattr(agent, "latent", None))
        start = np.zeros(1, dtype=bool)
        if found[-1] is None or not (found[-1].std > 0).all():
            raise UserError(
                f"{getattr(agent, 'name', type(agent).__name__)} draws λ from no Gaussian, so that logged actions have "
                "no density under it; estimate a stochastic policy, such as ppo, sac or iql, or simulate this one by "
                "unlearn-gym evaluate."
            )
    return Latent(*(np.concatenate([getattr(each, name) for each in found]) for name in ("mean", "std", "z")))


def behaviour(episode: Episode) -> Latent:
    """Return what the actions of an episode were drawn from.

    Raises:
        UserError: when that is not known, or was no Gaussian.
    """
    if episode.latent is None or not (episode.latent.std > 0).all():
        raise UserError(
            f"The episodes of {episode.agent or 'this data set'} were not drawn from a Gaussian, so that nothing can "
            "be estimated from them; log a stochastic policy with --deterministic false."
        )
    return episode.latent


def log_ratios(target: Latent, episode: Episode) -> np.ndarray:
    """Return ln ρ_t of an episode, (T,), for a policy that was ``replayed`` on it."""
    logged = behaviour(episode)
    steps = episode.steps
    own = log_density(logged.z, target.mean[:steps], target.std[:steps])
    return own - log_density(logged.z, logged.mean, logged.std)


def log_density(z: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return Σ_k ln N(z; mean, std²) up to a constant that cancels, (T,)."""
    return (-0.5 * ((z - mean) / std) ** 2 - np.log(std)).sum(axis=-1)


def effective_sample_size(log_weights: Sequence[float] | np.ndarray) -> float:
    """Return (Σw)² / Σw², from 1 to the number of weights, given ln w."""
    scaled = np.exp(np.asarray(log_weights) - np.max(log_weights))
    return float(scaled.sum() ** 2 / np.square(scaled).sum())
