"""The judge of diffusion models: samples, what a classifier sees in them, and denoising losses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from torch import Tensor

from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.diffusion import DiffusionUnlearningEnv
from unlearn_gym.evaluation.judge import Judge, JudgeSettings, Verdict
from unlearn_gym.metrics.concepts import balance, class_accuracy, share_called
from unlearn_gym.metrics.generative import best_match_ssim, fid, inception_score, kid
from unlearn_gym.metrics.losses import DenoisingProbe
from unlearn_gym.models.concepts import ConceptClassifier
from unlearn_gym.models.sampling import sample

LOSSES = ("retain_loss", "forget_loss")
CONCEPTS = ("concept_rate", "label_accuracy", "class_accuracy", "balance")
FEATURES = (
    "fid_forget",
    "kid_forget",
    "fid_retain",
    "kid_retain",
    "fid_retrained",
    "kid_retrained",
    "inception_score",
)
COMPARED_BY_SSIM = 100
SHOWN_OF_LABEL, SHOWN_OF_CLASS = 20, 1
REFERENCE_SEED = 2**31
"""Seed of the noise of the retrained model's reference samples: none that a run is measured on."""


@dataclass(frozen=True)
class Samples:
    """Generated images: those of the forget label first, then the other labels in turn.

    Attributes:
        images: shape (n, channels, height, width) in [-1, 1], on the CPU.
        labels: int64 of shape (n,); all 0 for an unconditional model.
        of_label: how many come first.
    """

    images: Tensor
    labels: Tensor
    of_label: int


