"""Samples of a model before and after a deletion request, and what a classifier sees in them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from unlearn_gym.data.requests.family import Shown
from unlearn_gym.metrics.outcomes.base import Look, Meter
from unlearn_gym.metrics.outcomes.outcome import SampleSizes
from unlearn_gym.models.diffusion.concepts import Judge
from unlearn_gym.models.diffusion.sampling import sample

if TYPE_CHECKING:
    from diffusers import DDPMScheduler, UNet2DModel


class DrawnMeter(Meter):
    """Draws the same samples of every model, and asks a classifier what they show; a subclass says how.

    Args:
        num_classes: labels of the models.
        shape: of an image.
        sizes: how many samples are drawn.
        original: returns the model of the named family before unlearning.
    """

    def __init__(
        self,
        num_classes: int,
        shape: Sequence[int],
        sizes: SampleSizes,
        original: Callable[[str], UNet2DModel],
    ) -> None:
        super().__init__(original)
        self._classes, self._shape, self.sizes = num_classes, tuple(shape), sizes

    @abstractmethod
    def draw(self, model: UNet2DModel, labels: Tensor, noise: Tensor) -> Tensor:
        """Return images of the labels, made of the noise on the model's device."""

    @abstractmethod
    def classifier(self, family: str) -> Callable[[Tensor], Tensor]:
        """Return what takes images to logits of the concepts and of none."""

    def key(self, shown: Shown, seed: int) -> Hashable:
        """The labels of which most samples are drawn, and the seed of the noise."""
        return tuple(sorted(shown.forgotten)), seed

    def labels(self, shown: Shown) -> Tensor:
        """Return the labels of all samples, those of which something is to be forgotten first."""
        others = [label for label in range(self._classes) if label not in shown.forgotten]
        return torch.cat(
            [
                torch.tensor(sorted(shown.forgotten)).repeat_interleave(self.sizes.samples),
                torch.tensor(others, dtype=torch.int64).repeat_interleave(self.sizes.class_samples),
            ]
        )

    def look(self, model: UNet2DModel, shown: Shown, seed: int) -> Look:
        """Draw an image for each label, from noise of the seed, and classify them."""
        labels, weight = self.labels(shown), next(model.parameters())
        noise = torch.randn((len(labels), *self._shape), generator=torch.Generator().manual_seed(seed))
        images = self.draw(model, labels.to(weight.device), noise.to(weight)).float().cpu()
        return Look(shares(self.classifier(shown.family), images, labels), images)


class SampleMeter(DrawnMeter):
    """Of diffusion models.

    Args:
        scheduler: the noise schedule of the models.
        classifiers: family → the classifier of its concepts, in eval mode.
        num_classes: as in ``DrawnMeter``; ``shape``, ``sizes`` and ``original`` likewise.
        shape: likewise.
        sizes: likewise.
        original: likewise.
        sampler: how samples are drawn, a name in ``SAMPLERS``.
    """

    def __init__(
        self,
        scheduler: DDPMScheduler,
        classifiers: Mapping[str, Judge],
        num_classes: int,
        shape: Sequence[int],
        sizes: SampleSizes,
        original: Callable[[str], UNet2DModel],
        sampler: str = "ddim",
    ) -> None:
        super().__init__(num_classes, shape, sizes, original)
        self._scheduler, self._classifiers, self._sampler = scheduler, classifiers, sampler

    def draw(self, model: UNet2DModel, labels: Tensor, noise: Tensor) -> Tensor:
        """See ``DrawnMeter.draw``."""
        return sample(model, self._scheduler, labels, noise, self.sizes.sampling_steps, self._sampler)

    def classifier(self, family: str) -> Judge:
        """See ``DrawnMeter.classifier``."""
        return self._classifiers[family]


@torch.no_grad()
def shares(classifier: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor) -> dict[int, Tensor]:
    """Return label → share of its images that show each concept, and last that show none."""
    logits = classifier(images)
    called = torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1]).double()
    return {int(label): called[labels == label].mean(0) for label in labels.unique()}
