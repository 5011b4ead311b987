"""Learning from logged deletion requests beside learning by acting, with as many interactions: one report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonargparse.typing import PositiveInt

from unlearn_gym.data.requests.ready import ready
from unlearn_gym.envs.making import full_id
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import trajectories
from unlearn_gym.evaluation.evaluators.base import EvaluatorSettings
from unlearn_gym.evaluation.execution import evaluate
from unlearn_gym.evaluation.experiment import Experiment
from unlearn_gym.evaluation.report.publish import publish as publish_experiment
from unlearn_gym.evaluation.studies import Pipeline
from unlearn_gym.evaluation.studies.requests.study import (
    FIRST,
    METRICS,
    TUNING,
    UNPAID,
    TableSettings,
    drawn,
    seeds_of,
    trainings,
)
from unlearn_gym.runtime.command_line import check

LITTLE = EvaluatorSettings(samples=2, class_samples=2, sampling_steps=2, probe=2)
"""What is measured of the logged runs, beside their reward."""


@dataclass(frozen=True, kw_only=True)
class Settings(TableSettings):
    """What the study does.

    Attributes:
        env: id of an environment with requests.
        dataset: name of the Minari data set of the logged episodes.
        env_kwargs: keywords of the environment.
        requests: a ready-made set of requests: ``train`` is logged and trained on, ``test`` compared on.
        behaviours: agents that log.
        episodes: of each of them, each on another seed.
        constants: agents without learning, beside which the learned ones are compared.
        learners: name → keys of ``unlearn-gym train`` (``agent``, …); those without a ``dataset`` act for as many
            steps as were logged.
    """

    env: str
    dataset: str
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    requests: str = "intruders"
    behaviours: list[str] = field(default_factory=lambda: ["random_constant", "walk", "random_policy"])
    episodes: PositiveInt = 67
    constants: list[str] = field(default_factory=lambda: ["static:0.12", "static:0.2", "static:0.35"])
    learners: dict[str, dict[str, Any]] = field(default_factory=dict)
    seeds: PositiveInt = 1


def publish(values: Mapping[str, Any], pipeline: Pipeline) -> list[Path]:
    """Log, learn, compare, and write the report of an evaluation; returns the data set's folder.

    Args:
        values: fields of ``Settings``.
        pipeline: how its experiments are made.
    """
    settings = check(Settings, values, "settings of offline")
    if not settings.learners:
        raise UserError(
            "learners is empty; give at least one, such as IQL: {agent: iql, dataset: …, total_timesteps: 20000}."
        )
    env, requests = full_id(settings.env), ready(settings.requests)
    train, test = requests.split("train"), requests.split("test")
    on_train = {**settings.env_kwargs, "requests": settings.requests, "split": "train"}

    # The behaviours meet train requests, each run another; little is measured of what they leave.
    behaviours = pipeline.lineup(env, on_train, {name: {"agent": name} for name in settings.behaviours}, "")
    logging = Experiment(
        env, behaviours, _seeds(settings.episodes, len(train)), on_train, LITTLE, metrics=("return",)
    )
    trajectories.check(logging, settings.dataset)
    logged = evaluate(logging, pipeline.output, pipeline.jobs)
    folders = list(trajectories.write(logged, settings.dataset))
    steps = sum(len(run.rewards) for name in settings.behaviours for run in logged.runs(name))

    # Some learn from what they logged, the others by acting for as many updates.
    learners = {
        name: row if "dataset" in row else {"total_timesteps": steps, **row}
        for name, row in settings.learners.items()
    }
    constants = {name: {"agent": name} for name in settings.constants}
    rows = {**constants, **trainings(learners, settings.training_seeds)}
    entries = pipeline.lineup(env, on_train, rows, "")

    # All are compared once, on requests that nothing has met.
    met = drawn(len(test), settings.test_requests)
    experiment = Experiment(
        env,
        entries,
        seeds_of(met, len(test), settings.seeds, FIRST),
        {**settings.env_kwargs, "requests": settings.requests, "split": "test", **UNPAID},
        settings.evaluator,
        metrics=METRICS,
    )
    publish_experiment(experiment, pipeline.output, pipeline.jobs, pipeline.command)
    return folders


def _seeds(episodes: int, requests: int) -> tuple[int, ...]:
    """Return seeds that meet all requests as often as there are episodes for, and some of them once more."""
    turns, rest = divmod(episodes, requests)
    all_of_them = seeds_of(range(requests), requests, turns, TUNING)
    some = seeds_of(drawn(requests, rest), requests, 1, turns * requests) if rest else ()
    return (*all_of_them, *some)
