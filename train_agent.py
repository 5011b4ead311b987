"""Train an agent to choose λ, or finish a run that was killed (``--resume runs/ppo``)."""

from __future__ import annotations

from unlearn_gym import cli
from unlearn_gym.agents import training


def main() -> None:
    """Read the command line, train, and say where the results are."""
    config = cli.parse(training.TrainConfig, description=__doc__)
    if config.resume is not None:
        stored = training.stored_config(config.resume)
        config = training.resumed(cli.parse(training.TrainConfig, defaults=stored), stored)
    folder = training.train(config)
    print(f"Trained {config.agent}; it is in {folder}: evaluate it with --agents {folder}")


if __name__ == "__main__":  # environments in processes of their own import this file
    cli.run(main)
