"""The evaluator of variational autoencoders: samples of the decoder, and bounds that the encoder takes part in."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Generator, Tensor, nn

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.vae import VAEUnlearningEnv
from unlearn_gym.evaluation.evaluators.attacks import Attacks
from unlearn_gym.evaluation.evaluators.base import EvaluatorSettings, Scores
from unlearn_gym.evaluation.evaluators.drawn.base import LIKELIHOODS, LOSSES, DrawnEvaluator
from unlearn_gym.evaluation.evaluators.drawn.samples import real_retain
from unlearn_gym.evaluation.evaluators.drawn.target import DrawnTarget
from unlearn_gym.metrics.attacks.relearning import Loss
from unlearn_gym.metrics.subsets import evenly_spaced
from unlearn_gym.models.vae.bounds import elbo_error, importance_weighted, reconstruction_error
from unlearn_gym.models.vae.network import VAE, grey_values

DRAWS = 100
"""Codes an image of the importance-weighted bound."""


def elbo_loss(model: nn.Module, images: Tensor, labels: Tensor, generator: Generator) -> Tensor:
    """Return the loss that a VAE is trained with."""
    assert isinstance(model, VAE)
    noise = torch.randn(len(images), model.latent, generator=generator).to(images)
    return elbo_error(model(images, labels, noise), images).mean()


class VAETarget(DrawnTarget):
    """That of VAEs."""

    relearning_rate = 1e-3

    def training_loss(self) -> Loss:
        """See ``AttackTarget.training_loss``."""
        return elbo_loss


class VAEEvaluator(DrawnEvaluator):
    """Judges the means that the decoder draws from the prior; losses and bounds are in the model's own codes."""

    def __init__(self, env: UnlearningEnv, settings: EvaluatorSettings) -> None:
        assert isinstance(env, VAEUnlearningEnv)
        super().__init__(env, settings, env.process.data.num_classes)

    def generate(self, model: VAE, labels: Tensor, generator: Generator) -> Tensor:
        """See ``DrawnEvaluator.generate``; the encoder plays no part."""
        noise = torch.randn(len(labels), model.latent, generator=generator)
        return model.sample(labels.to(self._process.device), self._there(noise))

    def further(self) -> tuple[str, ...]:
        """The reconstruction error, and likelihoods where they are asked for."""
        return ("reconstruction_forget", *(LIKELIHOODS if self.settings.likelihood else ()))

    def unattackable(self, attack: str) -> str:
        """See ``Evaluator.unattackable``; a one-hot label has no embedding to be searched."""
        return (
            "a VAE's label is no embedding that could be another; leave it out" if attack == "attack" else ""
        )

    @torch.no_grad()
    def measure_further(self, model: VAE, seed: int) -> Scores:
        """Measure the losses, the reconstruction of forget images, and likelihoods."""
        sides = real_retain(self._data), self._forget
        values = {name: self._loss(model, side, seed) for name, side in zip(LOSSES, sides, strict=True)}
        images, labels = self._on_device(self._forget)
        mean, _ = model.encode(images, labels)
        error = reconstruction_error(model.decode(mean, labels), grey_values(images))
        values["reconstruction_forget"] = float(error.mean())
        if self.settings.likelihood:
            values |= {
                name: self._bits(model, side, seed) for name, side in zip(LIKELIHOODS, sides, strict=True)
            }
        return Scores(values)

    def _loss(self, model: VAE, side: LabelledSet, seed: int) -> float:
        """Return the mean negative ELBO, the images gone through in order, again and again."""
        rows = torch.arange(self.settings.probe) % len(side)
        chosen = self._on_device(LabelledSet(side.inputs[rows], side.labels[rows]))
        return float(elbo_loss(model, *chosen, Generator().manual_seed(seed)))

    def _bits(self, model: VAE, side: LabelledSet, seed: int) -> float:
        rows = evenly_spaced(len(side), self.settings.likelihood)
        chosen = self._on_device(LabelledSet(side.inputs[rows], side.labels[rows]))
        nats = importance_weighted(model, *chosen, DRAWS, Generator().manual_seed(seed))
        return float(nats.mean()) / (model.pixels * math.log(2))

    def _on_device(self, part: LabelledSet) -> tuple[Tensor, Tensor]:
        return self._there(part.inputs), part.labels.to(self._process.device)

    def _there(self, values: Tensor) -> Tensor:
        return values.to(self._process.device, self._process.dtype)

    @cached_property
    def _attacks(self) -> Attacks:
        target = VAETarget(self._process, self.retrained, self._drawer, lambda: self._scores)
        return Attacks(target, self.settings)
