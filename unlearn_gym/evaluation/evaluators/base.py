"""An evaluator measures the model that an unlearning run left behind; one small file a kind of environment."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.errors import UserError
from unlearn_gym.metrics.glossary import Metric
from unlearn_gym.metrics.subject import Subject
from unlearn_gym.models.modes import eval_mode

LEAST = {"samples": 2, "class_samples": 2, "sampling_steps": 1, "probe": 1, "likelihood": 0}
"""Setting → its smallest value."""


@dataclass(frozen=True)
class EvaluatorSettings:
    """How much is measured.

    Attributes:
        samples: generated samples of the forget label.
        class_samples: generated samples of each other label.
        sampling_steps: DDIM steps a sample.
        probe: (image, timestep, noise) triples in each probe loss.
        likelihood: images of each side whose bits per dimension are measured; 0 for none.
    """

    samples: int = 500
    class_samples: int = 50
    sampling_steps: int = 25
    probe: int = 512
    likelihood: int = 0

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise UserError(f"{name}={getattr(self, name)} is too few; give at least {least}.")


@dataclass(frozen=True)
class Scores:
    """What an evaluator found.

    Attributes:
        values: metric name → number, for every name in the evaluator's ``metrics``.
        pictures: title → images, uint8 of shape (n, height, width, channels), the same noise for every model;
            empty where there is nothing to show.
        classes: metric name → class name → number, of the samples of one class beside real images of that
            class; empty where models are not class-conditional.
    """

    values: dict[str, float]
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    classes: dict[str, dict[str, float]] = field(default_factory=dict)


class Evaluator(ABC):
    """Measures models of one environment; built once per process and asked many times.

    Class attributes name what reports put first: ``key_metrics`` (compared in words with the best static
    agent) and ``trade_off`` (a forget-side and a retain-side metric: the axes of the scatter).

    Args:
        env: the unwrapped environment.
        settings: how much to measure.

    Attributes:
        registered: name → metric of the glossary that is measured besides; see ``make_evaluator``.
    """

    key_metrics: tuple[str, ...]
    trade_off: tuple[str, str]

    def __init__(self, env: UnlearningEnv, settings: EvaluatorSettings) -> None:
        self.env, self.settings = env, settings
        self.registered: dict[str, Metric] = {}

    @abstractmethod
    def metrics(self) -> tuple[str, ...]:
        """Names, from the glossary, of what ``measure`` measures here."""

    @abstractmethod
    def measure(self, subject: Subject) -> Scores:
        """Measure a model; every draw comes from the seed, so that models are compared on the same noise."""

    def subject(self, model: Any, seed: int) -> Subject:
        """Return what is measured: a model with what it is compared with."""
        return Subject(model, getattr(self.env.process, "data", None), self.retrained(), seed)

    def score(self, model: Any, seed: int) -> Scores:
        """Measure a model: what this evaluator measures, and what is registered for its kind of environment."""
        subject = self.subject(model, seed)
        scores = self.measure(subject)
        values = {name: _value(name, metric, subject) for name, metric in self.registered.items()}
        return replace(scores, values=scores.values | values)

    @abstractmethod
    def model(self) -> Any:
        """Return the model as the environment has it now."""

    def examples(self) -> dict[str, np.ndarray]:
        """Return images of the training data to look at: title → uint8, (n, height, width, channels)."""
        return {}

    def samples_of(self) -> dict[str, int]:
        """Return metric → samples, of what is a share of samples that are drawn anew at each seed."""
        return {}

    def retrained(self) -> Any | None:
        """Return the model retrained without the forget set, or None where there is none."""
        return None

    def notes(self) -> tuple[str, ...]:
        """Say in sentences what cannot be measured here and why."""
        return ()


def _value(name: str, metric: Metric, subject: Subject) -> float:
    """Measure a registered metric.

    Raises:
        UserError: when it is no number.
    """
    assert metric.measure is not None
    mode = eval_mode(subject.model) if isinstance(subject.model, nn.Module) else contextlib.nullcontext()
    with mode, torch.no_grad():
        value = metric.measure(subject)
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"The metric {name!r} returned {value!r:.60}; return one number.") from error
