"""What is tuned on the train requests and measured once on the test requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from jsonargparse.typing import NonNegativeInt, PositiveInt

from unlearn_gym.data.requests.ready import ready
from unlearn_gym.data.requests.request import Request
from unlearn_gym.envs.making import full_id, make_env
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.evaluators.base import EvaluatorSettings
from unlearn_gym.evaluation.experiment import Entry
from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.studies import Pipeline
from unlearn_gym.evaluation.studies.requests.statistics import Table, best, oracle, table
from unlearn_gym.runtime.checks import one_of

TUNING, FIRST = 0, 100_000
"""Where the seeds of tuning and of the final table begin."""
METRICS = ("outcome", "forgotten", "label_kept", "others_kept", "neither_rate")
UNPAID = {"reward": "loss", "reward_kwargs": {}}
"""The reward of a run that is measured: one that looks at samples would draw them twice."""


@dataclass(frozen=True)
class Problem:
    """One objective, or the same in another setting.

    Attributes:
        env: id of an environment with requests.
        env_kwargs: its keywords.
        requests: a ready-made set of requests.
        constants: λ of the constants; under ``control``, λ and a factor of the learning rate, as ``0.5:2``.
        schedules: words of agents that follow t/T.
        controllers: words of agents that follow the losses.
        learners: name → keys of ``unlearn-gym train`` (``agent``, ``total_timesteps``, …), for the train requests;
            their ``env_kwargs``, what they see and set, are on top of the problem's, also on the test requests.
        transfer: ready-made set of requests to other models → runs of every row on each of its test requests.
    """

    env: str
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    requests: str = "intruders"
    constants: list[float | str] = field(default_factory=list)
    schedules: list[str] = field(default_factory=list)
    controllers: list[str] = field(default_factory=list)
    learners: dict[str, dict[str, Any]] = field(default_factory=dict)
    transfer: dict[str, PositiveInt] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.constants:
            raise UserError(
                "constants is empty; give at least one λ, for rows are compared with the best of them."
            )

    def rows(self) -> dict[str, dict[str, str]]:
        """Return kind → name of a row → its agent, of what needs no training."""
        return {
            "constant": {_title(constant): f"static:{constant}" for constant in self.constants},
            "schedule": {word: word for word in self.schedules},
            "controller": {word: word for word in self.controllers},
        }


def _title(constant: float | str) -> str:
    lam, _, factor = str(constant).partition(":")
    return f"λ = {lam}" + (f", rate × {factor}" if factor else "")


@dataclass(frozen=True, kw_only=True)
class TableSettings:
    """How a table of test requests is made.

    Attributes:
        test_requests: test requests of the table, drawn from all; 0 for all.
        seeds: runs of every row on each test request.
        samples: of each label of which something is to be forgotten.
        class_samples: of each other label.
        sampling_steps: DDIM steps a sample.
        training_seeds: trainings of every learner, each from another seed.
    """

    test_requests: NonNegativeInt = 0
    seeds: PositiveInt = 3
    samples: PositiveInt = 80
    class_samples: PositiveInt = 12
    sampling_steps: PositiveInt = 8
    training_seeds: PositiveInt = 2

    @property
    def evaluator(self) -> EvaluatorSettings:
        """How much is measured after each run."""
        return EvaluatorSettings(self.samples, self.class_samples, self.sampling_steps)


@dataclass(frozen=True, kw_only=True)
class Settings(TableSettings):
    """What the study measures.

    Attributes:
        problems: name → objective and rows.
        only: names of the problems to measure; all if empty.
        tuning_requests: train requests that rows are tuned on, drawn from all; 0 for all.
        tuning_seeds: runs of every row on each of them.
    """

    problems: dict[str, dict[str, Any]]
    only: list[str] = field(default_factory=list)
    tuning_requests: NonNegativeInt = 0
    tuning_seeds: PositiveInt = 1

    def __post_init__(self) -> None:
        if not self.problems:
            raise UserError("problems is empty; give at least one, with env and constants.")
        for name in self.only:
            one_of("only", name, self.problems)


@dataclass(frozen=True)
class Found:
    """What was found on one problem.

    Attributes:
        problem: what was compared.
        requests: the test requests, in the order of the seeds.
        chosen: kind → the row that was best on the train requests.
        learned: names of the learned rows.
        tuning: results on the train requests.
        results: results on the test requests.
        transfers: ready-made set → the same, of the same rows, on its test requests.
    """

    problem: Problem
    requests: tuple[Request, ...]
    chosen: dict[str, str]
    learned: tuple[str, ...]
    tuning: Results
    results: Results
    transfers: dict[str, Found] = field(default_factory=dict)

    @cached_property
    def outcomes(self) -> dict[str, Table]:
        """Row → outcomes on the test requests."""
        return {name: self.table(name, "outcome") for name in self.results.names if name != "before"}

    def table(self, name: str, metric: str) -> Table:
        """Return a row's numbers on the test requests."""
        return table(self.results, name, metric, len(self.requests))

    @cached_property
    def oracle(self) -> np.ndarray:
        """The best constant of each request, in hindsight, (requests,)."""
        return oracle([self.outcomes[name] for name in self.problem.rows()["constant"]])


