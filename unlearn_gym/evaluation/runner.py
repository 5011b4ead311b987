"""One process's environment and evaluator, built once and used for many runs."""

from __future__ import annotations

import gymnasium as gym

from unlearn_gym.envs.making import make_env
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.evaluators.registry import make_evaluator
from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED, Entry, Experiment
from unlearn_gym.evaluation.records import Record
from unlearn_gym.evaluation.run import PASS_METRICS, RUN_METRICS, network, rollout, warm_up
from unlearn_gym.metrics.glossary import look_up


class Runner:
    """One process's environment and evaluator, built once and used for many runs.

    An entry with a setting of its own runs in an environment of its own, and is judged by the same evaluator.
    """

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.env = make_env(experiment.env_id, experiment.env_kwargs)
        warm_up(self.env)
        self.evaluator = make_evaluator(self.env.unwrapped, experiment.evaluator)  # type: ignore[arg-type]
        self._other: tuple[str, gym.Env] | None = None

    def env_of(self, entry: Entry) -> gym.Env:
        """Return the environment that an entry runs in; of those beside the experiment's, one is kept."""
        env_id, env_kwargs = self.experiment.setting(entry)
        if (env_id, env_kwargs) == (self.experiment.env_id, self.experiment.env_kwargs):
            return self.env
        key = repr((env_id, sorted(env_kwargs.items())))
        if self._other is None or self._other[0] != key:
            self.close_other()
            self._other = (key, make_env(env_id, env_kwargs))
            warm_up(self._other[1])
        return self._other[1]

    def close(self) -> None:
        """Close the environments."""
        self.close_other()
        self.env.close()

    def close_other(self) -> None:
        """Close the environment of an entry's own setting, if one is open."""
        if self._other is not None:
            self._other[1].close()
        self._other = None

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
        measured = tuple(look_up((*RUN_METRICS, *passes, *self.evaluator.metrics())))
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
        agent = entry.make(self.env_of(entry))
        space = getattr(agent, "observation_space", None)
        if space is not None and space.shape != self.env.observation_space.shape:
            raise UserError(
                f"The agent {entry.name!r} expects observations of shape {space.shape}, but "
                f"{self.experiment.env_id} gives {self.env.observation_space.shape}; train it on this "
                "environment."
            )
        if not callable(getattr(agent, "predict", None)):
            raise UserError(
                f"The agent {entry.name!r} has no predict(observation, state, episode_start, "
                "deterministic); give it one as Stable-Baselines3 has it."
            )

    def measure(self, name: str, seed: int) -> Record:
        """Make one run and evaluator what it left, or evaluator a reference."""
        entry, run, evaluator = self.experiment.entry(name), None, self.evaluator
        if entry is not None:
            env = self.env_of(entry)
            if env is not self.env:
                evaluator = make_evaluator(env.unwrapped, self.experiment.evaluator)  # type: ignore[arg-type]
            run = rollout(env, entry.make(env), seed, self.experiment.deterministic)
        elif name == BEFORE:
            self.env.reset(seed=seed, options={"restore": True})
        model = self.evaluator.retrained() if name == RETRAINED else evaluator.model()
        scores = self.evaluator.score(model, seed)
        values = scores.values | (run.values() if run else {})
        return Record(name, seed, values, run, scores.pictures, scores.classes)
