"""The evaluator of diffusion models: samples, what a classifier sees in them, denoising losses, likelihoods."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from torch import Tensor

from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.diffusion import DiffusionUnlearningEnv
from unlearn_gym.evaluation.evaluators.attacks import Attacks
from unlearn_gym.evaluation.evaluators.base import Evaluator, EvaluatorSettings, Scores
from unlearn_gym.evaluation.evaluators.drawn.drawing import Drawer, pictures_of
from unlearn_gym.evaluation.evaluators.drawn.likelihoods import Likelihood
from unlearn_gym.evaluation.evaluators.drawn.membership import Membership
from unlearn_gym.evaluation.evaluators.drawn.samples import (
    CONCEPTS,
    FEATURES,
    SampleScores,
    Seen,
    real_retain,
)
from unlearn_gym.evaluation.evaluators.drawn.target import DiffusionTarget
from unlearn_gym.metrics.attacks.conditions import unreachable
from unlearn_gym.metrics.likelihood import grey_levels
from unlearn_gym.metrics.losses import DenoisingProbe
from unlearn_gym.metrics.similarity import best_match_ssim
from unlearn_gym.metrics.subject import Samples, Subject
from unlearn_gym.metrics.subsets import distinct, evenly_spaced
from unlearn_gym.models.grid import pixels_of
from unlearn_gym.processes.common.originals import frozen_original

LOSSES = ("retain_loss", "forget_loss")
OF_LABEL = ("concept_rate", "label_accuracy", "neither_rate")
LIKELIHOODS = ("nll_retain", "nll_forget")
DEQUANTISED = ("bpd_retain", "bpd_forget")
COMPARED_BY_SSIM = 100
SHOWN_OF_DATA = 20
REFERENCE_SEED = 2**31
"""Seed of the noise of the retrained model's reference samples: none that a run is measured on."""


