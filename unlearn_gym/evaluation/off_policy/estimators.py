"""Estimates of a policy's return from episodes that another policy logged, each with how many of them carry it.

Because an environment's seeds replay exactly, simulating a policy is usually cheaper than estimating it: of episodes of
T steps, under a policy whose latent mean is Δ away at equal σ, the share exp(−T(Δ/σ)²) counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.off_policy.fitted_q import FittedQ
from unlearn_gym.evaluation.off_policy.ratios import effective_sample_size, log_ratios, replayed
from unlearn_gym.trajectories.episode import Episode, Latent

LEAST = 10.0
"""Smallest effective sample size that an estimate is given for."""
FEWEST = 2
"""Episodes that a standard error needs."""


@dataclass(frozen=True)
class Evidence:
    """What n episodes say about a policy.

    Attributes:
        weights: ρ_0·…·ρ_t of each episode, (T,).
        rewards: γ^t·r_t of each, (T,).
        effective: (Σw)²/Σw² of the weights of whole episodes.
        taken: γ^t·Q(s_t, a_t), by a Q that was fitted without the episode; (T,).
        expected: γ^t·V(s_t), likewise.
    """

    weights: Sequence[np.ndarray]
    rewards: Sequence[np.ndarray]
    effective: float
    taken: Sequence[np.ndarray] = ()
    expected: Sequence[np.ndarray] = ()

    @property
    def returns(self) -> np.ndarray:
        """Discounted returns as logged, (n,)."""
        return np.array([rewards.sum() for rewards in self.rewards])

    @property
    def whole(self) -> np.ndarray:
        """Weights of whole episodes, (n,)."""
        return np.array([weights[-1] for weights in self.weights])


@dataclass(frozen=True)
class Estimate:
    """An estimated return, its standard error, and the effective sample size behind it."""

    value: float
    error: float
    effective: float


def _mean(parts: np.ndarray) -> tuple[float, float]:
    return float(parts.mean()), float(parts.std(ddof=1) / np.sqrt(len(parts)))


def trajectory(evidence: Evidence) -> tuple[float, float]:
    """Return the mean of w·G and its standard error: importance sampling of whole episodes."""
    return _mean(evidence.whole * evidence.returns)


def per_decision(evidence: Evidence) -> tuple[float, float]:
    """Return the mean of Σ γ^t ρ_{0:t} r_t (Precup et al. 2000): later draws do not weigh earlier rewards."""
    pairs = zip(evidence.weights, evidence.rewards, strict=True)
    return _mean(np.array([weights @ rewards for weights, rewards in pairs]))


def weighted(evidence: Evidence) -> tuple[float, float]:
    """Return Σ w·G / Σ w: biased, of far less spread; the error is that of a ratio of means."""
    shares = evidence.whole / evidence.whole.sum()
    value = float(shares @ evidence.returns)
    return value, float(np.sqrt(np.square(shares * (evidence.returns - value)).sum()))


def doubly_robust(evidence: Evidence) -> tuple[float, float]:
    """Return the mean of Σ γ^t [ρ_{0:t−1} V(s_t) + ρ_{0:t} (r_t − Q(s_t, a_t))] (Jiang and Li 2016)."""
    columns = evidence.weights, evidence.rewards, evidence.taken, evidence.expected
    parts = [
        np.append(1.0, weights[:-1]) @ expected + weights @ (rewards - taken)
        for weights, rewards, taken, expected in zip(*columns, strict=True)
    ]
    return _mean(np.array(parts))


ESTIMATORS: dict[str, Callable[[Evidence], tuple[float, float]]] = {
    "is": trajectory,
    "pdis": per_decision,
    "wis": weighted,
    "dr": doubly_robust,
}
"""Name → function. A new one is one line here."""


def evidence_for(agent: Any, episodes: Sequence[Episode], discount: float = 1.0) -> Evidence:
    """Return what logged episodes say about a policy, Q being fitted on the other half of them.

    Raises:
        UserError: for a policy or a behaviour that is no Gaussian, or too few episodes.
    """
    if len(episodes) < FEWEST:
        raise UserError(
            f"{len(episodes)} logged episodes are too few for an estimate; log at least {FEWEST}."
        )
    targets = [replayed(agent, episode) for episode in episodes]
    sums = [np.cumsum(log_ratios(target, each)) for target, each in zip(targets, episodes, strict=True)]
    effective = effective_sample_size([each[-1] for each in sums])
    discounts = [discount ** np.arange(episode.steps) for episode in episodes]
    rewards = [episode.rewards * factor for episode, factor in zip(episodes, discounts, strict=True)]
    with np.errstate(
        over="ignore"
    ):  # an infinite weight leaves an effective sample size of 1, which is refused
        weights = [np.exp(each) for each in sums]
    values = _cross_fitted(episodes, targets, discount)
    taken, expected = zip(
        *([row * factor for row in rows] for rows, factor in zip(values, discounts, strict=True)), strict=True
    )
    return Evidence(weights, rewards, effective, taken, expected)


def _cross_fitted(
    episodes: Sequence[Episode], targets: Sequence[Latent], discount: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return Q and V of each episode by a fit to those whose number is of the other parity."""
    fits = [FittedQ(episodes[1 - half :: 2], targets[1 - half :: 2], discount) for half in (0, 1)]
    return [
        (fits[number % 2].taken(episode), fits[number % 2].expected(episode, target))
        for number, (episode, target) in enumerate(zip(episodes, targets, strict=True))
    ]


def estimate(name: str, evidence: Evidence) -> Estimate:
    """Return an estimate.

    Args:
        name: one of ``ESTIMATORS``.
        evidence: of ``evidence_for``.

    Raises:
        UserError: for an unknown name, or where too few episodes carry it.
    """
    if name not in ESTIMATORS:
        raise UserError(f"There is no estimator {name!r}; choose from {', '.join(ESTIMATORS)}.")
    if evidence.effective < LEAST:
        raise UserError(
            f"The effective sample size is {evidence.effective:.2g} of {len(evidence.weights)} episodes, below "
            f"{LEAST:g}: an estimate would rest on a few of them; log more episodes or a behaviour closer to the "
            "policy, or simulate the policy by unlearn-gym evaluate."
        )
    return Estimate(*ESTIMATORS[name](evidence), evidence.effective)
