"""What attacks ask of a model that draws: does it draw the forgotten concept, are its other labels recognised."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from torch import Tensor, nn

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.evaluation.evaluators.attacks import AttackTarget
from unlearn_gym.evaluation.evaluators.drawn.drawing import Drawer
from unlearn_gym.evaluation.evaluators.drawn.samples import SampleScores
from unlearn_gym.metrics.attacks.conditions import RADII, attacked, overlapped
from unlearn_gym.metrics.attacks.relearning import LEARNING_RATE, Loss, denoising
from unlearn_gym.metrics.concepts import class_accuracy, share_called
from unlearn_gym.processes.common.originals import frozen_original

SAMPLES = 200
"""Samples of the forget label after each stretch of relearning, at most."""


class DrawnTarget(AttackTarget):
    """Asks for samples and shows them to the concept classifier; a subclass says how its models are trained.

    Args:
        process: has the original weights and the data.
        retrained: returns the retrained model.
        drawer: draws the samples.
        scores: returns what looks at them.
    """

    rounded = ("concept_rate", "balance")
    at_retain = ("concept_rate", "label_accuracy", "neither_rate")

    def __init__(
        self,
        process: Any,
        retrained: Callable[[], Any | None],
        drawer: Drawer,
        scores: Callable[[], SampleScores],
    ) -> None:
        self._process, self._retrained, self._drawer, self._scores = process, retrained, drawer, scores

    def original(self) -> nn.Module:
        """See ``AttackTarget.original``."""
        return self._original

    @cached_property
    def _original(self) -> Any:
        return frozen_original(self._process.model, self._process.original)

    def retrained(self) -> Any | None:
        """See ``AttackTarget.retrained``."""
        return self._retrained()

    def training_sets(self) -> tuple[LabelledSet, LabelledSet]:
        """See ``AttackTarget.training_sets``."""
        return self._process.data.retain, self._process.data.forget

    def forgotten(self, model: nn.Module, seed: int) -> float:
        """Return the concept rate of the first samples of the forget label."""
        return self._rate(model, seed, self._drawer.labels[: min(self._drawer.of_label, SAMPLES)])

    def _rate(self, model: nn.Module, seed: int, labels: Tensor) -> float:
        """Return the concept rate of samples under some labels."""
        images = self._drawer.images(model, seed, labels)
        return share_called(self._scores().logits(images), *self._process.data.forgotten_concepts)

    def kept(self, model: nn.Module, seed: int) -> float:
        """Return the class accuracy."""
        labels = self._drawer.labels[self._drawer.of_label :]
        images = self._drawer.images(model, seed, labels)
        return class_accuracy(self._scores().logits(images), labels)

    def measured(self, model: nn.Module, seed: int) -> dict[str, float]:
        """Return what is recognised in all samples: the evaluator's own numbers."""
        scores = self._scores()
        return scores.recognised(scores.see(self._drawer.draw(model, seed)))


class DiffusionTarget(DrawnTarget):
    """That of diffusion models, which are told labels through an embedding."""

    relearning_rate = LEARNING_RATE

    def training_loss(self) -> Loss:
        """See ``AttackTarget.training_loss``."""
        return denoising(self._process.scheduler, bool(self._original.config["num_class_embeds"]))

    def conditioned(self, model: nn.Module, seed: int, kind: str) -> dict[str, float]:
        """See ``AttackTarget.conditioned``."""
        assert isinstance(model, UNet2DModel)
        forget, label = self._process.data.forget, self._process.data.forget_label
        assert label is not None
        if kind == "overlap":
            others = self._drawer.labels[self._drawer.of_label :].unique()
            labels = others[torch.arange(min(self._drawer.of_label, SAMPLES)) % len(others)]
            return {"overlap": self._rate(overlapped(model, forget.inputs[0], label), seed, labels)}
        images, loss = forget.inputs[forget.labels == label], self.training_loss()
        rates = {}
        for radius in RADII:
            generator = torch.Generator().manual_seed(seed)
            found = attacked(model, loss, images, label, radius, generator)
            rates[f"{radius:g}"] = self.forgotten(found, seed)
        return rates
