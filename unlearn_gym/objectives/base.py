"""What an unlearning objective is: row weights for two gradients, and the way the two are combined.

An objective sees no model and no optimizer. A minibatch holds B pairs, a *retain latent* and a *forget latent*
each. Every latent has an error towards the retain target and one towards the forget target. The objective (1)
weighs these errors row by row, which defines the two gradients

    g_retain = ∇ (1/B) Σ_j w^retain_j ℓ^retain_j,    g_forget = ∇ (1/B) Σ_j w^forget_j ℓ^forget_j,    j = 1 … 2B,

and (2) says with which coefficients the update combines them and what the loss was.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

SOURCES = ("retain", "all")
"""What the retain images of a minibatch may be drawn from: the retain set, or that and the forget set together."""

RETAIN_TARGETS = ("noise", "teacher")
"""What a diffusion network is to predict for retain latents: their noise, or what it predicted before unlearning."""


@dataclass(frozen=True)
class Draw:
    """What a mixture objective needs of a minibatch; every tensor has shape (B,).

    Attributes:
        uniform: u ~ U[0, 1), which chooses the mixture side: forget where u < λ.
        delta_retain: log q(m|a) − log q(m|x) if m is the retain latent.
        delta_forget: the same if m is the forget latent.
    """

    uniform: Tensor
    delta_retain: Tensor
    delta_forget: Tensor


@dataclass(frozen=True)
class ForgetSide:
    """What the targets of the forget latents m = γa + σε may be made of.

    Attributes:
        latents: m, shape (B, channels, height, width).
        noise: ε, of the same shape.
        timesteps: what the network is told of their times, shape (B,): int64 t, or a number between.
        gamma: γ, shape (B,), and ``sigma`` σ = √(1 − γ²).
        labels: under which m is predicted, int64 of shape (B,); None for an unconditional network.
        kept: the retain latents γx + σε of the same pairs, of the shape of m, and
        kept_labels: under which they are predicted.
        drawn: what ``Objective.draw_target`` drew for each, shape (B, …).
        retain_images: the retain set, shape (n, channels, height, width), and
        retain_labels: its labels, (n,).
        original: the network before unlearning, from (latents, timesteps, labels) to its predicted noise.
    """

    latents: Tensor
    noise: Tensor
    timesteps: Tensor
    gamma: Tensor
    sigma: Tensor
    labels: Tensor | None
    kept: Tensor
    kept_labels: Tensor | None
    drawn: Tensor
    retain_images: Tensor
    retain_labels: Tensor
    original: Callable[[Tensor, Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class Weights:
    """Weights of the 2B latents, each tensor of shape (2B,): first the B retain latents, then the B forget latents.

    Attributes:
        retain: weight of each latent's error towards the retain target, and
        forget: towards the forget target. A latent that does not take part has two zeros.
        score: ∂log q_λ(m)/∂λ of the latents that λ chose, shape (B,); 0 for objectives without a mixture.
    """

    retain: Tensor
    forget: Tensor
    score: Tensor


@dataclass(frozen=True)
class Parts:
    """The two sides of the loss at the drawn minibatch, before they are combined.

    Attributes:
        retain: mean weighted retain error, and ``forget`` the mean weighted forget error.
        retain_norm: L2 norm of g_retain, and ``forget_norm`` that of g_forget.
        dot: inner product ⟨g_retain, g_forget⟩ (only computed for objectives with ``needs_dot``).
        rows_retain: weighted retain error of each pair, shape (B,), and ``rows_forget`` likewise.
        score: as in ``Weights``.
    """

    retain: float
    forget: float
    retain_norm: float
    forget_norm: float
    dot: float
    rows_retain: Tensor
    rows_forget: Tensor
    score: Tensor


@dataclass(frozen=True)
class Combination:
    """The update direction ``c_retain·g_retain + c_forget·g_forget`` and the value of the loss.

    The last two are derivatives in λ, as in ``processes.base.Update``.
    """

    c_retain: float
    c_forget: float
    retain_term: float
    forget_term: float
    dloss_dlambda: float = 0.0
    dvariance_dlambda: float = 0.0
    cosine: float = 0.0

    @property
    def loss(self) -> float:
        """The loss that the update descends."""
        return self.retain_term + self.forget_term


class Objective(ABC):
    """Base of all objectives.

    The keywords of a subclass's constructor are its hyperparameters, each with a default and checked there.

    Attributes:
        needs_norms: whether ``combine`` uses the gradient norms.
        needs_dot: whether ``combine`` uses the inner product of the two gradients.
        tells_cosine: whether ``combine`` says the cosine of the two gradients.
        needs_original: whether ``answer_errors`` uses the outputs of the network before unlearning, or, under a VAE,
            ``forget_error`` its errors.
        needs_classes: whether it is for classifiers only.
        redirects: whether the forget error of a VAE is that of decoding towards nearby retain images.
        largest_lambda: λ above it means nothing.
        usual_range: λ that an environment allows where the user says nothing; None for those of its other objectives.
        retain_target: a name in ``RETAIN_TARGETS``.
        x_from: the set that a diffusion process draws the retain images from, a name in ``SOURCES``.
        forget_cap: forget loss at which the forget term saturates; None where it does not.
    """

    needs_norms: bool = False
    needs_dot: bool = False
    tells_cosine: bool = False
    needs_original: bool = False
    needs_classes: bool = False
    redirects: bool = False
    largest_lambda: float = math.inf
    usual_range: tuple[float, float] | None = None
    retain_target: str = "noise"
    x_from: str = "retain"
    forget_cap: float | None = None

    def with_sizes(self, n: int, k: int) -> Objective:
        """Return the objective for n training examples, k of which are to be forgotten; here itself.

        A diffusion process asks once, before anything else.
        """
        return self

    def weights(self, lam: float, draw: Draw) -> Weights:
        """Return the row weights at λ; by default each latent counts once, towards its own target."""
        one, zero = torch.ones_like(draw.uniform), torch.zeros_like(draw.uniform)
        return Weights(retain=torch.cat([one, zero]), forget=torch.cat([zero, one]), score=zero)

    @property
    def reweighs(self) -> bool:
        """Whether the row weights depend on λ and the draw."""
        return type(self).weights is not Objective.weights

    def draw_target(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Draw the random numbers that ``forget_target`` needs; here none.

        Only diffusion processes ask, once for a minibatch and after its other random numbers.

        Args:
            shape: (B, channels, height, width).
            generator: source of random numbers, on the CPU.

        Returns:
            A row for each pair, or an empty tensor.
        """
        return torch.empty(0)

    def forget_target(self, side: ForgetSide) -> Tensor:
        """Return what the network is to predict for the forget latents; here their true noise.

        Only diffusion processes ask, once for a minibatch. It depends on no action and on no updated weight, so that
        runs with the same seed have the same targets.
        """
        return side.noise

    def forget_numbers(self, side: ForgetSide) -> Tensor | None:
        """Return what ``forget_error`` is to know of each forget latent, (B, …); None, as here, for nothing.

        Only diffusion processes ask, once for a minibatch: weights of noise levels, errors of the original network.
        """
        return None

    def forget_error(self, error: Tensor, numbers: Tensor | None = None) -> Tensor:
        """Return what g_forget is the gradient of, for each squared error of a forget example, (n,); here the error.

        Args:
            error: of some examples, (n,).
            numbers: the same examples' rows of ``forget_numbers``; of a VAE, where the objective ``needs_original``,
                their errors before unlearning and the number of pixels, (n, 2).
        """
        return error

    def pair_error(self, kept: Tensor, forgotten: Tensor, numbers: Tensor | None) -> Tensor:
        """Return what g_forget is the gradient of, for each pair, (n,); here ``forget_error`` of its forget latent.

        An objective that overrides it ``couples`` the two latents of a pair, and its ``forget_error`` is not asked.

        Args:
            kept: error of each pair's retain latent towards the retain target, (n,).
            forgotten: of its forget latent towards the forget target, (n,).
            numbers: the forget latents' rows of ``forget_numbers``.
        """
        return self.forget_error(forgotten, numbers)

    @property
    def couples(self) -> bool:
        """Whether the forget error of a pair depends on both of its latents."""
        return type(self).pair_error is not Objective.pair_error

    def answer_errors(
        self, outputs: Tensor, targets: Tensor, original: Tensor
    ) -> tuple[Tensor, Tensor] | None:
        """Return the retain and the forget error of each example, (n,); None, as here, for the process's own.

        Only supervised processes ask. Theirs are the Brier score or the squared error, and ``forget_error`` of it.

        Args:
            outputs: of the network, (n, K).
            targets: labels (n,), or targets (n, K).
            original: outputs of the network before unlearning, (n, K); zeros where they are not needed.
        """
        return None

    @abstractmethod
    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return the coefficients of the update and the loss at λ."""


def mixture_derivatives(c_retain: float, c_forget: float, parts: Parts) -> tuple[float, float]:
    """Return dL/dλ with the latents held fixed, and an estimate of d E[h²]/dλ.

    h_i = C_x w_x ℓ_x − C_a w_a ℓ_a and S_i = w_a − w_x give −mean(S h) and −mean(S h²)
    (spec of SISS, section 4.3; the paper's estimator is the first).
    """
    h = c_retain * parts.rows_retain + c_forget * parts.rows_forget
    first = -(parts.score * h).mean()
    second = -(parts.score * h.square()).mean()
    return float(first), float(second)


def safe_ratio(numerator: float, denominator: float) -> float:
    """Return the quotient, or 0 where it is not a finite number (one side of the mixture was empty)."""
    ratio = numerator / denominator if denominator > 0 else 0.0
    return ratio if math.isfinite(ratio) else 0.0


def weighted_sum(lam: float, parts: Parts) -> Combination:
    """Return the combination that descends (1 − λ)·L_retain + λ·L_forget."""
    return Combination(
        c_retain=1.0 - lam,
        c_forget=lam,
        retain_term=(1.0 - lam) * parts.retain,
        forget_term=lam * parts.forget,
        dloss_dlambda=parts.forget - parts.retain,
    )
