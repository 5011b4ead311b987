"""Search the settings of a learning agent with Optuna, or go on with a search that was killed.

unlearn-gym tune ppo --env Weighted-Digits-v0 --trials 30 --total-timesteps 2000 --output runs/tune
unlearn-gym tune cem --env Quadratic-v0 --trials 10 --total-timesteps 800 --space.population '[8, 16]'
unlearn-gym tune sac --hyperparameters.gamma 1.0 --space.learning_rate.high 1e-2 --evaluate-seeds 10

A trial is a training; its agent is judged by the mean return of deterministic episodes on seeds of their own
(--evaluation-env-kwargs may give them other requests than the training has). The output folder gets best.yaml, which
unlearn-gym train --config reads, trials.csv and search.png. It needs the extra: pip install 'unlearn-gym[tune]'.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from unlearn_gym import agents
from unlearn_gym.agents.tuning.config import TuneConfig
from unlearn_gym.envs.making import make_env
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.run import rollout
from unlearn_gym.runtime import command_line


def main(words: Sequence[str], program: Sequence[str]) -> None:
    """Read the command line, search, and say where the best settings are."""
    config = command_line.parse(
        TuneConfig, words, description=__doc__ or "", program=shlex.join(program), leading="agent"
    )
    if find_spec("optuna") is None:
        raise UserError("unlearn-gym tune needs Optuna; install it with pip install 'unlearn-gym[tune]'.")
    from unlearn_gym.agents.tuning.outputs import BEST
    from unlearn_gym.agents.tuning.search import tune

    env = make_env(config.env, {**config.env_kwargs, **config.evaluation_env_kwargs})

    def score(folder: Path) -> list[float]:
        """Return the returns of a trained agent, one a seed."""
        agent = agents.load(folder, env)
        return [sum(rollout(env, agent, seed).rewards) for seed in config.seeds]

    folder = tune(config, score)
    print(f"The best settings are in {folder / BEST}: train with them by --config {folder / BEST}")
