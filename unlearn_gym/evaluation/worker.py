"""One process's environment and judge, built once and used for many runs."""

from __future__ import annotations

import gymnasium as gym

from unlearn_gym.envs.making import make_env
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.evaluators.registry import make_judge
from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED, Campaign, Contestant
from unlearn_gym.evaluation.records import Record
from unlearn_gym.evaluation.run import PASS_METRICS, RUN_METRICS, network, rollout, warm_up
from unlearn_gym.metrics.glossary import look_up


class Bench:
    """One process's environment and judge, built once and used for many runs.

    A contestant with a setting of its own runs in an environment of its own, and is judged by the same judge.
    """

    def __init__(self, campaign: Campaign) -> None:
        self.campaign = campaign
        self.env = make_env(campaign.env_id, campaign.env_kwargs)
        warm_up(self.env)
        self.judge = make_judge(self.env.unwrapped, campaign.judge)  # type: ignore[arg-type]
        self._other: tuple[str, gym.Env] | None = None

    def env_of(self, contestant: Contestant) -> gym.Env:
        """Return the environment that a contestant runs in; of those beside the campaign's, one is kept."""
        env_id, env_kwargs = self.campaign.setting(contestant)
        if (env_id, env_kwargs) == (self.campaign.env_id, self.campaign.env_kwargs):
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
        """Close the environment of a contestant's own setting, if one is open."""
        if self._other is not None:
            self._other[1].close()
        self._other = None

    def rows(self) -> tuple[str, ...]:
        """Return the names of all rows: before, the agents, retrained (where there is such a model)."""
        agents = (contestant.name for contestant in self.campaign.contestants)
        retrained = (RETRAINED,) if self.judge.retrained() is not None else ()
        return (BEFORE, *agents, *retrained)

    def metrics(self) -> tuple[str, ...]:
        """Return the names of what reports show, in the glossary's order.

        Raises:
            UserError: when the campaign asks for something that is not measured here.
        """
        passes = PASS_METRICS if network(self.env) is not None else ()
        measured = tuple(look_up((*RUN_METRICS, *passes, *self.judge.metrics())))
        for name in look_up(self.campaign.metrics):
            if name not in measured:
                raise UserError(
                    f"{self.campaign.env_id} does not measure {name!r}; choose from {', '.join(measured)}."
                )
        return tuple(look_up(self.campaign.metrics)) or measured

    def check(self) -> None:
        """Refuse what cannot run before the first run."""
        for contestant in self.campaign.contestants:
            self.check_contestant(contestant)

    def check_contestant(self, contestant: Contestant) -> None:
        """Build an agent once and refuse it if it does not fit."""
        agent = contestant.make(self.env_of(contestant))
        space = getattr(agent, "observation_space", None)
        if space is not None and space.shape != self.env.observation_space.shape:
            raise UserError(
                f"The agent {contestant.name!r} expects observations of shape {space.shape}, but "
                f"{self.campaign.env_id} gives {self.env.observation_space.shape}; train it on this "
                "environment."
            )
        if not callable(getattr(agent, "predict", None)):
            raise UserError(
                f"The agent {contestant.name!r} has no predict(observation, state, episode_start, "
                "deterministic); give it one as Stable-Baselines3 has it."
            )

    def measure(self, name: str, seed: int) -> Record:
        """Make one run and judge what it left, or judge a reference."""
        contestant, run, judge = self.campaign.contestant(name), None, self.judge
        if contestant is not None:
            env = self.env_of(contestant)
            if env is not self.env:
                judge = make_judge(env.unwrapped, self.campaign.judge)  # type: ignore[arg-type]
            run = rollout(env, contestant.make(env), seed, self.campaign.deterministic)
        elif name == BEFORE:
            self.env.reset(seed=seed, options={"restore": True})
        model = self.judge.retrained() if name == RETRAINED else judge.model()
        verdict = self.judge.score(model, seed)
        values = verdict.values | (run.values() if run else {})
        return Record(name, seed, values, run, verdict.pictures, verdict.classes)