class DiffusionJudge(Judge):
    """Asks the model for the same samples from the same noise, and scores them.

    With a ready-made task everything is measured; with the user's own data there is neither a concept
    classifier nor a retrained model, and losses, structural similarity and seconds remain.
    """

    key_metrics: tuple[str, ...] = (
        "return",
        "concept_rate",
        "label_accuracy",
        "class_accuracy",
        "balance",
        "fid_retrained",
    )
    trade_off = ("concept_rate", "label_accuracy")

    def __init__(self, env: UnlearningEnv, settings: JudgeSettings) -> None:
        super().__init__(env, settings)
        assert isinstance(env, DiffusionUnlearningEnv)
        self._task, self._process = env.task, env.process
        self._data: UnlearningData = env.process.data
        self._classes = self.model().config["num_class_embeds"] or 0
        if self._task is None:
            self.key_metrics = ("return", "forget_loss", "retain_loss", "ssim_forget")
            self.trade_off = ("forget_loss", "retain_loss")

    def metrics(self) -> tuple[str, ...]:
        """Everything with a task; losses and similarity without one."""
        return (*LOSSES, *(CONCEPTS + FEATURES if self._task else ()), "ssim_forget")

    def notes(self) -> tuple[str, ...]:
        """What the user's own data lacks."""
        if self._task:
            return ()
        return (
            "The user's own data comes without a concept classifier, so that recognition rates, FID, KID and "
            "the Inception Score were not measured.",
            "The user's own data comes without a model retrained without the forget set.",
        )

    def model(self) -> UNet2DModel:
        """Return the network as it is now."""
        return self._process.model

    def retrained(self) -> UNet2DModel | None:
        """Return the task's retrained network."""
        return self._retrained

    @cached_property
    def _retrained(self) -> UNet2DModel | None:
        if self._task is None:
            return None
        unet = self._task.retrained().unet.to(self._process.device)
        return (unet if unet.dtype == self._process.dtype else unet.to(self._process.dtype)).eval()

    def score(self, model: UNet2DModel, seed: int) -> Verdict:
        """Draw the samples and the probes from ``seed`` and measure."""
        samples = self._draw(model, seed)
        of_label = samples.images[: samples.of_label]
        values = self._losses(model, seed)
        values["ssim_forget"] = best_match_ssim(of_label[:COMPARED_BY_SSIM], self._data.forget.inputs)
        if self._task is not None:
            values |= self._recognised(samples) | self._distances(samples)
        return Verdict(values, self._pictures(samples))

    def _losses(self, model: UNet2DModel, seed: int) -> dict[str, float]:
        scheduler = self._process.scheduler
        kept = self._data.retain_holdout if len(self._data.retain_holdout) else self._data.retain
        return {
            name: DenoisingProbe.draw(
                examples,
                self._classes > 0,
                self.settings.probe,
                scheduler.config["num_train_timesteps"],
                torch.Generator().manual_seed(seed),
            ).loss(model, scheduler)
            for name, examples in zip(LOSSES, (kept, self._data.forget), strict=True)
        }

    def _labels(self) -> tuple[Tensor, int]:
        """Return the labels to sample, and how many of them are the forget label's."""
        settings, label = self.settings, self._data.forget_label
        if not self._classes:
            return torch.zeros(settings.samples, dtype=torch.int64), settings.samples
        if label is None:
            return torch.arange(settings.samples) % self._classes, settings.samples
        others = torch.tensor([k for k in range(self._classes) if k != label])
        return torch.cat(
            [torch.full((settings.samples,), label), others.repeat(settings.class_samples)]
        ), settings.samples

    def _draw(self, model: UNet2DModel, seed: int) -> Samples:
        labels, of_label = self._labels()
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn((len(labels), *self._data.forget.inputs.shape[1:]), generator=generator)
        images = sample(
            model,
            self._process.scheduler,
            labels.to(self._process.device) if self._classes else None,
            noise.to(self._process.device, self._process.dtype),
            self.settings.sampling_steps,
        )
        return Samples(images.float().cpu(), labels, of_label)

    def _balanced(self, samples: Samples) -> Tensor:
        """Return which samples to take for an equal number of every label."""
        first = torch.arange(samples.of_label) < self.settings.class_samples
        return torch.cat([first, torch.ones(len(samples.images) - samples.of_label, dtype=torch.bool)])

    def _recognised(self, samples: Samples) -> dict[str, float]:
        logits, label = self._logits(samples.images), self._data.forget_label
        of_label, others = logits[: samples.of_label], slice(samples.of_label, None)
        rate = share_called(of_label, len(self._data.concepts) - 1)
        recognised = share_called(of_label, label) if label is not None else 1.0 - rate
        kept = class_accuracy(logits[others], samples.labels[others])
        return {
            "concept_rate": rate,
            "label_accuracy": recognised,
            "class_accuracy": kept,
            "balance": balance(rate, recognised, kept),
            "inception_score": inception_score(logits[self._balanced(samples)]),
        }

    def _distances(self, samples: Samples) -> dict[str, float]:
        features = self._features(samples.images)
        pairs = {
            "forget": (self._forget_features, features[: samples.of_label]),
            "retain": (self._retain_features, features[self._balanced(samples)]),
            "retrained": (self._retrained_features, features),
        }
        return {
            f"{name}_{side}": measure(real, generated)
            for side, (real, generated) in pairs.items()
            for name, measure in (("fid", fid), ("kid", kid))
        }

    @cached_property
    def _classifier(self) -> ConceptClassifier:
        assert self._task is not None
        return self._task.concepts().to(self._process.device).eval()

    @torch.no_grad()
    def _logits(self, images: Tensor) -> Tensor:
        return self._classifier(images.to(self._process.device)).cpu()

    @torch.no_grad()
    def _raw_features(self, images: Tensor) -> Tensor:
        return self._classifier.features(images.to(self._process.device)).cpu()

    @cached_property
    def _feature_scale(self) -> float:
        """Root mean square of the real images' features: distances do not depend on the network's scale."""
        real = torch.cat([self._data.retain.inputs, self._data.forget.inputs])
        return float(self._raw_features(real).square().mean().sqrt())

    def _features(self, images: Tensor) -> Tensor:
        return self._raw_features(images) / self._feature_scale

    @cached_property
    def _forget_features(self) -> Tensor:
        return self._features(self._data.forget.inputs)

    @cached_property
    def _retain_features(self) -> Tensor:
        kept: LabelledSet = (
            self._data.retain_holdout if len(self._data.retain_holdout) > 1 else self._data.retain
        )
        return self._features(kept.inputs)

    @cached_property
    def _retrained_features(self) -> Tensor:
        assert self._retrained is not None
        return self._features(self._draw(self._retrained, REFERENCE_SEED).images)

    def _pictures(self, samples: Samples) -> dict[str, np.ndarray]:
        shown = {"forget label": samples.images[: min(SHOWN_OF_LABEL, samples.of_label)]}
        others = samples.images[samples.of_label :]
        if len(others):
            shown["other labels"] = others[: SHOWN_OF_CLASS * (self._classes - 1)]
        return {title: _pixels(images) for title, images in shown.items()}


def _pixels(images: Tensor) -> np.ndarray:
    """Turn images in [-1, 1] into uint8 of shape (n, height, width, channels)."""
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