def measure(
    settings: Settings, problems: Mapping[str, Problem], pipeline: Pipeline
) -> Iterator[tuple[str, Found]]:
    """Tune, train and compare on one problem after the other; yields each as soon as it is done.

    Raises:
        UserError: before any run, if the data or models of one are not at hand, or keywords are wrong.
    """
    for problem in problems.values():
        wanted = [{"requests": requests} for requests in (problem.requests, *problem.transfer)]
        wanted += [{"requests": problem.requests, **_seen(values)} for values in problem.learners.values()]
        for keywords in wanted:
            make_env(
                full_id(problem.env), {**problem.env_kwargs, **UNPAID, "split": "test", **keywords}
            ).close()
    for name, problem in problems.items():
        yield name, _measure(settings, name, problem, pipeline)


def _measure(settings: Settings, name: str, problem: Problem, pipeline: Pipeline) -> Found:
    requests, env = ready(problem.requests), full_id(problem.env)
    train, test = requests.split("train"), requests.split("test")
    tuned_on = drawn(len(train), settings.tuning_requests)
    compared_on = drawn(len(test), settings.test_requests)

    def measured(
        entries: tuple[Entry, ...], seeds: tuple[int, ...], split: str, of: str = problem.requests
    ) -> Results:
        env_kwargs = {**problem.env_kwargs, "requests": of, "split": split, **UNPAID}
        more = {"seeds": seeds, "metrics": METRICS, "evaluator": settings.evaluator}
        return pipeline.measure(env, env_kwargs, entries, **more)

    # Everything without learning is tuned on the train requests.
    kinds = problem.rows()
    plain = {row: {"agent": agent} for rows in kinds.values() for row, agent in rows.items()}
    fixed = pipeline.lineup(env, {}, plain, name)
    tuning = measured(fixed, seeds_of(tuned_on, len(train), settings.tuning_seeds, TUNING), "train")
    tuned = {row: table(tuning, row, "outcome", len(tuned_on)) for row in plain}
    chosen = {kind: best({row: tuned[row] for row in rows}) for kind, rows in kinds.items() if rows}

    # The learners are trained there, each several times.
    on_train = {**problem.env_kwargs, "requests": problem.requests, "split": "train"}
    learned = pipeline.lineup(env, on_train, trainings(problem.learners, settings.training_seeds), name)

    # The table is made once, on requests that nothing has met; what is in it then meets other models.
    final = tuple(one for one in fixed if one.name in kinds["constant"] or one.name in chosen.values())
    final += learned
    names = tuple(one.name for one in learned)
    seeds = seeds_of(compared_on, len(test), settings.seeds, FIRST)
    results = measured(final, seeds, "test")
    found = Found(problem, tuple(test[k] for k in compared_on), chosen, names, tuning, results)
    for other, repeats in problem.transfer.items():
        asked = ready(other).split("test")
        met = drawn(len(asked), settings.test_requests)
        results = measured(final, seeds_of(met, len(asked), repeats, FIRST), "test", other)
        found.transfers[other] = replace(
            found, requests=tuple(asked[k] for k in met), results=results, transfers={}
        )
    return found


def trainings(learners: Mapping[str, Mapping[str, Any]], seeds: int) -> dict[str, dict[str, Any]]:
    """Return the rows of learners, each trained from so many seeds."""
    return {
        name if not seed else f"{name}, training {seed + 1}": {
            "agent": values["agent"],
            "kind": "learned",
            "env_kwargs": _seen(values),
            "train": {**values, "seed": seed},
        }
        for name, values in learners.items()
        for seed in range(seeds)
    }


def _seen(learner: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of a learner's environment that its final runs have too: all but what it was paid by."""
    return {key: value for key, value in learner.get("env_kwargs", {}).items() if key not in UNPAID}


def drawn(count: int, wanted: int) -> list[int]:
    """Return numbers of requests in their order, drawn at random from all there are; all of them for 0."""
    chosen = np.random.default_rng(0).permutation(count)[: wanted or count]
    return sorted(chosen.tolist())


def seeds_of(numbers: Sequence[int], count: int, repeats: int, first: int) -> tuple[int, ...]:
    """Return the seeds from ``first`` on at which an environment of ``count`` requests has these, in turn."""
    start = -(-first // count) * count
    return tuple(start + turn * count + number for turn in range(repeats) for number in numbers)
