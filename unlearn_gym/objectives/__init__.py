"""Unlearning objectives by name. A new one is one file and one line in a registry below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from unlearn_gym.errors import UserError
from unlearn_gym.objectives.base import Objective
from unlearn_gym.objectives.emse import LikelihoodEMSE, LinearEMSE
from unlearn_gym.objectives.erasediff import EraseDiff
from unlearn_gym.objectives.naive import NaiveDeletion
from unlearn_gym.objectives.neggrad import NegGrad
from unlearn_gym.objectives.posterior import Posterior
from unlearn_gym.objectives.siss import SISS
from unlearn_gym.objectives.weighted import Weighted


@dataclass(frozen=True)
class DiffusionSettings:
    """What an objective of a diffusion process may depend on; the keywords of the environment."""

    n: int
    k: int
    superfactor: float
    dataset_factors: str
    x_from: str
    forget_scaling: str
    forget_norm: float
    forget_cap: float
    erasediff_eta: float


@dataclass(frozen=True)
class SupervisedSettings:
    """What an objective of a supervised process may depend on; the keywords of the environment."""

    sigma: float
    strength: float


def _siss(settings: DiffusionSettings) -> Objective:
    return SISS(
        settings.n,
        settings.k,
        superfactor=settings.superfactor,
        dataset_factors=settings.dataset_factors,
        x_from=settings.x_from,
        forget_scaling=settings.forget_scaling,
        forget_norm=settings.forget_norm,
    )


DIFFUSION_OBJECTIVES: dict[str, Callable[[DiffusionSettings], Objective]] = {
    "siss": _siss,
    "weighted": lambda settings: Weighted(settings.forget_cap),
    "naive": lambda settings: NaiveDeletion(),
    "neggrad": lambda settings: NegGrad(),
    "erasediff": lambda settings: EraseDiff(settings.erasediff_eta),
    "posterior": lambda settings: Posterior(),
}


SUPERVISED_OBJECTIVES: dict[str, Callable[[SupervisedSettings], Objective]] = {
    "linear": lambda settings: LinearEMSE(),
    "likelihood": lambda settings: LikelihoodEMSE(settings.sigma, settings.strength),
}


def make_diffusion_objective(name: str, settings: DiffusionSettings) -> Objective:
    """Return the objective registered under ``name``."""
    if name not in DIFFUSION_OBJECTIVES:
        known = ", ".join(sorted(DIFFUSION_OBJECTIVES))
        raise UserError(f"objective={name!r} is not known; choose one of {known}.")
    return DIFFUSION_OBJECTIVES[name](settings)


def make_supervised_objective(name: str, settings: SupervisedSettings) -> Objective:
    """Return the form of EMSE registered under ``name``."""
    if name not in SUPERVISED_OBJECTIVES:
        known = ", ".join(sorted(SUPERVISED_OBJECTIVES))
        raise UserError(f"objective={name!r} is not known; choose one of {known}.")
    return SUPERVISED_OBJECTIVES[name](settings)
