"""Redirection: learn for the forget latents the noise that a model retrained without them would predict."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from unlearn_gym.errors import UserError
from unlearn_gym.objectives.base import (
    RETAIN_TARGETS,
    Combination,
    ForgetSide,
    Objective,
    Parts,
    weighted_sum,
)
from unlearn_gym.runtime.checks import one_of, optional, switch, whole

REFERENCES = 512
"""Retain images of a label that a minibatch's targets are made of, if there are as many."""


class Posterior(Objective):
    """L = (1 − λ)·L_retain + λ·mean ω_t (ε_θ(m, t, c) − ε*)², both descended; ω_t = min(1, σ_t²/γ_t²).

    ε* = (m − γx̂)/σ, x̂ = Σ_j π_j x_j with π = softmax(−‖m − γx_j‖²/2σ²) over retain images x_j of label c: the exact
    minimiser at m of the retain loss for the empirical retain distribution, and so what retraining to the optimum
    would predict there. It is SISS's w_x·ℓ_x on forget latents with many references in the place of one. Nothing
    is ascended, so that nothing needs a cap and nothing diverges; the forget loss *falls* as forgetting proceeds.
    ω_t (min-SNR, Hang et al. 2023) bounds the targets at small t, where they are a training image's.

    Copies of forget images in the retain set switch it off at small t.

    Args:
        override: label whose retain images are the references; by default each forget image's own, or all retain
            images where that label has none, and for an unconditional network.
        retain_target: "noise", or "teacher": what the original network predicts for the retain latents.
        snr_weight: False for ω ≡ 1.
    """

    largest_lambda = 1.0

    def __init__(
        self, *, override: int | None = None, retain_target: str = "noise", snr_weight: bool = True
    ) -> None:
        one_of("retain_target", retain_target, RETAIN_TARGETS)
        optional(whole(0))("override", override)
        switch("snr_weight", snr_weight)
        self.override, self.retain_target, self.snr_weight = override, retain_target, snr_weight

    def draw_target(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Draw the seed of the minibatch's choice of references, the same for each pair: int64 of shape (B,)."""
        return torch.randint(2**62, (1,), generator=generator).expand(shape[0])

    def forget_target(self, side: ForgetSide) -> Tensor:
        """Return ε* of each latent."""
        if side.labels is None and self.override is not None:
            raise UserError(
                f"override={self.override} names a label, and this network has none; leave override out."
            )
        target = torch.empty_like(side.noise)
        labels = torch.zeros_like(side.drawn).to(target.device) if side.labels is None else side.labels
        if self.override is not None:
            labels = torch.full_like(labels, self.override)
        # a stack's minibatches have a seed each
        keys = torch.stack([side.drawn.to(labels.device), labels], 1)
        for seed, label in keys.unique(dim=0).tolist():
            rows = (keys == torch.tensor([seed, label], device=keys.device)).all(1)
            references = self._references(side, seed, None if side.labels is None else label)
            target[rows] = posterior_noise(side.latents[rows], side.gamma[rows], side.sigma[rows], references)
        return target

    def _references(self, side: ForgetSide, seed: int, label: int | None) -> Tensor:
        """Draw the references of one label without replacement, (M, channels, height, width)."""
        known = torch.arange(len(side.retain_images))
        if label is not None:
            own = (side.retain_labels == label).nonzero().squeeze(1).cpu()
            if self.override is not None and not len(own):
                raise UserError(
                    f"override={label} has no images in the retain set; name a label that has some."
                )
            known = own if len(own) else known
        order = torch.randperm(len(known), generator=Generator().manual_seed(seed))[:REFERENCES]
        return side.retain_images[known[order].to(side.retain_images.device)]

    def forget_numbers(self, side: ForgetSide) -> Tensor | None:
        """Return ω_t of each latent, (B,)."""
        return (side.sigma / side.gamma).square().clamp(max=1.0) if self.snr_weight else None

    def forget_error(self, error: Tensor, numbers: Tensor | None = None) -> Tensor:
        """Return ω_t times the error."""
        return error if numbers is None else numbers * error

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return 1 − λ and λ, and the loss."""
        return weighted_sum(lam, parts)


@torch.no_grad()
def posterior_noise(latents: Tensor, gamma: Tensor, sigma: Tensor, references: Tensor) -> Tensor:
    """Return ε* = E[ε | m] if the clean image is one of the references, each as probable.

    Args:
        latents: m, shape (B, channels, height, width).
        gamma: √ᾱ_t of each, shape (B,).
        sigma: √(1 − ᾱ_t) of each, shape (B,).
        references: x_j, shape (M, channels, height, width).

    Returns:
        Of the shape of ``latents``; computed in float64, because small noise levels divide small differences.
    """
    m, g, s = latents.double().flatten(1), gamma.double().unsqueeze(1), sigma.double().unsqueeze(1)
    mean = posterior_mean(m, references.double().flatten(1), g, s)
    return ((m - g * mean) / s).to(latents.dtype).view_as(latents)


def posterior_mean(m: Tensor, x: Tensor, gamma: Tensor | float = 1.0, sigma: Tensor | float = 1.0) -> Tensor:
    """Return x̂ = Σ_j π_j x_j with π = softmax(−‖m − γx_j‖²/2σ²), the mean of x given m = γx + σε, (n, D).

    Args:
        m: shape (n, D).
        x: what is equally probable, shape (M, D).
        gamma: a number, or (n, 1).
        sigma: a number above 0, or (n, 1).
    """
    # without ‖m‖², which is the same for all j
    closeness = (gamma * (m @ x.T) - 0.5 * gamma**2 * x.square().sum(1)) / sigma**2
    return closeness.softmax(1) @ x
