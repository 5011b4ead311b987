"""How noise grows from data to nothing but noise, at every real time."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import scipy
from torch import Tensor


class NoisePath(Protocol):
    """ᾱ(s) = γ(s)² of the latents γx + σε with σ² = 1 − γ², falling from ``start`` to ``end``."""

    @property
    def start(self) -> float:
        """The time of the least noise that the network knows."""

    @property
    def end(self) -> float:
        """The time of the most."""

    def log_alpha(self, s: float) -> float:
        """Return log ᾱ(s)."""

    def slope(self, s: float) -> float:
        """Return its derivative."""

    def label(self, s: float) -> float:
        """Return what the network is told at that time."""


class SplinePath:
    """A smooth curve through the logarithms of a schedule's discrete noise levels; the network is told s itself.

    Args:
        alphas_cumprod: ᾱ of the T steps, shape (T,).
    """

    start = 0.0

    def __init__(self, alphas_cumprod: Tensor) -> None:
        table = alphas_cumprod.double().cpu().numpy()
        self._log_alpha = scipy.interpolate.CubicSpline(np.arange(len(table)), np.log(table))
        self._slope = self._log_alpha.derivative()
        self.end = len(table) - 1.0

    def log_alpha(self, s: float) -> float:
        """See ``NoisePath``."""
        return float(self._log_alpha(s))

    def slope(self, s: float) -> float:
        """See ``NoisePath``."""
        return float(self._slope(s))

    def label(self, s: float) -> float:
        """See ``NoisePath``."""
        return s
