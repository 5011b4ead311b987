"""An evaluator measures the model that an unlearning run left behind; one small file a kind of environment."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from unlearn_gym.data.split import UnlearningData
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.errors import UserError
from unlearn_gym.metrics.attacks.conditions import CONDITIONS
from unlearn_gym.metrics.attacks.relearning import SOURCES
from unlearn_gym.metrics.attacks.rounding import BITS
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
        sampling_steps: DDIM steps a sample, or for another sampler the most evaluations of the network.
        probe: (image, timestep, noise) triples in each probe loss.
        likelihood: images of each side whose bits per dimension are measured; 0 for none.
        relearn: what models are fine-tuned on to see whether they relearn, of ``SOURCES``.
        rounding: bits that weights are rounded to, of ``BITS``.
        equal_retain: share of the original's quality on what is kept at which rows are compared; 0 for none.
        attack: what models are told in the place of a label, of ``CONDITIONS``.
    """

    samples: int = 500
    class_samples: int = 50
    sampling_steps: int = 25
    probe: int = 512
    likelihood: int = 0
    relearn: tuple[str, ...] = ()
    rounding: tuple[int, ...] = ()
    equal_retain: float = 0.0
    attack: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise UserError(f"{name}={getattr(self, name)} is too few; give at least {least}.")
        known: dict[str, tuple[object, ...]] = {
            "relearn": SOURCES,
            "rounding": BITS,
            "attack": tuple(CONDITIONS),
        }
        for name, allowed in known.items():
            given = getattr(self, name)
            for word in given:
                if word not in allowed or given.count(word) > 1:
                    raise UserError(
                        f"{name} has {word!r}; choose from {', '.join(map(str, allowed))}, each at most once."
                    )
        if not 0 <= self.equal_retain <= 1:
            raise UserError(
                f"equal_retain={self.equal_retain} is no share; give one from 0 to 1, such as 0.9."
            )


@dataclass(frozen=True)
class Scores:
    """What an evaluator found.

    Attributes:
        values: metric name → number, for every name in the evaluator's ``metrics``.
        pictures: title → images, uint8 of shape (n, height, width, channels), the same noise for every model;
            empty where there is nothing to show.
        classes: metric name → class name → number, of the samples of one class beside real images of that
            class; empty where models are not class-conditional.
        trials: share → number of independent samples that it was counted on.
        details: title → key → number, such as the curve of which a metric is the mean.
    """

    values: dict[str, float]
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    classes: dict[str, dict[str, float]] = field(default_factory=dict)
    trials: dict[str, int] = field(default_factory=dict)
    details: dict[str, dict[str, float]] = field(default_factory=dict)


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

    def shares(self) -> tuple[str, ...]:
        """Names of those that are shares of independent samples, whose number is in ``Scores.trials``."""
        return ()

    def unattackable(self, attack: str) -> str:
        """Return why an attack, one of ``attacks.ATTACKS``, cannot be made here, for a sentence; "" if it can."""
        return (
            f"nothing judges attacked models of {type(self.env).__name__} here; leave it out, or take a ready-made "
            "task or a classifier"
        )

    @abstractmethod
    def measure(self, subject: Subject) -> Scores:
        """Measure a model; every draw comes from the seed, so that models are compared on the same noise."""

    def data(self) -> UnlearningData | None:
        """Return what is to be forgotten and what to be kept; None where there are no data."""
        return getattr(self.env.process, "data", None)

    def subject(self, model: Any, seed: int) -> Subject:
        """Return what is measured: a model with what it is compared with."""
        return Subject(model, self.data(), self.retrained(), seed)

    def score(self, model: Any, seed: int, *, diverged: bool = False) -> Scores:
        """Measure a model: what this evaluator measures, and what is registered for its kind of environment.

        Args:
            model: what a run left, or a reference.
            seed: of every draw.
            diverged: whether that run diverged.
        """
        subject = replace(self.subject(model, seed), diverged=diverged)
        scores = self.measure(subject)
        values = {name: _value(name, metric, subject) for name, metric in self.registered.items()}
        return replace(scores, values=scores.values | values)

    def model(self, env: UnlearningEnv | None = None) -> Any:
        """Return what is measured of an environment, by default the evaluator's own: its network, as it is now."""
        process: Any = (env or self.env).process
        return process.model

    def before(self) -> Any:
        """Return the model before unlearning; the environment was just reset to it."""
        return self.model()

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
