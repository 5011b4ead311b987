"""Images of a one-step generator before and after a label was forgotten, and what a classifier sees in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from unlearn_gym.metrics.outcomes.outcome import SampleSizes
from unlearn_gym.metrics.outcomes.samples import DrawnMeter
from unlearn_gym.models.sfd.generator import generate
from unlearn_gym.models.sfd.judge import LabelJudge
from unlearn_gym.models.sfd.schedule import Schedule

if TYPE_CHECKING:
    from diffusers import UNet2DModel


class GeneratedMeter(DrawnMeter):
    """Of one-step generators: one pass an image, whatever ``sizes`` says of sampling steps.

    Args:
        schedule: noise levels of the generator.
        judge: from images to logits of the labels and of none.
        shape: of an image.
        sizes: how many images are made.
        original: returns the generator before unlearning.
    """

    def __init__(
        self,
        schedule: Schedule,
        judge: LabelJudge,
        shape: Sequence[int],
        sizes: SampleSizes,
        original: Callable[[str], UNet2DModel],
    ) -> None:
        super().__init__(int(judge.labels.max()), shape, sizes, original)
        self._schedule, self._judge = schedule, judge

    def draw(self, model: UNet2DModel, labels: Tensor, noise: Tensor) -> Tensor:
        """See ``DrawnMeter.draw``."""
        return generate(model, self._schedule, labels, noise)

    def classifier(self, family: str) -> LabelJudge:
        """See ``DrawnMeter.classifier``."""
        return self._judge
