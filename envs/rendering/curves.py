"""The steps of an episode so far, to be drawn as curves, and pictures side by side."""

from __future__ import annotations

import math
from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np

from unlearn_gym.processes.base import Signals

if TYPE_CHECKING:
    from unlearn_gym.envs.rendering.drawing import Drawing

MARGIN = 10
"""Pixels of white around an image."""
Row = list[float]
"""Step, λ, retain loss, forget loss, retain norm, forget norm, and 1 where the weights diverged."""


class Curves:
    """Remembers the steps since the start and draws them.

    Args:
        horizon: the steps that the x axis has room for.
        lambda_range: the λ that the first panel has room for.

    Attributes:
        rows: the steps so far, for ``state_dict``.
    """

    def __init__(self, horizon: int, lambda_range: tuple[float, float]) -> None:
        self.horizon, self._range = horizon, lambda_range
        self.rows: list[Row] = []
        self._drawing: Drawing | None = None

    def start(self, signals: Signals) -> None:
        """Forget all steps; the original weights have these losses and norms, and no λ yet."""
        self.rows = [[0.0, math.nan, *astuple(signals), 0.0]]

    def add(self, step: int, lam: float, signals: Signals, *, diverged: bool) -> None:
        """Remember a step."""
        self.rows.append([float(step), lam, *astuple(signals), float(diverged)])

    def draw(self, title: str) -> np.ndarray:
        """Return the curves as uint8 of shape (480, 640, 3)."""
        if self._drawing is None:
            from unlearn_gym.envs.rendering.drawing import (
                Drawing,  # matplotlib, which takes a while to import
            )

            self._drawing = Drawing(self.horizon, self._range)
        return self._drawing.of(np.array(self.rows or [[0.0, *[math.nan] * 5, 0.0]]), title)


def beside(image: np.ndarray | None, curves: np.ndarray) -> np.ndarray:
    """Return an image and the curves side by side on white, with even sides, as video codecs want them.

    Args:
        image: uint8 of shape (height, width, 3), or None; a small one is enlarged by a whole factor.
        curves: uint8 of shape (height, width, 3).
    """
    parts = [curves]
    if image is not None:
        factor = max(1, min(curves.shape[0] // image.shape[0], curves.shape[0] // image.shape[1]))
        image = image.repeat(factor, axis=0).repeat(factor, axis=1)
        parts.insert(0, np.pad(image, ((MARGIN, MARGIN), (MARGIN, 0), (0, 0)), constant_values=255))
    height = max(part.shape[0] for part in parts)
    return np.concatenate([_padded(part, height + height % 2) for part in parts], axis=1)


def _padded(part: np.ndarray, height: int) -> np.ndarray:
    """Return a picture in the middle of a white one of this height and an even width."""
    above, odd = (height - part.shape[0]) // 2, part.shape[1] % 2
    below = height - part.shape[0] - above
    return np.pad(part, ((above, below), (0, odd), (0, 0)), constant_values=255)
