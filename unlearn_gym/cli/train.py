"""Train an agent to choose λ, or finish a run that was killed.

unlearn-gym train --env SISS-Digits-v0 --agent ppo --total-timesteps 4000 --n-envs 2 --output runs/ppo
unlearn-gym train --agent sac --env-kwargs.reward progress --hyperparameters.learning_rate 1e-4
unlearn-gym train --agent iql --dataset digits/random --output runs/iql    (from logged episodes)
unlearn-gym train --resume runs/ppo
unlearn-gym train --agent cem --seeds 10 --engine ray --address auto --output runs/cem    (runs/cem/seed0, …)
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

from jsonargparse.typing import NonNegativeInt, PositiveInt  # noqa: F401  (annotations of TrainConfig are read here)

from unlearn_gym.agents import training
from unlearn_gym.agents.training.comparison import train_all
from unlearn_gym.errors import UserError
from unlearn_gym.runtime import command_line
from unlearn_gym.runtime.engines import EngineOptions, make_engine
from unlearn_gym.storage.files import user_path
from unlearn_gym.storage.run_lock import alone_in


@dataclass(frozen=True)
class Options(EngineOptions, training.TrainConfig):
    """What to train, and how often.

    Args:
        seeds: trainings, with this many seeds from ``seed`` on, each in a folder of its own below ``output``; a second
            call makes what is missing.
        jobs: several seeds: processes, 1 by default; under ``ray`` by default as many as the cluster has room for.
    """

    seeds: PositiveInt = 1
    jobs: PositiveInt | None = None

    def training(self) -> training.TrainConfig:
        """Return the first training alone."""
        return training.TrainConfig(
            **{one.name: getattr(self, one.name) for one in fields(training.TrainConfig)}
        )


def main(words: Sequence[str], program: Sequence[str]) -> None:
    """Read the command line, train, and say where the results are."""
    parse = partial(
        command_line.parse,
        Options,
        words,
        description=__doc__ or "",
        program=shlex.join(program),
    )
    options = parse()
    config = options.training()
    if options.seeds > 1 or options.engine != "local":
        several(options, config)
        return
    if config.resume is not None:
        stored = training.stored_config(config.resume)
        config = training.resumed(parse(defaults=stored).training(), stored)
    folder = training.train(config)
    print(f"Trained {config.agent}; it is in {folder}: evaluate it with --agents {folder}")


def several(options: Options, first: training.TrainConfig) -> None:
    """Train with several seeds.

    Raises:
        UserError: for an option that one training alone has.
    """
    if first.resume or first.overwrite:
        raise UserError(
            "--resume and --overwrite are of one training on this machine; with --seeds or --engine ray the same "
            "command goes on with what is unfinished."
        )
    output = user_path(first.output or Path("runs") / first.agent)
    configurations = [
        replace(first, seed=seed, output=str(output / f"seed{seed}"), progress_bar=False)
        for seed in range(first.seed, first.seed + options.seeds)
    ]
    engine = make_engine(options.engine, options.jobs, options.address, options.gpus)
    with alone_in(output):
        train_all(configurations, engine)
    print(f"Trained {first.agent}; evaluate it with --agents {output}/seed*")
