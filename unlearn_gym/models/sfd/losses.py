"""The losses of score forgetting distillation, written out: three estimates of the same clean images in, (n,) out.

Source: Chen et al. 2024 (arXiv 2409.11219) and its released DDPM code. Shapes are (n, channels, height, width).
"""

from __future__ import annotations

from torch import Tensor

LEAST_WEIGHT = 1e-5
"""Below it ω, a mean absolute difference of pixels, is taken for this number."""


def omega(teacher: Tensor, images: Tensor) -> Tensor:
    """Return ω = max(mean over pixels |x̂_φ − x|, 1e-5) of each image, without gradient, shape (n,)."""
    return (teacher - images).abs().flatten(1).mean(1).clamp_min(LEAST_WEIGHT).detach()


def generator_losses(teacher: Tensor, fake: Tensor, images: Tensor, alpha: float) -> Tensor:
    """Return L_sfd = Σ Δ·((x̂_φ − x) − αΔ)/ω of each image, Δ = x̂_φ − x̂_ψ, shape (n,).

    Its gradient in θ, through x and through the latent that both networks look at, is that of a Fisher divergence; its
    *value* is none: at the best ψ its mean is about (1 − α)·E‖Δ‖²/ω, 0 for α = 1 and negative above.

    Args:
        teacher: x̂_φ(z_t, c₁), what the frozen teacher makes of the latents.
        fake: x̂_ψ(z_t, c₂), what the fake score makes of them.
        images: x = g_θ(n, c₂).
        alpha: weight of the part that only the true score of the generator would make vanish; 1 or 1.2.
    """
    gap = teacher - fake
    return (gap * (teacher - images - alpha * gap)).flatten(1).sum(1) / omega(teacher, images)


def divergences(teacher: Tensor, fake: Tensor, images: Tensor) -> Tensor:
    """Return the mean over pixels of Δ²/ω of each image, shape (n,), without gradient: what tells how far it is."""
    return ((teacher - fake).square().flatten(1).mean(1) / omega(teacher, images)).detach()


def fake_losses(predicted: Tensor, noise: Tensor) -> Tensor:
    """Return ‖ε_ψ(z_t, t, c) − ε‖² of each latent, by which ψ learns the generator's scores, shape (n,)."""
    return (predicted - noise).square().flatten(1).sum(1)
