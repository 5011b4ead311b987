"""Train an agent to choose λ, or finish a run that was killed.

unlearn-gym train --env SISS-Digits-v0 --agent ppo --total-timesteps 4000 --n-envs 2 --output runs/ppo
unlearn-gym train --agent sac --env-kwargs.reward progress --hyperparameters.learning_rate 1e-4
unlearn-gym train --agent iql --dataset digits/random --output runs/iql    (from logged episodes)
unlearn-gym train --resume runs/ppo
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial

from unlearn_gym.agents import training
from unlearn_gym.runtime import command_line


def main(words: Sequence[str], program: Sequence[str]) -> None:
    """Read the command line, train, and say where the results are."""
    parse = partial(
        command_line.parse,
        training.TrainConfig,
        words,
        description=__doc__ or "",
        program=shlex.join(program),
    )
    config = parse()
    if config.resume is not None:
        stored = training.stored_config(config.resume)
        config = training.resumed(parse(defaults=stored), stored)
    folder = training.train(config)
    print(f"Trained {config.agent}; it is in {folder}: evaluate it with --agents {folder}")
