"""Samples of a model before and after a deletion request, and what a classifier sees in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from diffusers import DDPMScheduler, UNet2DModel
from torch import Tensor

from unlearn_gym.data.requests.family import Shown
from unlearn_gym.metrics.outcomes.outcome import Outcome, SampleSizes, outcome
from unlearn_gym.models.diffusion.concepts import ConceptClassifier
from unlearn_gym.models.diffusion.sampling import sample


class OutcomeMeter:
    """Draws the same samples of every model, and asks a classifier what they show.

    Args:
        scheduler: the noise schedule of the models.
        classifier: of the family's concepts, in eval mode.
        num_classes: labels of the models.
        shape: of an image.
        sizes: how many samples are drawn.
        original: returns the model before unlearning; called once.
    """

    def __init__(
        self,
        scheduler: DDPMScheduler,
        classifier: ConceptClassifier,
        num_classes: int,
        shape: Sequence[int],
        sizes: SampleSizes,
        original: Callable[[], UNet2DModel],
    ) -> None:
        self._scheduler, self._classifier, self.sizes = scheduler, classifier, sizes
        self._classes, self._shape = num_classes, tuple(shape)
        self._make_original = original
        self._before: dict[tuple[tuple[int, ...], int], dict[int, Tensor]] = {}

    def labels(self, shown: Shown) -> Tensor:
        """Return the labels of all samples, those of which something is to be forgotten first."""
        others = [label for label in range(self._classes) if label not in shown.forgotten]
        return torch.cat(
            [
                torch.tensor(sorted(shown.forgotten)).repeat_interleave(self.sizes.samples),
                torch.tensor(others, dtype=torch.int64).repeat_interleave(self.sizes.class_samples),
            ]
        )

    def draw(self, model: UNet2DModel, labels: Tensor, seed: int) -> Tensor:
        """Draw an image for each label, on the CPU; the noise depends on the seed and the labels alone."""
        weight = next(model.parameters())
        noise = torch.randn((len(labels), *self._shape), generator=torch.Generator().manual_seed(seed))
        steps = self.sizes.sampling_steps
        images = sample(model, self._scheduler, labels.to(weight.device), noise.to(weight), steps)
        return images.float().cpu()

    @torch.no_grad()
    def shares(self, images: Tensor, labels: Tensor) -> dict[int, Tensor]:
        """Return label → share of its images that show each concept, (concepts and neither,)."""
        logits = self._classifier(images)
        called = torch.nn.functional.one_hot(logits.argmax(1), logits.shape[1]).double()
        return {int(label): called[labels == label].mean(0) for label in labels.unique()}

    @cached_property
    def _original(self) -> UNet2DModel:
        return self._make_original()

    def before(self, shown: Shown, seed: int) -> dict[int, Tensor]:
        """Return the shares of the original model, which are measured once for the same labels and seed."""
        labels = self.labels(shown)
        key = tuple(sorted(shown.forgotten)), seed
        if key not in self._before:
            self._before[key] = self.shares(self.draw(self._original, labels, seed), labels)
        return self._before[key]

    def measure(self, model: UNet2DModel, shown: Shown, seed: int = 0) -> Outcome:
        """Return the outcome of a request whose run left ``model``."""
        labels = self.labels(shown)
        after = self.shares(self.draw(model, labels, seed), labels)
        return outcome(self.before(shown, seed), after, shown)
