"""The evaluator of diffusion models: samples, what a classifier sees in them, denoising losses, likelihoods."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.diffusion import DiffusionUnlearningEnv
from unlearn_gym.evaluation.evaluators.attacks import Attacks
from unlearn_gym.evaluation.evaluators.base import EvaluatorSettings, Scores
from unlearn_gym.evaluation.evaluators.drawn.base import LIKELIHOODS, LOSSES, DrawnEvaluator
from unlearn_gym.evaluation.evaluators.drawn.likelihoods import Likelihood
from unlearn_gym.evaluation.evaluators.drawn.membership import Membership
from unlearn_gym.evaluation.evaluators.drawn.samples import real_retain
from unlearn_gym.evaluation.evaluators.drawn.target import DiffusionTarget
from unlearn_gym.metrics.attacks.conditions import unreachable
from unlearn_gym.metrics.likelihood import grey_levels
from unlearn_gym.metrics.losses import DenoisingProbe
from unlearn_gym.metrics.subsets import evenly_spaced
from unlearn_gym.models.diffusion.sampling import sample
from unlearn_gym.processes.common.originals import frozen_original

if TYPE_CHECKING:
    from diffusers import UNet2DModel

MEMBERS = 1000
"""Images of each side of membership inference, at most."""
DEQUANTISED = ("bpd_retain", "bpd_forget")


class DiffusionEvaluator(DrawnEvaluator):
    """Draws with DDIM; losses are those of denoising.

    With a ready-made task everything is measured; with the user's own data there is neither a concept
    classifier nor a retrained model, and losses, structural similarity and seconds remain.
    """

    def __init__(self, env: UnlearningEnv, settings: EvaluatorSettings) -> None:
        assert isinstance(env, DiffusionUnlearningEnv)
        super().__init__(env, settings, env.process.model.config["num_class_embeds"] or 0)
        if self._task is None:
            self.key_metrics = ("return", "forget_loss", "retain_loss", "ssim_forget")
            self.trade_off = ("forget_loss", "retain_loss")
        elif not self._data.forgotten_concepts:
            self.key_metrics = ("return", "mia_auc", "mia_auc_calibrated", "retain_loss", "fid_retrained")
            self.trade_off = ("mia_auc", "retain_loss")
        elif not self._classes:
            self.key_metrics = ("return", "concept_rate", "neither_rate", "fid_retain", "fid_retrained")
            self.trade_off = ("concept_rate", "fid_retain")

    def generate(self, model: UNet2DModel, labels: Tensor, generator: Generator) -> Tensor:
        """See ``DrawnEvaluator.generate``."""
        process = self._process
        noise = torch.randn((len(labels), *self._data.forget.inputs.shape[1:]), generator=generator)
        return sample(
            model,
            process.scheduler,
            labels.to(process.device) if self._classes else None,
            noise.to(process.device, process.dtype),
            self.settings.sampling_steps,
            process.sampler,
        )

    def further(self) -> tuple[str, ...]:
        """Likelihoods where they are asked for, and membership where there are non-members."""
        likelihoods = LIKELIHOODS + DEQUANTISED if self.settings.likelihood else ()
        return (*likelihoods, *self._membership.metrics())

    def unattackable(self, attack: str) -> str:
        """See ``Evaluator.unattackable``; only a task has a concept classifier, and other labels are looked at, too."""
        if self._task is None:
            return super().unattackable(attack)
        needs_labels = attack == "attack" or not self._classes
        reason = unreachable(self.model(), self._data.forget_label) if needs_labels else ""
        return reason and f"{reason}; leave it out"

    def notes(self) -> tuple[str, ...]:
        """What the user's own data lacks, and how samples are drawn where not in the DDIM steps that were asked for."""
        return (*self._lacking(), *self._drawn())

    def _drawn(self) -> tuple[str, ...]:
        steps, asked = len(self._process.scheduler.betas), self.settings.sampling_steps
        if self._process.sampler != "ddim":
            return (
                f"Samples of all rows were drawn by {self._process.sampler}, which asked the network at most {asked} "
                f"times for each: what {asked} steps of DDIM cost.",
            )
        if steps >= asked:
            return ()
        return (
            f"The model's noise schedule has {steps} steps, so that samples were drawn in {steps} steps and not in "
            f"{asked}.",
        )

    def _lacking(self) -> tuple[str, ...]:
        if self._task and self.retrained() is None:
            return ("A model of the user's comes without one retrained without the forget set.",)
        if self._task:
            return ()
        return (
            "The user's own data comes without a concept classifier, so that recognition rates, FID, KID and "
            "the Inception Score were not measured.",
            "The user's own data comes without a model retrained without the forget set.",
        )

    def before(self) -> UNet2DModel:
        """Return the network before unlearning, not the dampened one that the environment may start from."""
        if self._process.dampened is None:
            return self.model()
        return frozen_original(self._process.model, self._process.original)

    def measure_further(self, model: UNet2DModel, seed: int) -> Scores:
        """Measure denoising losses, likelihoods and membership."""
        found = self._membership.measure(model, seed)
        return replace(
            found, values=self._losses(model, seed) | self._likelihoods(model, seed) | found.values
        )

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
        sides = (self._forget, self._data.forget_holdout)
        members, non_members = (
            LabelledSet(side.inputs[rows], side.labels[rows])
            for side in sides
            for rows in [evenly_spaced(len(side), MEMBERS)]
        )
        return Membership(
            members,
            non_members,
            self._process.scheduler,
            conditional=self._classes > 0,
            retrained=self.retrained,
        )

    @cached_property
    def _attacks(self) -> Attacks:
        target = DiffusionTarget(self._process, self.retrained, self._drawer, lambda: self._scores)
        return Attacks(target, self.settings)
