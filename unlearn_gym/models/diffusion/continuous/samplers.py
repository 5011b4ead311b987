"""Images from the VP-SDE run backwards (Song et al. 2021, arXiv 2011.13456; Heun's: Karras et al. 2022, 2206.00364).

Each takes the predicted noise ε(x, label), the SDE, x(1) ~ N(0, I) of shape (n, channels, height, width), how often the
network may be asked, and a generator on the CPU for its noise. It returns what it takes for clean images, not clamped.
The score is −ε/σ throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Generator, Tensor

from unlearn_gym.models.diffusion.continuous.vp_sde import VPSDE

PredictNoise = Callable[[Tensor, Tensor], Tensor]
"""From latents and what the network is told of their time, a number or one for each, to the noise in them."""

SDESampler = Callable[[PredictNoise, VPSDE, Tensor, int, Generator], Tensor]

SIGNAL_TO_NOISE = 0.16
"""Of a corrector step, as the authors have it for the VP-SDE."""


def euler_maruyama(
    predict: PredictNoise, sde: VPSDE, noise: Tensor, evaluations: int, generator: Generator
) -> Tensor:
    """Return the end of dx = (−½βx + βε/σ) dτ + √β dw run from 1 to τ₀, in even steps of one evaluation; 100 do."""
    return _reverse(predict, sde, noise, evaluations, generator)


def predictor_corrector(
    predict: PredictNoise, sde: VPSDE, noise: Tensor, evaluations: int, generator: Generator
) -> Tensor:
    """Return the same with one step of Langevin dynamics before each of its steps: two evaluations for both."""
    steps = max(evaluations // 2, 1)
    return _reverse(predict, sde, noise, steps, generator, corrected=evaluations > 1)


def heun(predict: PredictNoise, sde: VPSDE, noise: Tensor, evaluations: int, generator: Generator) -> Tensor:
    """Return the end of the probability flow in N even steps of 2N − 1 evaluations; 50 do. Nothing is drawn.

    The last step is Euler's, straight to no noise at all: it needs no evaluation where the network knows nothing.
    """
    times = _times(sde, noise, (evaluations + 1) // 2)[:-1]
    x = flow(predict, sde, noise, times)
    return (x - sde.sigma(times[-1]) * predict(x, sde.label(times[-1]))) / sde.gamma(times[-1])


def flow(predict: PredictNoise, sde: VPSDE, noise: Tensor, times: Tensor) -> Tensor:
    """Return the last latents of the probability flow dx/dτ = −½β(x − ε/σ) that starts as ``noise``, by Heun's method.

    In y = x/γ and ρ = σ/γ it is dy/dρ = ε, without the stiff parts; an Euler step of that is DDIM's.

    Args:
        predict: the model.
        sde: of its noise levels.
        noise: the latents at the first time.
        times: falling, float64 of shape (N + 1,): N steps of two evaluations each.
    """
    ratios = sde.sigma(times) / sde.gamma(times)
    y = noise / sde.gamma(times[0])
    for i, step in enumerate(ratios.diff()):
        slope = predict(y * sde.gamma(times[i]), sde.label(times[i]))
        ahead = y + step * slope
        y = y + step * 0.5 * (slope + predict(ahead * sde.gamma(times[i + 1]), sde.label(times[i + 1])))
    return y * sde.gamma(times[-1])


def _times(sde: VPSDE, noise: Tensor, steps: int) -> Tensor:
    return sde.evenly(torch.linspace(1, 0, steps + 1, dtype=torch.float64, device=noise.device))


def _reverse(
    predict: PredictNoise,
    sde: VPSDE,
    noise: Tensor,
    steps: int,
    generator: Generator,
    *,
    corrected: bool = False,
) -> Tensor:
    """Return the end of the reverse SDE by the method of Euler and Maruyama; its last step adds no noise."""
    x = mean = noise
    for time, earlier in pairwise(_times(sde, noise, steps)):
        length = (time - earlier) * sde.beta(time)
        if corrected:
            x = _langevin(x, -predict(x, sde.label(time)) / sde.sigma(time), (-length).exp(), generator)
        mean = x + length * (0.5 * x - predict(x, sde.label(time)) / sde.sigma(time))
        x = mean + length.sqrt() * _like(x, generator)
    return mean


def _langevin(x: Tensor, score: Tensor, alpha: Tensor, generator: Generator) -> Tensor:
    """Return x + ηs + √(2η)z with z ~ N(0, I) and η = 2α(0.16·‖z‖/‖s‖)², of the images' mean norms.

    An image's own norms would make the step follow its place, and the stationary density another one. α is e^{−βΔτ};
    the authors have 1 − βΔτ, which long steps make negative.
    """
    z = _like(x, generator)
    mean_norms = [each.flatten(1).norm(dim=1).mean() for each in (z, score)]
    size = 2.0 * alpha * (SIGNAL_TO_NOISE * mean_norms[0] / mean_norms[1]).square()
    return x + size * score + (2.0 * size).sqrt() * z


def _like(x: Tensor, generator: Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator).to(x)
