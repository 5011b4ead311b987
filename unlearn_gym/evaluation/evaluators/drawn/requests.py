"""The evaluator of deletion requests: what samples show of the request that the environment has at the moment."""

from __future__ import annotations

import numpy as np
import torch
from diffusers.models.unets.unet_2d import UNet2DModel

from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.requests.diffusion import DiffusionRequestsEnv
from unlearn_gym.evaluation.evaluators.base import Evaluator, EvaluatorSettings, Scores
from unlearn_gym.metrics.outcomes.outcome import SampleSizes, outcome
from unlearn_gym.metrics.subject import Subject

SHOWN = 20


class RequestsEvaluator(Evaluator):
    """Draws samples of every label and compares them with the original model's from the same noise."""

    key_metrics = ("outcome", "forgotten", "label_kept", "others_kept", "return")
    trade_off = ("forgotten", "label_kept")

    def __init__(self, env: UnlearningEnv, settings: EvaluatorSettings) -> None:
        super().__init__(env, settings)
        assert isinstance(env, DiffusionRequestsEnv)
        self._env = env
        self._meter = env.outcome_meter(
            SampleSizes(settings.samples, settings.class_samples, settings.sampling_steps)
        )

    def metrics(self) -> tuple[str, ...]:
        """The outcome and what it is made of."""
        return ("outcome", "forgotten", "label_kept", "others_kept", "neither_rate")

    def model(self) -> UNet2DModel:
        """Return the network as it is now."""
        return self._env.process.model

    def measure(self, subject: Subject) -> Scores:
        """Measure the outcome of the current request; that of a run that diverged is 0."""
        env, shown = self._env, self._env.asked.shown
        labels = self._meter.labels(shown)
        images = self._meter.draw(subject.model, labels, subject.seed)
        after = self._meter.shares(images, labels)
        found = outcome(self._meter.before(shown, subject.seed), after, shown)
        ruined = env.diverged and subject.model is self.model()
        neither = [float(after[label][-1]) for label in shown.forgotten]
        values = {
            **vars(found),
            "outcome": 0.0 if ruined else found.score,
            "neither_rate": sum(neither) / len(neither),
        }
        return Scores(values, {"forget label": _pixels(images[:SHOWN])}, details={env.request.name: values})

    def notes(self) -> tuple[str, ...]:
        """There is no model retrained without each request."""
        return (
            "Every request has another retrained model; none was made: rows are compared with each other.",
        )


def _pixels(images: torch.Tensor) -> np.ndarray:
    """Turn images in [-1, 1] into uint8 of shape (n, height, width, channels)."""
    return ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
