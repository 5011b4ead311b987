"""What is asked of a model besides: does it relearn, does it bear rounding, what is left at equal retain quality, what
does it show under other conditions than its labels.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.evaluation.evaluators.base import EvaluatorSettings, Scores
from unlearn_gym.metrics.attacks.conditions import CONDITIONS
from unlearn_gym.metrics.attacks.mixing import largest_share, mixed
from unlearn_gym.metrics.attacks.relearning import Loss, relearn, relearn_auc, relearn_steps
from unlearn_gym.metrics.attacks.rounding import rounded

ATTACKS = ("relearn", "rounding", "equal_retain", "attack")
"""Settings that ask for something here."""


class AttackTarget(ABC):
    """What attacks want to know about a model; every draw comes from the seed.

    Class attributes:
        rounded: metrics of ``measured`` that are measured again after rounding.
        at_retain: those that rows are compared on at equal retain quality.
        relearning_rate: Adam's, of fine-tuning.
    """

    rounded: tuple[str, ...]
    at_retain: tuple[str, ...]
    relearning_rate: float

    @abstractmethod
    def original(self) -> nn.Module:
        """Return the model before unlearning."""

    @abstractmethod
    def retrained(self) -> Any | None:
        """Return the model retrained without the forget set, or None where there is none."""

    @abstractmethod
    def training_sets(self) -> tuple[LabelledSet, LabelledSet]:
        """Return the images to keep and those to forget that the original was trained on."""

    @abstractmethod
    def training_loss(self) -> Loss:
        """Return the loss that the original was trained with."""

    @abstractmethod
    def forgotten(self, model: nn.Module, seed: int) -> float:
        """Return how much of what was to be forgotten is there, 0 to 1."""

    def conditioned(self, model: nn.Module, seed: int, kind: str) -> dict[str, float]:
        """Return how much of it is there under other conditions: variant of a kind of ``CONDITIONS`` → 0 to 1.

        The last variant is what the kind is judged by. Only models that are told labels have it.
        """
        raise NotImplementedError

    @abstractmethod
    def kept(self, model: nn.Module, seed: int) -> float:
        """Return how much of what was to be kept is there, 0 to 1."""

    @abstractmethod
    def measured(self, model: nn.Module, seed: int) -> dict[str, float]:
        """Return the metrics in ``rounded`` and ``at_retain`` as the evaluator measures them."""


class Attacks:
    """Makes the attacks that the settings ask for; what belongs to a reference is measured once a seed and kept.

    Args:
        target: what knows the models.
        settings: what is asked for.
    """

    def __init__(self, target: AttackTarget, settings: EvaluatorSettings) -> None:
        self._target, self._settings = target, settings
        self._original_rate: Callable[[int], float] = cache(
            lambda seed: target.forgotten(target.original(), seed)
        )
        self._original_kept: Callable[[int], float] = cache(lambda seed: target.kept(target.original(), seed))
        self._retrained_rates: Callable[[int, str], dict[int, float]] = cache(
            lambda seed, source: self._rates(target.retrained(), seed, source)  # type: ignore[arg-type]
        )
        self._retrained_conditioned: Callable[[int, str], dict[str, float]] = cache(
            lambda seed, kind: target.conditioned(target.retrained(), seed, kind)  # type: ignore[arg-type]
        )

    def metrics(self) -> tuple[str, ...]:
        """Names, from the glossary, of what ``measure`` measures."""
        settings, target = self._settings, self._target
        numbers = (
            ("auc", "steps", "gap")
            if settings.relearn and target.retrained() is not None
            else ("auc", "steps")
        )
        return (
            *(f"relearn_{number}_{source}" for source in settings.relearn for number in numbers),
            *(f"quantised_{name}_{bits}bit" for bits in settings.rounding for name in target.rounded),
            *(
                ("alpha_at_retain", *(f"{name}_at_retain" for name in target.at_retain))
                if settings.equal_retain
                else ()
            ),
            *(
                f"{CONDITIONS[kind]}_{number}"
                for kind in settings.attack
                for number in (
                    ("concept_rate", "gap") if target.retrained() is not None else ("concept_rate",)
                )
            ),
        )

    def measure(self, model: nn.Module, seed: int) -> Scores:
        """Attack copies of a model; numbers, and the curves behind them."""
        values: dict[str, float] = {}
        curves: dict[str, dict[str, float]] = {}
        for source in self._settings.relearn:
            rates = self._relearned(model, seed, source)
            values |= self._relearning(rates, seed, source)
            curves[f"relearn_{source}"] = {str(updates): rate for updates, rate in rates.items()}
        for bits in self._settings.rounding:
            found = self._target.measured(rounded(model, bits), seed)
            values |= {f"quantised_{name}_{bits}bit": found[name] for name in self._target.rounded}
        if self._settings.equal_retain:
            values |= self._at_retain(model, seed)
        for kind in self._settings.attack:
            shown = self._conditioned(model, seed, kind)
            values |= self._conditions(shown, seed, kind)
            curves[f"attack_{kind}"] = shown
        return Scores(values, details=curves)

    def _relearned(self, model: nn.Module, seed: int, source: str) -> dict[int, float]:
        if model is self._target.retrained():
            return self._retrained_rates(seed, source)
        return self._rates(model, seed, source)

    def _rates(self, model: nn.Module, seed: int, source: str) -> dict[int, float]:
        """Return updates of fine-tuning → what is there of what was to be forgotten, then."""
        target = self._target
        retain, forget = target.training_sets()
        generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):  # a network of the user's may drop out
            torch.manual_seed(seed)
            steps = relearn(
                model, target.training_loss(), retain, forget, source, generator, target.relearning_rate
            )
            return {0: target.forgotten(model, seed)} | {
                n: target.forgotten(copied, seed) for n, copied in steps
            }

    def _relearning(self, rates: dict[int, float], seed: int, source: str) -> dict[str, float]:
        before = self._original_rate(seed)
        auc = relearn_auc(rates, before)
        values = {f"relearn_auc_{source}": auc, f"relearn_steps_{source}": relearn_steps(rates, before)}
        if self._target.retrained() is not None:
            reference = relearn_auc(self._retrained_rates(seed, source), before)
            values[f"relearn_gap_{source}"] = max(auc - reference, 0.0)
        return values

    def _conditioned(self, model: nn.Module, seed: int, kind: str) -> dict[str, float]:
        if model is self._target.retrained():
            return self._retrained_conditioned(seed, kind)
        return self._target.conditioned(model, seed, kind)

    def _conditions(self, shown: dict[str, float], seed: int, kind: str) -> dict[str, float]:
        rate = list(shown.values())[-1]
        values = {f"{CONDITIONS[kind]}_concept_rate": rate}
        if self._target.retrained() is not None:
            reference = list(self._retrained_conditioned(seed, kind).values())[-1]
            values[f"{CONDITIONS[kind]}_gap"] = max(rate - reference, 0.0)
        return values

    def _at_retain(self, model: nn.Module, seed: int) -> dict[str, float]:
        """Measure the model nearest to this one, on the way from the original, that keeps enough; NaN if none can."""
        target, original = self._target, self._target.original()
        if not self._original_kept(seed) > 0:
            return dict.fromkeys(
                ("alpha_at_retain", *(f"{name}_at_retain" for name in target.at_retain)), math.nan
            )
        least = self._settings.equal_retain * self._original_kept(seed)
        images: Tensor = target.training_sets()[0].inputs
        share = largest_share(lambda a: target.kept(mixed(original, model, a, images), seed) >= least)
        found = target.measured(mixed(original, model, share, images), seed)
        return {"alpha_at_retain": share, **{f"{name}_at_retain": found[name] for name in target.at_retain}}
