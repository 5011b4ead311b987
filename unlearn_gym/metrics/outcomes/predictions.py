"""What a classifier says of held-out images before and after a deletion request."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch
from torch import nn

from unlearn_gym.data.requests.family import Shown
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.metrics.outcomes.base import Look, Meter
from unlearn_gym.models.modes import eval_mode


class PredictionMeter(Meter):
    """Asks a classifier about the same held-out images before and after; nothing is drawn, so that seeds do not matter.

    Args:
        images: held out, with their true labels.
        original: returns the model before unlearning; called once.
    """

    def __init__(self, images: LabelledSet, original: Callable[[], nn.Module]) -> None:
        super().__init__(original)
        self._images = images

    def key(self, shown: Shown, seed: int) -> Hashable:
        """Nothing changes what is looked at."""
        return ()

    @torch.no_grad()
    def look(self, model: nn.Module, shown: Shown, seed: int) -> Look:
        """Return true label → share of its images that are called each label, and last that are called none."""
        weight, labels = next(model.parameters()), self._images.labels
        with eval_mode(model):
            logits = model(self._images.inputs.to(weight)).float().cpu()
        called = torch.where(logits.isfinite().all(1), logits.argmax(1), logits.shape[1])
        rows = torch.nn.functional.one_hot(called, logits.shape[1] + 1).double()
        return Look({int(label): rows[labels == label].mean(0) for label in labels.unique()})
