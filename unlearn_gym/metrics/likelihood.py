"""Bits per dimension of images under a diffusion model, by the probability-flow ODE (Song et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.integrate import solve_ivp
from torch import Generator, Tensor

from unlearn_gym.models.diffusion.continuous.paths import NoisePath

PredictNoise = Callable[[Tensor, Tensor], Tensor]
"""From images (n, ...) and what the network is told of their time (n,) to the noise in them, like the images."""

BITS_OF_SCALE = 7.0
"""log2(128): one of the 256 grey levels is 1/128 wide on [-1, 1]."""

MOST_LEVELS = 256
"""Grey levels of an image of bytes."""
OFF_LEVEL = 1e-5
"""How far from a level, on [-1, 1], float32 may put a value."""
MOST_EVALUATIONS = 300
"""Evaluations after which an image counts as impossible to integrate: a wrecked network's flow can be stiff."""


def bits_per_dim(
    predict_noise: PredictNoise,
    path: NoisePath,
    images: Tensor,
    *,
    generator: torch.Generator,
    tolerance: float = 1e-3,
    levels: int | None = None,
) -> Tensor:
    """Return the negative log2-likelihood of each image, a dimension.

    With ᾱ(s) the noise's path, the model's probability flow from data (s = start) to noise (s = end) is
    dx/ds = ½·(d log ᾱ/ds)·(x − ε(x, s)/√(1 − ᾱ(s))). The log-likelihood is that of N(0, I)
    at its end plus the integral of its divergence, estimated by vᵀ(∂ẋ/∂x)v with one Rademacher vector v an
    image (Hutchinson; exact where the Jacobian is diagonal).

    Unlike the SISS authors' evaluation, times are smooth (theirs rounds s to whole steps inside a continuous
    flow), and schedule and network agree on the noise at each. As there, it is the density of the images
    under the noise of the first step, and nothing is added to dequantise the grey levels; both make numbers
    comparable between models and not with the literature's.

    Args:
        predict_noise: the model; differentiable in the images.
        path: a curve through the discrete noise levels that the model knows, or the SDE's.
        images: shape (n, ...) in [-1, 1], in the network's dtype and on its device. They share the solver's
            steps, so that a number depends, within the tolerance, on the images beside it.
        generator: of v, on the CPU.
        tolerance: relative and absolute one of the RK45 solver.
        levels: number of grey levels, where the images are dequantised (see ``dequantised``): the number is then an
            upper bound on the bits of the grey levels, as the literature's. Else one of 256 is 1/128 wide.

    Returns:
        float64 of shape (n,), on the CPU; NaN for all where the flow is not finite, or is not done after
        ``MOST_EVALUATIONS`` evaluations of the model.
    """
    flow = _Flow(predict_noise, path, images, generator)
    n, dimensions = len(images), images[0].numel()
    start = np.concatenate([images.double().cpu().numpy().ravel(), np.zeros(n)])
    try:
        found = solve_ivp(flow, (path.start, path.end), start, method="RK45", rtol=tolerance, atol=tolerance)
    except _NotIntegrableError:
        return torch.full((n,), math.nan, dtype=torch.float64)
    if not found.success:
        return torch.full((n,), math.nan, dtype=torch.float64)
    end = torch.from_numpy(found.y[:, -1].copy())
    noise, change = end[:-n].view(n, dimensions), end[-n:]
    prior = -0.5 * (noise.square().sum(1) + dimensions * math.log(2 * math.pi))
    width = BITS_OF_SCALE if levels is None else math.log2((levels - 1) / 2)
    return -(prior + change) / (dimensions * math.log(2)) + width


def grey_levels(images: Tensor) -> int:
    """Return the least number of equally spaced levels from −1 to 1 that all values lie on; 256 if they lie on none."""
    values = images.double().flatten().unique()
    for levels in range(2, MOST_LEVELS):
        steps = (values + 1) * (levels - 1) / 2
        if (steps - steps.round()).abs().max() < OFF_LEVEL * (levels - 1):
            return levels
    return MOST_LEVELS


def dequantised(images: Tensor, levels: int, generator: Generator) -> Tensor:
    """Return images with every value drawn evenly from the cell of its nearest grey level (Uria et al. 2013).

    Args:
        images: shape (n, ...) in [-1, 1].
        levels: number of equally spaced grey levels from −1 to 1, at least 2.
        generator: of the draws, on the CPU.
    """
    cells = ((images.double().cpu() + 1) * (levels - 1) / 2).round()
    noise = torch.rand(images.shape, generator=generator, dtype=torch.float64) - 0.5
    return ((cells + noise) * 2 / (levels - 1) - 1).to(images)


class _NotIntegrableError(Exception):
    """The flow is not finite, or takes too many evaluations; raised because the solver never gives up."""


class _Flow:
    """The right-hand side: images and log-densities of the batch, flattened one after the other."""

    def __init__(
        self, predict_noise: PredictNoise, path: NoisePath, images: Tensor, generator: torch.Generator
    ) -> None:
        self._predict_noise, self._path, self._like = predict_noise, path, images
        bits = torch.randint(2, images.shape, generator=generator)
        self._probe = (2 * bits - 1).to(images)
        self._evaluations = 0

    def __call__(self, s: float, state: np.ndarray) -> np.ndarray:
        self._evaluations += 1
        if self._evaluations > MOST_EVALUATIONS:
            raise _NotIntegrableError
        x = torch.from_numpy(state[: self._like.numel()]).view_as(self._like).to(self._like)
        half_slope, sigma = 0.5 * self._path.slope(s), math.sqrt(-math.expm1(self._path.log_alpha(s)))
        noise, product = self._noise_and_product(x, self._path.label(s))
        drift = half_slope * (x - noise / sigma).double()
        trace = (self._probe * product).double().flatten(1).sum(1)
        divergence = half_slope * (x[0].numel() - trace / sigma)
        both = torch.cat([drift.flatten(), divergence]).cpu().numpy()
        if not np.isfinite(both).all():
            raise _NotIntegrableError
        return both

    def _noise_and_product(self, x: Tensor, label: float) -> tuple[Tensor, Tensor]:
        """Return ε(x, s) and vᵀ∂ε/∂x; the network is told the label of s."""
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            noise = self._predict_noise(x, torch.full((len(x),), label, dtype=x.dtype, device=x.device))
            (product,) = torch.autograd.grad(noise, x, self._probe)
        return noise.detach(), product