class DiffusionEvaluator(Evaluator):
    """Asks the model for the same samples from the same noise, and scores them.

    With a ready-made task everything is measured; with the user's own data there is neither a concept
    classifier nor a retrained model, and losses, structural similarity and seconds remain.
    """

    key_metrics: tuple[str, ...] = (
        "return",
        "concept_rate",
        "neither_rate",
        "label_accuracy",
        "class_accuracy",
        "balance",
        "fid_retrained",
    )
    trade_off = ("concept_rate", "label_accuracy")

    def __init__(self, env: UnlearningEnv, settings: EvaluatorSettings) -> None:
        super().__init__(env, settings)
        assert isinstance(env, DiffusionUnlearningEnv)
        self._task, self._process = env.task, env.process
        self._data: UnlearningData = env.process.data
        self._classes = self.model().config["num_class_embeds"] or 0
        if self._task is None:
            self.key_metrics = ("return", "forget_loss", "retain_loss", "ssim_forget")
            self.trade_off = ("forget_loss", "retain_loss")

    def metrics(self) -> tuple[str, ...]:
        """Everything with a task; without one, what needs no classifier."""
        return (
            *LOSSES,
            *(CONCEPTS + FEATURES if self._task else ()),
            "ssim_forget",
            *(("ssim_retain",) if self._task else ()),
            *(LIKELIHOODS + DEQUANTISED if self.settings.likelihood else ()),
            *self._membership.metrics(),
            *self._attacks.metrics(),
        )

    def shares(self) -> tuple[str, ...]:
        """What the concept classifier counts, except its geometric mean."""
        return tuple(self.samples_of())

    def unattackable(self, attack: str) -> str:
        """See ``Evaluator.unattackable``; only a task has a concept classifier."""
        if self._task is None:
            return super().unattackable(attack)
        reason = unreachable(self.model(), self._data.forget_label) if attack == "attack" else ""
        return reason and f"{reason}; leave it out"

    def notes(self) -> tuple[str, ...]:
        """What the user's own data lacks, and where samples are drawn in fewer steps than were asked for."""
        steps, asked = len(self._process.scheduler.betas), self.settings.sampling_steps
        short = (
            f"The model's noise schedule has {steps} steps, so that samples were drawn in {steps} steps and not in "
            f"{asked}.",
        )
        return (*self._lacking(), *(short if steps < asked else ()))

    def _lacking(self) -> tuple[str, ...]:
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

    def before(self) -> UNet2DModel:
        """Return the network before unlearning, not the dampened one that the environment may start from."""
        if self._process.dampened is None:
            return self.model()
        return frozen_original(self._process.model, self._process.original)

    def examples(self) -> dict[str, np.ndarray]:
        """Return images to forget, images to keep under the same label if there is one, and others to keep."""
        retain, label = self._data.retain, self._data.forget_label
        same = retain.labels == label if label is not None else torch.zeros(len(retain), dtype=torch.bool)
        parts = {
            "to forget": (self._forget.inputs, torch.arange(len(self._forget))),
            f"to keep, also under {label}": (retain.inputs, same.nonzero().squeeze(1)),
            "to keep": (retain.inputs, (~same).nonzero().squeeze(1)),
        }
        return {
            title: pixels_of(images[rows[evenly_spaced(len(rows), SHOWN_OF_DATA)]])
            for title, (images, rows) in parts.items()
            if len(rows)
        }

    def samples_of(self) -> dict[str, int]:
        """Return how many samples each recognition rate is a share of."""
        labels, of_label = self._labels()
        shares = {name: of_label for name in OF_LABEL} | {"class_accuracy": len(labels) - of_label}
        return {name: count for name, count in shares.items() if count} if self._task else {}

    def retrained(self) -> UNet2DModel | None:
        """Return the task's retrained network."""
        return self._retrained

    @cached_property
    def _retrained(self) -> UNet2DModel | None:
        if self._task is None:
            return None
        unet = self._task.retrained().unet.to(self._process.device)
        return (unet if unet.dtype == self._process.dtype else unet.to(self._process.dtype)).eval()

    def subject(self, model: UNet2DModel, seed: int) -> Subject:
        """See ``Evaluator.subject``; with samples."""
        return replace(super().subject(model, seed), samples=self._draw(model, seed))

    def measure(self, subject: Subject) -> Scores:
        """Measure the samples, and draw the probes from the seed."""
        model, seed, samples = subject.model, subject.seed, subject.samples
        assert samples is not None
        of_label = samples.images[: samples.of_label]
        values = self._losses(model, seed) | self._likelihoods(model, seed)
        values["ssim_forget"] = best_match_ssim(of_label[:COMPARED_BY_SSIM], self._forget.inputs)
        classes: dict[str, dict[str, float]] = {}
        if self._task is not None:
            seen = self._scores.see(samples)
            values |= self._scores.pooled(seen, self._reference)
            values["ssim_retain"] = self._scores.ssim_retain(samples)
            classes = self._scores.by_class(seen) if self._classes else {}
        found = self._membership.measure(model, seed), self._attacks.measure(model, seed)
        for further in found:
            values |= further.values
        details = found[0].details | found[1].details
        return Scores(values, pictures_of(samples, self._classes), classes, self.samples_of(), details)

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

    @cached_property
    def _forget(self) -> LabelledSet:
        """The different forget images: a small source may have been repeated."""
        forget = self._data.forget
        rows = distinct(forget.inputs)
        return LabelledSet(forget.inputs[rows], forget.labels[rows])

    def _likelihoods(self, model: UNet2DModel, seed: int) -> dict[str, float]:
        if not self.settings.likelihood:
            return {}
        measure = Likelihood(
            self._process, model, self.settings.likelihood, conditional=self._classes > 0, seed=seed
        )
        retain = real_retain(self._data)
        sides = (retain, self._forget)
        levels = grey_levels(retain.inputs)
        plain = {name: measure.mean(side) for name, side in zip(LIKELIHOODS, sides, strict=True)}
        return plain | {
            name: measure.mean(side, levels) for name, side in zip(DEQUANTISED, sides, strict=True)
        }

    @cached_property
    def _membership(self) -> Membership:
        return Membership(
            self._forget,
            self._data.forget_holdout,
            self._process.scheduler,
            conditional=self._classes > 0,
            retrained=self.retrained,
        )

    @cached_property
    def _drawer(self) -> Drawer:
        return Drawer(self._process, self._data, self._classes, self.settings)

    @cached_property
    def _attacks(self) -> Attacks:
        target = DiffusionTarget(self._process, self.retrained, self._drawer, lambda: self._scores)
        return Attacks(target, self.settings)

    def _labels(self) -> tuple[Tensor, int]:
        """Return the labels of all samples, and how many of them are the forget label's."""
        return self._drawer.labels, self._drawer.of_label

    def _draw(self, model: UNet2DModel, seed: int) -> Samples:
        return self._drawer.draw(model, seed)

    @cached_property
    def _scores(self) -> SampleScores:
        assert self._task is not None
        classifier = self._task.concepts().to(self._process.device).eval()
        return SampleScores(
            self._data, classifier, conditional=self._classes > 0, each=self.settings.class_samples
        )

    @cached_property
    def _reference(self) -> Seen:
        """The retrained model's samples, drawn once."""
        assert self._retrained is not None
        return self._scores.see(self._draw(self._retrained, REFERENCE_SEED))
