"""One process's environment and evaluator, built once and used for many runs."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from unlearn_gym.envs.making import make_env
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.evaluators.base import Evaluator
from unlearn_gym.evaluation.evaluators.registry import make_evaluator
from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED, Entry, Experiment
from unlearn_gym.evaluation.records import Record
from unlearn_gym.evaluation.run import PASS_METRICS, RUN_METRICS, Run, network, put_back, rollout, warm_up
from unlearn_gym.methods.closed_form import ClosedForm
from unlearn_gym.metrics.glossary import look_up

Setting = tuple[str, dict[str, Any]]
"""Id and keywords of an environment."""
MOST_OTHERS = 4
"""Environments of other settings than the experiment's own that are kept for the next run."""


class Runner:
    """One process's environment and evaluator, built once and used for many runs.

    An entry with a setting of its own runs in an environment of its own, and is measured by the same evaluator. Where
    the setting follows the seed, environment and evaluator are built again at each seed.
    """

    env: gym.Env
    evaluator: Evaluator

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._own: Setting | None = None
        self._others: list[tuple[Setting, gym.Env]] = []
        self.go_to(experiment.seeds[0])

    def go_to(self, seed: int) -> None:
        """Go over to the experiment's own setting at a seed."""
        setting = self.experiment.setting(None, seed)
        if self._own is not None:
            if _same(self._own, setting):
                return
            self.env.close()
        self._own, self.env = setting, _opened(setting)
        self.evaluator = make_evaluator(self.env.unwrapped, self.experiment.evaluator)  # type: ignore[arg-type]

    def env_of(self, entry: Entry, seed: int) -> gym.Env:
        """Return the environment that an entry runs in at a seed; of other settings the last few are kept."""
        setting = self.experiment.setting(entry, seed)
        if _same(setting, self.experiment.setting(None, seed)):
            self.go_to(seed)
            return self.env
        place = next((k for k, (other, _) in enumerate(self._others) if _same(other, setting)), None)
        self._others.append((setting, _opened(setting)) if place is None else self._others.pop(place))
        if len(self._others) > MOST_OTHERS:
            self._others.pop(0)[1].close()
        return self._others[-1][1]

    def close(self) -> None:
        """Close the environments."""
        for env in (self.env, *(env for _, env in self._others)):
            env.close()
        self._others.clear()

    def rows(self) -> tuple[str, ...]:
        """Return the names of all rows: before, the agents, retrained (where there is such a model)."""
        agents = (entry.name for entry in self.experiment.entries)
        retrained = (RETRAINED,) if self.evaluator.retrained() is not None else ()
        return (BEFORE, *agents, *retrained)

    def metrics(self) -> tuple[str, ...]:
        """Return the names of what reports show, in the glossary's order.

        Raises:
            UserError: when the experiment asks for something that is not measured here.
        """
        passes = PASS_METRICS if network(self.env) is not None else ()
        names = (*RUN_METRICS, *passes, *self.evaluator.metrics(), *self.evaluator.registered)
        measured = tuple(look_up(names))
        for name in look_up(self.experiment.metrics):
            if name not in measured:
                raise UserError(
                    f"{self.experiment.env_id} does not measure {name!r}; choose from {', '.join(measured)}."
                )
        return tuple(look_up(self.experiment.metrics)) or measured

    def check(self) -> None:
        """Refuse what cannot run before the first run."""
        for entry in self.experiment.entries:
            self.check_entry(entry)

    def check_entry(self, entry: Entry) -> None:
        """Build an agent once and refuse it if it does not fit."""
        env = self.env_of(entry, self.experiment.seeds[0])
        agent = entry.make(env)
        if isinstance(agent, ClosedForm):
            return
        space = getattr(agent, "observation_space", None)
        if space is not None and space.shape != env.observation_space.shape:
            raise UserError(
                f"The agent {entry.name!r} expects observations of shape {space.shape}, but "
                f"{self.experiment.env_id} gives {env.observation_space.shape}; train it on this "
                "environment."
            )
        if not callable(getattr(agent, "predict", None)):
            raise UserError(
                f"The agent {entry.name!r} has no predict(observation, state, episode_start, "
                "deterministic); give it one as Stable-Baselines3 has it."
            )

    def _unlearn(self, entry: Entry, env: gym.Env, seed: int) -> Run | None:
        """Leave in an environment what an entry makes of its model; return its run, if it makes one."""
        if entry.unlearned is not None:
            put_back(env, entry.unlearned)
            return None
        agent = entry.make(env)
        if not isinstance(agent, ClosedForm):
            return rollout(env, agent, seed, self.experiment.deterministic)
        env.reset(seed=seed, options={"restore": True})
        agent.unlearn()
        return None

    def measure(self, name: str, seed: int) -> Record:
        """Make one run and measure what it left, or measure a reference."""
        self.go_to(seed)
        entry, run, env = self.experiment.entry(name), None, self.env
        if entry is not None:
            env = self.env_of(entry, seed)
            run = self._unlearn(entry, env, seed)
        if env is not self.env or entry is None:  # it measures on the data of this seed
            self.env.reset(seed=seed, options={"restore": True})
        references = {BEFORE: self.evaluator.before, RETRAINED: self.evaluator.retrained}
        model = references[name]() if name in references else self.evaluator.model(env.unwrapped)  # type: ignore[arg-type]
        scores = self.evaluator.score(model, seed, diverged=run is not None and run.diverged)
        values = scores.values | (run.values() if run else {})
        return Record(name, seed, values, run, scores.pictures, scores.classes, scores.trials, scores.details)


def _opened(setting: Setting) -> gym.Env:
    env = make_env(*setting)
    warm_up(env)
    return env


def _same(one: Setting, other: Setting) -> bool:
    """Say whether two settings are the same; arrays and tensors are if they are the same object."""
    try:
        return one == other
    except (RuntimeError, ValueError):  # what such objects raise when they are asked whether they are equal
        return False
