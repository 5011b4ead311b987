"""One process's environment and evaluator, built once and used for many runs."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from unlearn_gym.envs.making import make_env
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.evaluators.base import Evaluator, EvaluatorSettings
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


class _Opened:
    """An environment with its evaluator, which is made while the environment is as it was."""

    def __init__(self, setting: Setting, settings: EvaluatorSettings) -> None:
        self.setting, self.env = setting, make_env(*setting)
        warm_up(self.env)
        self.evaluator: Evaluator = make_evaluator(self.env.unwrapped, settings)  # type: ignore[arg-type]


class Runner:
    """One process's environment and evaluator, built once and used for many runs.

    An entry with a setting of its own runs in an environment of its own, and is measured by the same evaluator. Where
    the setting follows the seed, environment and evaluator are built again at each seed.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self._others: list[_Opened] = []
        self._own = _Opened(experiment.setting(None, experiment.seeds[0]), experiment.evaluator)

    @property
    def env(self) -> gym.Env:
        """The environment of the experiment's own setting."""
        return self._own.env

    @property
    def evaluator(self) -> Evaluator:
        """The evaluator of that environment, which measures every row."""
        return self._own.evaluator

    def go_to(self, seed: int) -> None:
        """Go over to the experiment's own setting at a seed."""
        setting = self.experiment.setting(None, seed)
        if not _same(self._own.setting, setting):
            self._own.env.close()
            self._own = _Opened(setting, self.experiment.evaluator)

    def env_of(self, entry: Entry, seed: int) -> gym.Env:
        """Return the environment that an entry runs in at a seed."""
        return self._opened(entry, seed).env

    def _opened(self, entry: Entry, seed: int) -> _Opened:
        """Return what an entry runs in; of the settings that are not the experiment's own, the last few are kept."""
        setting = self.experiment.setting(entry, seed)
        if _same(setting, self._own.setting):
            return self._own
        found = next((each for each in self._others if _same(each.setting, setting)), None)
        if found is None:
            found = _Opened(setting, self.experiment.evaluator)
        else:
            self._others.remove(found)
        self._others.append(found)
        while len(self._others) > MOST_OTHERS:
            self._others.pop(0).env.close()
        return found

    def close(self) -> None:
        """Close the environments."""
        for opened in (self._own, *self._others):
            opened.env.close()
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
        entry, run, opened = self.experiment.entry(name), None, self._own
        if entry is not None:
            opened = self._opened(entry, seed)
            run = self._unlearn(entry, opened.env, seed)
        if opened is not self._own or entry is None:  # it measures on the data of this seed
            self.env.reset(seed=seed, options={"restore": True})
        references = {BEFORE: self.evaluator.before, RETRAINED: self.evaluator.retrained}
        model = references.get(name, opened.evaluator.model)()
        scores = self.evaluator.score(model, seed, diverged=run is not None and run.diverged)
        values = scores.values | (run.values() if run else {})
        return Record(name, seed, values, run, scores.pictures, scores.classes, scores.trials, scores.details)


def _same(one: Setting, other: Setting) -> bool:
    """Say whether two settings are the same; arrays and tensors are if they are the same object."""
    try:
        return one == other
    except (RuntimeError, ValueError):  # what such objects raise when they are asked whether they are equal
        return False
