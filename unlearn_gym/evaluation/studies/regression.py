"""The regression headline: R² of wanted and unwanted points before and after EMSE."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from unlearn_gym.data.split import UnlearningData
from unlearn_gym.evaluation.run import rollout
from unlearn_gym.evaluation.studies import Train
from unlearn_gym.evaluation.studies.regression_figures import draw_study
from unlearn_gym.evaluation.studies.regression_records import (
    REAL,
    Problem,
    Row,
    Settings,
    Study,
    by_correlation,
    by_share,
    middle,
)
from unlearn_gym.evaluation.studies.regression_report import save_study
from unlearn_gym.metrics.regression import RegressionScores, regression_scores
from unlearn_gym.models.threads import one_thread
from unlearn_gym.processes.regression import RegressionProcess, fit_all, fit_wanted
from unlearn_gym.runtime.command_line import check
from unlearn_gym.storage.files import write_json

ENV_ID = "unlearn_gym/EMSE-Polynomial-v0"
TUNING_DRAW = 10_000
"""Draws from here on tune λ; the reported ones count from 0."""


@dataclass(frozen=True)
class Constant:
    """The agent of a static λ."""

    lam: float

    def predict(self, observation: np.ndarray, **_: Any) -> tuple[np.ndarray, None]:
        """Return λ."""
        return np.array([self.lam], dtype=np.float32), None


def run(values: Mapping[str, Any], output: Path, train: Train, command: str) -> list[Path]:
    """Make the study and write results.json, report.md and four pictures; returns the files.

    Args:
        values: fields of ``Settings``.
        output: folder of the report.
        train: trains the agent.
        command: the command line that repeats it.
    """
    settings = check(Settings, values, "settings of emse_polynomial")
    study = Study(settings)
    with one_thread():
        agents = _agents(settings, output, train)
        _tune(study)
        study.sweep = _static_runs(study, middle(settings), range(settings.draws), "sweep of λ")
        for problem in (*by_share(settings), *by_correlation(settings), REAL):
            _measure(study, problem, agents)
    results = output / "results.json"
    write_json(results, {"command": command, **asdict(settings), "best": study.best, **_dump(study)})
    pictures = draw_study(study, output)
    return [results, save_study(study, pictures, command, output), *(p.path for p in pictures)]


def _dump(study: Study) -> dict[str, Any]:
    return {"rows": [asdict(row) for row in study.rows], "sweep": [asdict(row) for row in study.sweep]}


def _environment(
    settings: Settings, problem: Problem, draw: int | None, objective: str, **more: Any
) -> gym.Env:
    return gym.make(
        ENV_ID,
        curves=problem.curves,
        curves_kwargs=problem.keywords,
        draw=draw,
        objective=objective,
        horizon=settings.horizon,
        lambda_range=tuple(settings.lambda_range),
        **more,
    )


def _agents(settings: Settings, output: Path, train: Train) -> dict[str, Any]:
    """Train one agent for each form of EMSE on freshly drawn problems of every share."""
    if not settings.agent:
        return {}
    every = Problem("all", "synthetic", {"unwanted_share": (min(settings.shares), max(settings.shares))})
    return {
        objective: train(
            settings.agent,
            _environment(settings, every, None, objective),
            settings.agent_steps,
            output / "agents" / f"{settings.agent}-{objective}-{settings.agent_steps}",
            settings.agent_hyperparameters,
        )
        for objective in settings.objectives
    }


def _tune(study: Study) -> None:
    """Choose each form's λ by the mean Fair R² on draws of their own."""
    draws = range(TUNING_DRAW, TUNING_DRAW + study.settings.tuning_draws)
    runs = _static_runs(study, middle(study.settings), draws, "tuning λ")
    for objective in study.settings.objectives:
        means = {
            lam: np.mean([r.scores.fair_r2 for r in runs if r.method == f"EMSE {objective}" and r.lam == lam])
            for lam in study.settings.lambdas
        }
        study.best[objective] = max(means, key=lambda lam: means[lam])


def _static_runs(study: Study, problem: Problem, draws: Iterable[int], title: str) -> list[Row]:
    settings = study.settings
    places = [(draw, objective, lam) for draw in draws for objective in settings.objectives
              for lam in settings.lambdas]  # fmt: skip
    rows = []
    for draw, objective, lam in tqdm(places, desc=title, unit="run"):
        process = _unlearn(settings, problem, draw, objective, Constant(lam))
        rows.append(Row(problem.name, draw, f"EMSE {objective}", lam, _scores(process.model, process.data)))
    return rows


def _unlearn(
    settings: Settings, problem: Problem, draw: int, objective: str, agent: Any
) -> RegressionProcess:
    """Run an agent once on one draw and return the process as it is then; a constant needs no state."""
    cheap = {"state": "lagged", "grad_norms": False} if isinstance(agent, Constant) else {}
    env = _environment(settings, problem, draw, objective, **cheap)
    rollout(env, agent, seed=draw)
    return env.unwrapped.process  # type: ignore[attr-defined]


def _measure(study: Study, problem: Problem, agents: Mapping[str, Any]) -> None:
    settings = study.settings
    for draw in tqdm(range(settings.draws), desc=problem.name, unit="draw"):
        chosen: dict[str, tuple[float | None, Any]] = {}
        for objective in settings.objectives:
            lam = study.best[objective]
            chosen[f"EMSE {objective}"] = (lam, (objective, Constant(lam)))
            if objective in agents:
                chosen[f"EMSE {objective}, {settings.agent}"] = (None, (objective, agents[objective]))
        done = {name: _unlearn(settings, problem, draw, *how) for name, (_, how) in chosen.items()}
        process = next(iter(done.values()))
        data, degree = process.data, process.curves.degree
        models: dict[str, tuple[float | None, nn.Module]] = {
            "before": (None, fit_all(data, degree)),
            **{name: (chosen[name][0], found.model) for name, found in done.items()},
            "refit": (None, fit_wanted(data, degree)),
        }
        study.rows += [
            Row(problem.name, draw, name, lam, _scores(model, data)) for name, (lam, model) in models.items()
        ]
        if draw == 0:
            after = f"EMSE {settings.objectives[0]}"
            shown = {name: models[name][1] for name in ("before", after, "refit")}
            study.fits[problem.name] = (data, shown)


@torch.no_grad()
def _scores(model: nn.Module, data: UnlearningData) -> RegressionScores:
    wanted, unwanted = data.retain_holdout, data.forget_holdout
    return regression_scores(wanted.labels, model(wanted.inputs), unwanted.labels, model(unwanted.inputs))
