"""Whom a forgotten class is to look like: the override of score forgetting distillation, by name."""

from __future__ import annotations

from collections.abc import Callable

from unlearn_gym.objectives.sfd.base import Override
from unlearn_gym.objectives.sfd.overrides import Classifier, Fixed, Random
from unlearn_gym.objectives.sfd.posterior import Posterior

OVERRIDES: dict[str, Callable[..., Override]] = {
    "fixed": Fixed,
    "random": Random,
    "classifier": Classifier,
    "posterior": Posterior,
}
"""Name → class; the keywords of its constructor are ``override_kwargs``. A new one is one line here."""
