"""Who was trained on: membership inference on a diffusion model by denoising losses."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import torch

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.evaluation.evaluators.base import Scores
from unlearn_gym.metrics.losses import denoising_mia_auc, example_losses
from unlearn_gym.metrics.privacy import exact_interval, false_positive_rate, mann_whitney_auc, tpr_at_fpr

if TYPE_CHECKING:
    from diffusers import DDPMScheduler, UNet2DModel

PLAIN, CALIBRATED = ("mia_auc",), ("mia_auc_calibrated", "tpr_at_fpr", "tpr_at_fpr_upper")


class Membership:
    """Compares losses on forget images with those on images like them that no model saw.

    Args:
        members: different images of the forget set.
        non_members: from the same distribution; where there are none nothing is measured.
        scheduler: the noise schedule.
        conditional: whether models are told the labels.
        retrained: returns the retrained model, whose losses the others' are calibrated by; or None.
    """

    def __init__(
        self,
        members: LabelledSet,
        non_members: LabelledSet,
        scheduler: DDPMScheduler,
        *,
        conditional: bool,
        retrained: Callable[[], UNet2DModel | None],
    ) -> None:
        self._sides, self._scheduler, self._conditional = (members, non_members), scheduler, conditional
        self._retrained = retrained
        self._reference = cache(self._retrained_losses)

    def metrics(self) -> tuple[str, ...]:
        """Names, from the glossary, of what ``measure`` measures."""
        if not len(self._sides[1]):
            return ()
        return PLAIN + CALIBRATED if self._retrained() is not None else PLAIN

    def measure(self, model: UNet2DModel, seed: int) -> Scores:
        """Measure a model on timesteps and noise that the seed decides."""
        if not self.metrics():
            return Scores({})
        members, others = losses = self._losses(model, seed)
        values = {"mia_auc": denoising_mia_auc(torch.from_numpy(members), torch.from_numpy(others))}
        reference = self._reference(seed)
        if reference is None:
            return Scores(values)
        members, others = (known - own for known, own in zip(reference, losses, strict=True))
        found = tpr_at_fpr(members, others)
        low, high = exact_interval(found, len(members))
        values |= {
            "mia_auc_calibrated": mann_whitney_auc(members, others),
            "tpr_at_fpr": found,
            "tpr_at_fpr_upper": high,
        }
        ends = {"low": low, "high": high, "false_positive_rate": false_positive_rate(len(others))}
        return Scores(values, details={"tpr_at_fpr": ends})

    def _losses(self, model: UNet2DModel, seed: int) -> tuple[np.ndarray, np.ndarray]:
        generator = torch.Generator().manual_seed(seed)
        members, others = (
            example_losses(model, self._scheduler, side, self._conditional, generator).numpy()
            for side in self._sides
        )
        return members, others

    def _retrained_losses(self, seed: int) -> tuple[np.ndarray, np.ndarray] | None:
        retrained = self._retrained()
        return None if retrained is None else self._losses(retrained, seed)
