"""How likely a latent is under each class, q_t(z | c), as logarithms: kernels K2 to K4 of the adaptive override.

Each is fitted to the K retained classes and, last, the forgotten one, and returns logs up to a number that is the same
for all classes of a latent, shape (n, K + 1).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor

from unlearn_gym.objectives.sfd.base import Classes, ForgetLatents

LEAST_VARIANCE = 1e-6
"""Of images in [-1, 1], in the directions in which those drawn do not differ."""


class Density(ABC):
    """log q_t(z | c).

    Args:
        classes: whose densities they are.
        samples: images of each class that it may draw from the teacher.

    Attributes:
        temperature: by which logs are divided where nobody says otherwise.
    """

    temperature: float

    @abstractmethod
    def __init__(self, classes: Classes, samples: int) -> None:
        """Fit it."""

    @abstractmethod
    def logs(self, side: ForgetLatents) -> Tensor:
        """Return log q_t(z | c), shape (n, K + 1)."""


class ClassGaussians(Density):
    """K3: N(γμ_c, γ²Σ_c + σ²I), Σ_c with its 32 largest principal directions and one variance for all others.

    By default logs are divided by the number of pixels D: in D dimensions the posterior would be one-hot otherwise.
    """

    rank = 32

    def __init__(self, classes: Classes, samples: int) -> None:
        images = classes.images(classes.columns, samples).flatten(2)  # (K + 1, M, D)
        self.temperature = float(images.shape[2])
        self.means = images.mean(1)
        _, scales, directions = torch.linalg.svd(images - self.means.unsqueeze(1), full_matrices=False)
        variances = scales.square() / max(samples - 1, 1)
        self.directions = directions[:, : self.rank]  # (K + 1, r, D)
        self.variances = variances[:, : self.rank]
        self.others = images.shape[2] - self.directions.shape[1]
        self.rest = variances[:, self.rank :].sum(1) / max(self.others, 1) + LEAST_VARIANCE

    def logs(self, side: ForgetLatents) -> Tensor:
        """See ``Density.logs``."""
        gamma, sigma = side.gamma.view(-1, 1, 1), side.sigma.view(-1, 1, 1)
        gap = side.latents.flatten(1).unsqueeze(1) - gamma * self.means  # (n, K + 1, D)
        along = torch.einsum("nkd,krd->nkr", gap, self.directions).square()
        spread = gamma.square() * self.variances + sigma.square()
        rest = (gamma.square() * self.rest.unsqueeze(1) + sigma.square()).squeeze(2)
        outside = (gap.square().sum(2) - along.sum(2)).clamp_min(0.0)
        exponent = (along / spread).sum(2) + outside / rest
        volume = spread.log().sum(2) + self.others * rest.log()
        return -0.5 * (exponent + volume)


class Kernels(Density):
    """K2: (1/M) Σ_j N(γy_cj, σ²I) around M images of each class; with one image, K1.

    By default logs are divided by the number of pixels, as under ``ClassGaussians``.
    """

    def __init__(self, classes: Classes, samples: int) -> None:
        self.images = classes.images(classes.columns, samples).flatten(2)  # (K + 1, M, D)
        self.temperature = float(self.images.shape[2])

    def logs(self, side: ForgetLatents) -> Tensor:
        """See ``Density.logs``."""
        gamma, sigma = side.gamma.view(-1, 1, 1), side.sigma.view(-1, 1, 1)
        scaled = side.latents.flatten(1).div(gamma.squeeze(2))  # ‖z − γy‖² = γ²‖z/γ − y‖²
        distances = torch.cdist(scaled, self.images.flatten(0, 1)).unflatten(1, self.images.shape[:2])
        logs = -0.5 * distances.square() * (gamma / sigma).square()
        return logs.logsumexp(2) - math.log(self.images.shape[1])


class ClassifierScores(Density):
    """K4: log p(c | x̂_ψ(z)) of a classifier, in the place of a density; logs are left as they are."""

    temperature = 1.0

    def __init__(self, classes: Classes, samples: int) -> None:
        self._classes = classes

    def logs(self, side: ForgetLatents) -> Tensor:
        """See ``Density.logs``."""
        return self._classes.judge(side.denoised)[:, self._classes.columns].log_softmax(1)


DENSITIES: dict[str, Callable[[Classes, int], Density]] = {
    "gaussian": ClassGaussians,
    "kernel": Kernels,
    "classifier": ClassifierScores,
}
"""Name → class."""
