"""Samples of a model under the labels that are judged, from noise that the seed decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from unlearn_gym.evaluation.evaluators.base import EvaluatorSettings
from unlearn_gym.metrics.subject import Samples
from unlearn_gym.models.grid import pixels_of

SHOWN_OF_LABEL, SHOWN_OF_CLASS = 20, 1

Generate = Callable[[Any, Tensor, Generator], Tensor]
"""From a model, labels and a generator on the CPU to an image for each label."""


class Drawer:
    """Draws the same samples of every model.

    Args:
        generate: makes images.
        label: the forget label, or None.
        classes: labels that models know, or 0 for none.
        settings: how many samples are drawn.

    Attributes:
        labels: of all samples, int64; those of the forget label first.
        of_label: how many those are.
    """

    def __init__(
        self, generate: Generate, label: int | None, classes: int, settings: EvaluatorSettings
    ) -> None:
        self._generate, self._classes, self._settings = generate, classes, settings
        self.of_label = settings.samples
        self.labels = self._labels(label)

    def _labels(self, label: int | None) -> Tensor:
        settings = self._settings
        if not self._classes:
            return torch.zeros(settings.samples, dtype=torch.int64)
        if label is None:
            return torch.arange(settings.samples) % self._classes
        others = torch.tensor([k for k in range(self._classes) if k != label])
        return torch.cat([torch.full((settings.samples,), label), others.repeat(settings.class_samples)])

    def draw(self, model: Any, seed: int) -> Samples:
        """Draw all samples."""
        return Samples(self.images(model, seed, self.labels), self.labels, self.of_label)

    def images(self, model: Any, seed: int, labels: Tensor) -> Tensor:
        """Draw an image for each of some labels, on the CPU."""
        return self._generate(model, labels, Generator().manual_seed(seed)).float().cpu()


def pictures_of(samples: Samples, classes: int) -> dict[str, np.ndarray]:
    """Return the samples that reports show: twenty of the forget label, and one of each other of the labels."""
    shown = {"forget label": samples.images[: min(SHOWN_OF_LABEL, samples.of_label)]}
    others = samples.images[samples.of_label :]
    if len(others):
        shown["other labels"] = others[: SHOWN_OF_CLASS * (classes - 1)]
    return {title: pixels_of(images) for title, images in shown.items()}
