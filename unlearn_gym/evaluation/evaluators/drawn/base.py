"""What the evaluators of models that draw images share: samples, and what a classifier sees in them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.evaluation.evaluators.attacks import Attacks
from unlearn_gym.evaluation.evaluators.base import Evaluator, EvaluatorSettings, Scores
from unlearn_gym.evaluation.evaluators.drawn.drawing import Drawer, pictures_of
from unlearn_gym.evaluation.evaluators.drawn.samples import BESIDE_RETRAINED, SampleScores, Seen, seen_of
from unlearn_gym.metrics.similarity import best_match_ssim
from unlearn_gym.metrics.subject import Samples, Subject
from unlearn_gym.metrics.subsets import distinct, evenly_spaced
from unlearn_gym.models.grid import pixels_of

LOSSES = ("retain_loss", "forget_loss")
LIKELIHOODS = ("nll_retain", "nll_forget")
OF_LABEL = ("concept_rate", "label_accuracy", "neither_rate")
COMPARED_BY_SSIM = 100
SHOWN_OF_DATA = 20
REFERENCE_SEED = 2**31
"""Seed of the noise of the retrained model's reference samples: none that a run is measured on."""


class DrawnEvaluator(Evaluator):
    """Asks the model for the same samples from the same noise, and scores them; a subclass says how it draws.

    Args:
        env: the unwrapped environment, with its ``task`` or None.
        settings: how much to measure.
        classes: labels that models are told, or 0 for none.
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

    def __init__(self, env: Any, settings: EvaluatorSettings, classes: int) -> None:
        super().__init__(env, settings)
        self._task, self._process = env.task, env.process
        self._data: UnlearningData = env.process.data
        self._classes = classes

    @abstractmethod
    def generate(self, model: Any, labels: Tensor, generator: Generator) -> Tensor:
        """Return an image for each label, from noise of a generator on the CPU."""

    @abstractmethod
    def further(self) -> tuple[str, ...]:
        """Names of what ``measure_further`` measures."""

    @abstractmethod
    def measure_further(self, model: Any, seed: int) -> Scores:
        """Measure the losses, and what the subclass measures besides of models of its kind."""

    @property
    @abstractmethod
    def _attacks(self) -> Attacks:
        """Makes the attacks that the settings ask for."""

    def metrics(self) -> tuple[str, ...]:
        """Everything with a task; without one, what needs no classifier."""
        return (
            *LOSSES,
            *(self._seen_metrics() if self._task else ()),
            "ssim_forget",
            *(("ssim_retain",) if self._task else ()),
            *self.further(),
            *self._attacks.metrics(),
        )

    def _seen_metrics(self) -> tuple[str, ...]:
        """Names of what the concept classifier measures: all of a model that is told labels, less of others."""
        names = seen_of(self._data, conditional=self._classes > 0)
        lacking = () if self._retrained is not None else BESIDE_RETRAINED
        return tuple(name for name in names if name not in lacking)

    def shares(self) -> tuple[str, ...]:
        """What the concept classifier counts, except its geometric mean."""
        return tuple(self.samples_of())

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
        if not self._task:
            return {}
        shares = {name: of_label for name in OF_LABEL} | {"class_accuracy": len(labels) - of_label}
        measured = seen_of(self._data, conditional=self._classes > 0)
        return {name: count for name, count in shares.items() if count and name in measured}

    def retrained(self) -> Any | None:
        """Return the task's retrained network."""
        return self._retrained

    @cached_property
    def _retrained(self) -> nn.Module | None:
        if self._task is None:
            return None
        made = self._task.retrained()
        if made is None:
            return None
        network: nn.Module = getattr(made, "unet", made)  # a diffusion model has a schedule besides
        where = {"device": self._process.device, "dtype": self._process.dtype}
        return nn.Module.to(network, **where).eval()

    def subject(self, model: Any, seed: int) -> Subject:
        """See ``Evaluator.subject``; with samples."""
        return replace(super().subject(model, seed), samples=self._draw(model, seed))

    def measure(self, subject: Subject) -> Scores:
        """Measure the samples, and draw the probes from the seed."""
        model, seed, samples = subject.model, subject.seed, subject.samples
        assert samples is not None
        of_label = samples.images[: samples.of_label]
        values = {"ssim_forget": best_match_ssim(of_label[:COMPARED_BY_SSIM], self._forget.inputs)}
        classes: dict[str, dict[str, float]] = {}
        if self._task is not None:
            seen = self._scores.see(samples)
            found = self._scores.pooled(seen, self._reference)
            values |= {name: found[name] for name in self._seen_metrics()}
            values["ssim_retain"] = self._scores.ssim_retain(samples)
            classes = self._scores.by_class(seen) if self._classes else {}
        others = self.measure_further(model, seed), self._attacks.measure(model, seed)
        for further in others:
            values |= further.values
        details = others[0].details | others[1].details
        return Scores(values, pictures_of(samples, self._classes), classes, self.samples_of(), details)

    @cached_property
    def _forget(self) -> LabelledSet:
        """The different forget images: a small source may have been repeated."""
        forget = self._data.forget
        rows = distinct(forget.inputs)
        return LabelledSet(forget.inputs[rows], forget.labels[rows])

    @cached_property
    def _drawer(self) -> Drawer:
        return Drawer(self.generate, self._data.forget_label, self._classes, self.settings)

    def _labels(self) -> tuple[Tensor, int]:
        """Return the labels of all samples, and how many of them are the forget label's."""
        return self._drawer.labels, self._drawer.of_label

    def _draw(self, model: Any, seed: int) -> Samples:
        return self._drawer.draw(model, seed)

    @cached_property
    def _scores(self) -> SampleScores:
        assert self._task is not None
        classifier = self._task.concepts().to(self._process.device).eval()
        return SampleScores(
            self._data, classifier, conditional=self._classes > 0, each=self.settings.class_samples
        )

    @cached_property
    def _reference(self) -> Seen | None:
        """The retrained model's samples, drawn once; None without one."""
        if self._retrained is None:
            return None
        return self._scores.see(self._draw(self._retrained, REFERENCE_SEED))
