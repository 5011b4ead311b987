"""Unlearning objectives by name. A new one is one file and one line in a registry below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from unlearn_gym.errors import UserError
from unlearn_gym.objectives.base import Objective
from unlearn_gym.objectives.classifiers.demote import Demote
from unlearn_gym.objectives.classifiers.preference import (
    ClassifierDiPO,
    ClassifierDPO,
    ClassifierNPO,
    ClassifierSimNPO,
)
from unlearn_gym.objectives.classifiers.probability import ClassifierFLAT, GeneralisedCE
from unlearn_gym.objectives.emse import LikelihoodEMSE, LinearEMSE
from unlearn_gym.objectives.erasediff import EraseDiff
from unlearn_gym.objectives.naive import NaiveDeletion
from unlearn_gym.objectives.neggrad import NegGrad
from unlearn_gym.objectives.posterior import Posterior
from unlearn_gym.objectives.preference import DPO, NPO, SimNPO
from unlearn_gym.objectives.siss import SISS
from unlearn_gym.objectives.siss_ablations import Bernoulli, SISSWithoutSampling
from unlearn_gym.objectives.two_gradients import RULES
from unlearn_gym.objectives.vae.preference import BoundNPO
from unlearn_gym.objectives.vae.redirect import Redirect
from unlearn_gym.objectives.weighted import Weighted
from unlearn_gym.runtime.registered import make_part

DIFFUSION_OBJECTIVES: dict[str, Callable[..., Objective]] = {
    "siss": SISS,
    "weighted": Weighted,
    "naive": NaiveDeletion,
    "neggrad": NegGrad,
    "erasediff": EraseDiff,
    "posterior": Posterior,
    "siss_no_is": SISSWithoutSampling,
    "bernoulli": Bernoulli,
    "npo": NPO,
    "simnpo": SimNPO,
    "dpo": DPO,
    **RULES,
}
"""Name → class; the keywords of its constructor are its hyperparameters."""

VAE_OBJECTIVES: dict[str, Callable[..., Objective]] = {
    "weighted": Weighted,
    "naive": NaiveDeletion,
    "neggrad": NegGrad,
    "redirect": Redirect,
    "npo": BoundNPO,
    **RULES,
}
"""Those whose two errors a VAE has; mixtures of noised images are not among them."""

REGRESSION_OBJECTIVES: dict[str, Callable[..., Objective]] = {
    "linear": LinearEMSE,
    "likelihood": LikelihoodEMSE,
}

SUPERVISED_OBJECTIVES: dict[str, Callable[..., Objective]] = {
    **REGRESSION_OBJECTIVES,
    "demote": Demote,
    "npo": ClassifierNPO,
    "simnpo": ClassifierSimNPO,
    "dpo": ClassifierDPO,
    "dipo": ClassifierDiPO,
    "gce": GeneralisedCE,
    "flat": ClassifierFLAT,
}
"""Those of regressions and those of classifiers alone."""


def make_objective(
    objective: str | Objective,
    registry: Mapping[str, Callable[..., Objective]],
    hyperparameters: Mapping[str, Any],
) -> Objective:
    """Return the objective that a name stands for, or a copy of an instance.

    Raises:
        UserError: on an unknown name or hyperparameter, or one beside an instance.
    """
    made = make_part("objective", objective, registry, hyperparameters)
    if not isinstance(made, Objective):
        raise UserError(f"objective={objective!r:.80} makes no Objective; see unlearn_gym.objectives.base.")
    return made


def make_diffusion_objective(objective: str | Objective, **hyperparameters: Any) -> Objective:
    """Return an objective of a diffusion process; see ``make_objective``."""
    return make_objective(objective, DIFFUSION_OBJECTIVES, hyperparameters)


def make_supervised_objective(objective: str | Objective, **hyperparameters: Any) -> Objective:
    """Return a form of EMSE; see ``make_objective``."""
    return make_objective(objective, SUPERVISED_OBJECTIVES, hyperparameters)
