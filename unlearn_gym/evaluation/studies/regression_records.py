"""What the regression study measures, and what it found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jsonargparse.typing import NonNegativeFloat, OpenUnitInterval, PositiveInt
from torch import nn

from unlearn_gym.data.split import UnlearningData
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.statistics import Summary, summarize
from unlearn_gym.metrics.regression import RegressionScores

SCORES = ("r2_wanted", "r2_unwanted", "fair_r2")


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

    def __post_init__(self) -> None:
        if self.draws < 2:
            raise UserError(f"draws={self.draws} gives no intervals; give at least 2.")
        if len(self.lambda_range) != 2:
            raise UserError(f"lambda_range={self.lambda_range} is not a range; give two numbers.")
        for name in ("shares", "correlations", "lambdas", "objectives"):
            if not getattr(self, name):
                raise UserError(f"{name} is empty; give at least one.")


@dataclass(frozen=True)
class Problem:
    """One kind of problem: a name for tables, and the keywords of its curves."""

    name: str
    curves: str
    keywords: dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One model on one draw of a problem.

    Attributes:
        problem: name of the kind of problem.
        draw: its number.
        method: "before", "refit", "EMSE linear", "EMSE linear, ppo", …
        lam: the constant λ; None where there is none.
        scores: on held-out points.
    """

    problem: str
    draw: int
    method: str
    lam: float | None
    scores: RegressionScores


@dataclass
class Study:
    """Settings with everything that was found.

    Attributes:
        settings: what was measured.
        rows: the reported runs.
        sweep: runs of every λ on the middle problem.
        best: form of EMSE → the λ that was best on the tuning draws.
        fits: problem → its data on draw 0, and the curves before, after and refitted.
    """

    settings: Settings
    rows: list[Row] = field(default_factory=list)
    sweep: list[Row] = field(default_factory=list)
    best: dict[str, float] = field(default_factory=dict)
    fits: dict[str, tuple[UnlearningData, dict[str, nn.Module]]] = field(default_factory=dict)

    def summary(self, problem: str, method: str, score: str) -> Summary:
        """Summarise one number over the draws."""
        return summarize([getattr(row.scores, score) for row in self.rows_of(problem, method)])

    def rows_of(self, problem: str, method: str) -> list[Row]:
        """Return the rows of one method on one problem, draw by draw."""
        return [row for row in self.rows if (row.problem, row.method) == (problem, method)]

    def methods(self) -> list[str]:
        """Return the names of the methods, in the order of the rows."""
        return list(dict.fromkeys(row.method for row in self.rows))


def by_share(settings: Settings) -> list[Problem]:
    """Return the synthetic problems of the headline."""
    return [
        Problem(f"{share:.0%} unwanted", "synthetic", {"unwanted_share": share}) for share in settings.shares
    ]


def by_correlation(settings: Settings) -> list[Problem]:
    """Return the problems of the dependence study."""
    return [
        Problem(f"ρ = {rho:g}", "synthetic", {"unwanted_share": settings.middle_share, "correlation": rho})
        for rho in settings.correlations
    ]


def middle(settings: Settings) -> Problem:
    """Return the problem that λ is tuned on and swept on."""
    return Problem("middle", "synthetic", {"unwanted_share": settings.middle_share})


REAL = Problem("breast cancer", "breast_cancer", {})
