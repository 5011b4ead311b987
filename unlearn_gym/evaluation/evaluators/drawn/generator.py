"""The evaluator of one-step generators that forget a label: samples by one pass each, and what a classifier sees."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor

from unlearn_gym.data.split import UnlearningData
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.sfd.env import SFDUnlearningEnv
from unlearn_gym.evaluation.evaluators.base import Evaluator, EvaluatorSettings, Scores
from unlearn_gym.evaluation.evaluators.drawn.drawing import Drawer, pictures_of
from unlearn_gym.evaluation.evaluators.drawn.samples import SampleScores, real_retain
from unlearn_gym.metrics.concepts import balance, class_accuracy, share_called
from unlearn_gym.metrics.generative import fid, precision_recall
from unlearn_gym.metrics.subject import Samples, Subject
from unlearn_gym.models.sfd.generator import generate
from unlearn_gym.models.sfd.judge import by_label, concept_labels

if TYPE_CHECKING:
    from diffusers import UNet2DModel

OF_LABEL = ("unlearning_accuracy", "overridden", "neither_rate")


class GeneratorEvaluator(Evaluator):
    """Asks the averaged generator for the same samples from the same noise.

    Real images are looked at here, to compare with; unlearning itself uses none.
    """

    key_metrics = (
        "return",
        "balance",
        *OF_LABEL,
        "class_accuracy",
        "fid_retain",
        "precision",
        "recall",
    )
    trade_off = ("unlearning_accuracy", "class_accuracy")

    def __init__(self, env: UnlearningEnv, settings: EvaluatorSettings) -> None:
        super().__init__(env, settings)
        assert isinstance(env, SFDUnlearningEnv)
        self._task, self._process = env.task, env.process
        self._data = env.task.request(env.process.forget_label)
        self._drawer = Drawer(self._generate, self._data.forget_label, self._data.num_classes, settings)

    def _generate(self, model: UNet2DModel, labels: Tensor, generator: Generator) -> Tensor:
        """Draw an image for each label by one pass, whatever the settings say of steps."""
        process = self._process
        noise = torch.randn((len(labels), *self._data.forget.inputs.shape[1:]), generator=generator)
        noise = noise.to(process.device, process.dtype)
        return generate(model, process.trio.schedule, labels.to(process.device), noise)

    def metrics(self) -> tuple[str, ...]:
        """What samples show; losses of a generator are the divergences in the state."""
        return (*self.key_metrics[1:], "forget_probability", "forget_entropy", "passes_per_sample")

    def shares(self) -> tuple[str, ...]:
        """What the classifier counts."""
        return tuple(self.samples_of())

    def samples_of(self) -> dict[str, int]:
        """Return how many samples each share is one of."""
        others = len(self._drawer.labels) - self._drawer.of_label
        return dict.fromkeys(OF_LABEL, self._drawer.of_label) | {"class_accuracy": others}

    def notes(self) -> tuple[str, ...]:
        """Why there is no retrained row."""
        return (
            "What a generator that never knew the label would make under it is not defined, so that no retrained one "
            "is compared with.",
        )

    def data(self) -> UnlearningData:
        """Return the task's images, those of the forgotten label apart."""
        return self._data

    def subject(self, model: Any, seed: int) -> Subject:
        """See ``Evaluator.subject``; with samples."""
        return replace(super().subject(model, seed), samples=self._drawer.draw(model, seed))

    def measure(self, subject: Subject) -> Scores:
        """Measure the samples."""
        samples = subject.samples
        assert samples is not None
        seen, count, label = self._scores.see(samples), samples.of_label, self._process.forget_label
        logits = by_label(seen.logits, concept_labels(self._task.task.data))
        of_label, others = logits[:count], logits[count:]
        shares = of_label.double().softmax(1)
        rate, neither = share_called(of_label, label), share_called(of_label, self._data.num_classes)
        kept = class_accuracy(others, samples.labels[count:])
        precision, recall = precision_recall(self._real, seen.features[count:])
        overridden = 1.0 - rate - neither
        values = {
            "unlearning_accuracy": 1.0 - rate,
            "overridden": overridden,
            "neither_rate": neither,
            "class_accuracy": kept,
            "balance": balance(rate, max(overridden, 0.0), kept),
            "fid_retain": fid(self._real, seen.features[count:]),
            "precision": precision,
            "recall": recall,
            "forget_probability": float(shares[:, label].mean()),
            "forget_entropy": float(torch.special.entr(shares).sum(1).mean()),
            "passes_per_sample": 1.0,
        }
        classes = {"class_accuracy": self._by_class(logits, samples)}
        return Scores(values, pictures_of(samples, self._data.num_classes), classes, self.samples_of())

    def _by_class(self, logits: Tensor, samples: Samples) -> dict[str, float]:
        """Return the share of each label's samples that are recognised as that label, by the label's name."""
        rows = {name: samples.labels == label for label, name in self._data.class_names.items()}
        return {
            name: share_called(logits[row], label)
            for label, (name, row) in enumerate(rows.items())
            if row.any()
        }

    @cached_property
    def _scores(self) -> SampleScores:
        classifier = self._task.task.concepts().to(self._process.device).eval()
        return SampleScores(self._data, classifier, conditional=True, each=self.settings.class_samples)

    @cached_property
    def _real(self) -> Tensor:
        """Features of retain images that no model saw, shape (n, d)."""
        real = real_retain(self._data)
        return self._scores.see(Samples(real.inputs, real.labels, 0)).features
