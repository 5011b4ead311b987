"""SISS: subtracted importance-sampled scores (Alberti et al. 2025, arXiv 2503.01034)."""

from __future__ import annotations

import copy

import torch

from unlearn_gym.objectives.base import (
    SOURCES,
    Combination,
    Draw,
    Objective,
    Parts,
    Weights,
    mixture_derivatives,
    safe_ratio,
)
from unlearn_gym.objectives.importance import SMALLEST_WEIGHT, importance_weights
from unlearn_gym.runtime.checks import one_of, weight


def exact_factors(keep_from: str, n: int, k: int, s: float) -> tuple[float, float]:
    """Return the factors under which s = 0 is naive deletion, whichever set x is drawn from."""
    return (1.0, s * k / (n - k)) if keep_from == "retain" else (n / (n - k), (1.0 + s) * k / (n - k))


def paper_factors(keep_from: str, n: int, k: int, s: float) -> tuple[float, float]:
    """Return the paper's factors n/(n − k) and (1 + s)k/(n − k), meant for x from all data."""
    return n / (n - k), (1.0 + s) * k / (n - k)


def no_factors(keep_from: str, n: int, k: int, s: float) -> tuple[float, float]:
    """Return 1 and 1 + s, as if both sets had the same size."""
    return 1.0, 1.0 + s


DATASET_FACTORS = {"exact": exact_factors, "paper": paper_factors, "none": no_factors}
FORGET_SCALINGS = ("norm", "coef")


class SISS(Objective):
    """L = C_x·mean(w_x ℓ_x) − C_a·mean(w_a ℓ_a) on one latent per pair, drawn with probability λ from a.

    Args:
        forget_scaling: "norm" sets the forget gradient's norm to ``forget_norm`` times the retain gradient's
            (the authors' training step, with a relative norm); "coef" uses C_x and C_a.
        forget_norm: see ``forget_scaling``.
        superfactor: s, the strength of forgetting under ``forget_scaling="coef"``.
        dataset_factors: a name in ``DATASET_FACTORS``, for C_x and C_a under ``"coef"``.
        x_from: "retain" or "all", the set that x is drawn from.
    """

    factors: tuple[float, float]

    def __init__(
        self,
        *,
        forget_scaling: str = "norm",
        forget_norm: float = 0.1,
        superfactor: float = 0.5,
        dataset_factors: str = "exact",
        x_from: str = "retain",
    ) -> None:
        one_of("forget_scaling", forget_scaling, FORGET_SCALINGS)
        weight("forget_norm", forget_norm)
        weight("superfactor", superfactor)
        one_of("dataset_factors", dataset_factors, DATASET_FACTORS)
        one_of("x_from", x_from, SOURCES)
        self.needs_norms = forget_scaling == "norm"
        self.forget_norm, self.superfactor = forget_norm, superfactor
        self.dataset_factors, self.x_from = dataset_factors, x_from

    def with_sizes(self, n: int, k: int) -> SISS:
        """Return a copy that has its C_x and C_a."""
        sized = copy.copy(self)
        sized.factors = DATASET_FACTORS[self.dataset_factors](self.x_from, n, k, self.superfactor)
        return sized

    def weights(self, lam: float, draw: Draw) -> Weights:
        """Return the importance weights of the latents that λ chooses, 0 for the others and below 1e-9.

        The score is S = w_a − w_x of the chosen ones.
        """
        forget = draw.uniform < lam
        x_on_retain, a_on_retain = importance_weights(lam, draw.delta_retain)
        x_on_forget, a_on_forget = importance_weights(lam, draw.delta_forget)
        chosen = torch.cat([~forget, forget])
        retain, forget_side = torch.cat([x_on_retain, x_on_forget]), torch.cat([a_on_retain, a_on_forget])
        return Weights(
            retain=torch.where(chosen & (retain > SMALLEST_WEIGHT), retain, 0.0),
            forget=torch.where(chosen & (forget_side > SMALLEST_WEIGHT), forget_side, 0.0),
            score=torch.where(forget, a_on_forget - x_on_forget, a_on_retain - x_on_retain),
        )

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return the coefficients of g_retain and g_forget and the loss they descend."""
        if self.needs_norms:
            c_x, c_a = 1.0, self.forget_norm * safe_ratio(parts.retain_norm, parts.forget_norm)
        else:
            c_x, c_a = self.factors
        derivatives = mixture_derivatives(c_x, -c_a, parts)
        return Combination(c_x, -c_a, c_x * parts.retain, -c_a * parts.forget, *derivatives)
