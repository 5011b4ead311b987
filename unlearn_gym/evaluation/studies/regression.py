"""The regression headline: R² of wanted and unwanted points before and after EMSE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jsonargparse.typing import NonNegativeFloat, OpenUnitInterval, PositiveInt

from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.studies import Pipeline, Rows
from unlearn_gym.methods.closed_form import CLOSED_FORMS

ENV_ID = "unlearn_gym/EMSE-Polynomial-v0"
TUNING_DRAW = 10_000
"""Draws from here on tune λ; the reported ones count from 0."""
REAL = "breast cancer"
METRICS = ("r2_wanted", "r2_unwanted", "r2_exp", "fair_r2")
CHEAP = {"state": "lagged", "grad_norms": False}
"""A constant needs no state."""


@dataclass(frozen=True)
class Settings:
    """What the study measures.

    Attributes:
        draws: problems that every number is a mean over.
        tuning_draws: other problems, on which the static λ is chosen.
        shares: shares of unwanted points.
        correlations: ρ of the dependence study, at ``middle_share``.
        middle_share: share of unwanted points of the sweep and of the dependence study.
        lambdas: static λ of the sweep; the best one of them is the static row.
        objectives: forms of EMSE.
        horizon: updates a run.
        lambda_range: λ that agents may choose.
        agent: the learning agent, or "" for none.
        agent_steps: environment steps that it is trained for, on freshly drawn problems.
        agent_hyperparameters: its hyperparameters.
        closed_forms: rows without λ: names in ``unlearn_gym.methods.closed_form.CLOSED_FORMS``.
    """

    draws: PositiveInt = 20
    tuning_draws: PositiveInt = 5
    shares: list[OpenUnitInterval] = field(default_factory=lambda: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    correlations: list[float] = field(default_factory=lambda: [0.0, 0.3, 0.6, 0.9])
    middle_share: OpenUnitInterval = 0.45
    lambdas: list[NonNegativeFloat] = field(default_factory=lambda: [0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4])
    objectives: list[str] = field(default_factory=lambda: ["linear", "likelihood"])
    horizon: PositiveInt = 100
    lambda_range: list[NonNegativeFloat] = field(default_factory=lambda: [0.0, 0.5])
    agent: str = "ppo"
    agent_steps: PositiveInt = 12_000
    agent_hyperparameters: dict[str, Any] = field(default_factory=dict)
    closed_forms: list[str] = field(default_factory=lambda: list(CLOSED_FORMS))

    def __post_init__(self) -> None:
        if self.draws < 2:
            raise UserError(f"draws={self.draws} gives no intervals; give at least 2.")
        if len(self.lambda_range) != 2:
            raise UserError(f"lambda_range={self.lambda_range} is not a range; give two numbers.")
        for name in ("shares", "correlations", "lambdas", "objectives"):
            if not getattr(self, name):
                raise UserError(f"{name} is empty; give at least one.")
        for name in self.closed_forms:
            if name not in CLOSED_FORMS:
                raise UserError(f"closed_forms has {name!r}; choose from {', '.join(CLOSED_FORMS)}.")


@dataclass(frozen=True)
class Study:
    """What was found.

    Attributes:
        settings: what was measured.
        best: form of EMSE → the λ that was best on the tuning draws.
        sweep: every λ at the middle share.
        shares: problem → results; the last one is the real one.
        correlations: the same of the dependence study.
    """

    settings: Settings
    best: dict[str, float]
    sweep: Results
    shares: dict[str, Results]
    correlations: dict[str, Results]


def measure(settings: Settings, pipeline: Pipeline) -> Study:
    """Choose the static λ on draws of their own, then measure everything on the reported draws."""
    middle = {"unwanted_share": settings.middle_share}
    updates = {"horizon": settings.horizon, "lambda_range": settings.lambda_range}

    def measured(rows: Rows, draws: range, curves: str = "synthetic", **keywords: float) -> Results:
        env_kwargs = {"curves": curves, "curves_kwargs": keywords, **updates}
        return pipeline.results(ENV_ID, env_kwargs, rows, seeds=tuple(draws), metrics=METRICS, seeded="draw")

    constants = {sweep_row(objective, lam): _constant(objective, lam)
                 for objective in settings.objectives for lam in settings.lambdas}  # fmt: skip
    tuned = measured(constants, range(TUNING_DRAW, TUNING_DRAW + settings.tuning_draws), **middle)
    best = {objective: _best(tuned, objective, settings.lambdas) for objective in settings.objectives}
    draws, rows = range(settings.draws), _rows(settings, best)
    by_share = {
        f"{share:.0%} unwanted": measured(rows, draws, unwanted_share=share) for share in settings.shares
    }
    return Study(
        settings,
        best,
        sweep=measured(constants, draws, **middle),
        shares={**by_share, REAL: measured(rows, draws, "breast_cancer")},
        correlations={
            f"ρ = {rho:g}": measured(rows, draws, **middle, correlation=rho) for rho in settings.correlations
        },
    )


def sweep_row(objective: str, lam: float) -> str:
    """Return the name of a constant λ among all of them."""
    return f"EMSE {objective}, λ = {lam:g}"


def _best(tuned: Results, objective: str, lambdas: Sequence[float]) -> float:
    """Return the λ with the best mean Fair R²."""
    name = tuned.best_static("fair_r2", objective)
    if name is None:
        raise UserError(f"Every λ of EMSE {objective} diverged on a tuning draw; give smaller lambdas.")
    return next(lam for lam in lambdas if sweep_row(objective, lam) == name)


def _constant(objective: str, lam: float) -> dict[str, Any]:
    env_kwargs = {"objective": objective, **CHEAP}
    return {"agent": f"static:{lam}", "group": objective, "env_kwargs": env_kwargs}


def _rows(settings: Settings, best: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Return each form of EMSE at its best λ, and steered by the agent, trained on fresh problems of every share; and
    what needs no λ.
    """
    every = {"unwanted_share": [min(settings.shares), max(settings.shares)]}
    training = {
        "total_timesteps": settings.agent_steps,
        "hyperparameters": settings.agent_hyperparameters,
        "env_kwargs": {"curves": "synthetic", "curves_kwargs": every, "draw": None},
    }
    rows: dict[str, dict[str, Any]] = {}
    for objective, lam in best.items():
        rows[f"EMSE {objective}"] = _constant(objective, lam)
        if settings.agent:
            rows[f"EMSE {objective}, {settings.agent}"] = {
                "agent": settings.agent,
                "group": objective,
                "env_kwargs": {"objective": objective},
                "train": training,
            }
    return rows | {name: {"agent": name} for name in settings.closed_forms}
