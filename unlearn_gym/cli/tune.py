"""Search the settings of a learning agent with Optuna, or go on with a search that was killed.

unlearn-gym tune ppo --env Weighted-Digits-v0 --trials 30 --total-timesteps 2000 --output runs/tune
unlearn-gym tune cem --env Quadratic-v0 --trials 10 --total-timesteps 800 --space.population '[8, 16]'
unlearn-gym tune ppo --trials 64 --parallel 8 --engine ray --address auto
unlearn-gym tune sac --hyperparameters.gamma 1.0 --space.learning_rate.high 1e-2 --evaluate-seeds 10

A trial is a training; its agent is judged by the mean return of deterministic episodes on seeds of their own
(--evaluation-env-kwargs may give them other requests than the training has). The output folder gets best.yaml, which
unlearn-gym train --config reads, trials.csv and search.png. It needs the extra: pip install 'unlearn-gym[tune]'.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gymnasium as gym

from unlearn_gym import agents
from unlearn_gym.agents.tuning.config import TuneConfig
from unlearn_gym.envs.making import make_env
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.run import rollout
from unlearn_gym.runtime import command_line
from unlearn_gym.runtime.engines import make_engine


@dataclass(frozen=True)
class Returns:
    """The returns of deterministic episodes of a trained agent, one a seed; it can be sent to other processes.

    Args:
        env: id of the environment.
        env_kwargs: its keywords.
        seeds: of the episodes.
    """

    env: str
    env_kwargs: dict[str, Any]
    seeds: range

    @cached_property
    def _made(self) -> gym.Env:
        return make_env(self.env, self.env_kwargs)

    def __call__(self, folder: Path) -> list[float]:
        """Return the returns of the agent in a folder."""
        agent = agents.load(folder, self._made)
        return [sum(rollout(self._made, agent, seed).rewards) for seed in self.seeds]


def main(words: Sequence[str], program: Sequence[str]) -> None:
    """Read the command line, search, and say where the best settings are."""
    config = command_line.parse(
        TuneConfig, words, description=__doc__ or "", program=shlex.join(program), leading="agent"
    )
    if find_spec("optuna") is None:
        raise UserError("unlearn-gym tune needs Optuna; install it with pip install 'unlearn-gym[tune]'.")
    from unlearn_gym.agents.tuning.outputs import BEST
    from unlearn_gym.agents.tuning.search import tune

    engine = make_engine(config.engine, config.parallel, config.address, config.gpus)
    score = Returns(config.env, {**config.env_kwargs, **config.evaluation_env_kwargs}, config.seeds)
    make_env(score.env, score.env_kwargs).close()  # what it refuses, before any training
    folder = tune(config, score, engine)
    print(f"The best settings are in {folder / BEST}: train with them by --config {folder / BEST}")
