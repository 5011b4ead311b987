"""PPO of RLlib with two processes that play. A minute, half of it the start of Ray.

    make .venv-rllib/installed                     # RLlib pins an older Gymnasium, so it lives apart
    .venv-rllib/bin/python examples/libraries/rllib_ppo.py

``EMSE-Polynomial-v0`` unlearns points of a curve in a millisecond a step. The processes import the package themselves:
what they are given is the function that makes an environment.
"""

from __future__ import annotations

import argparse
from typing import Any

import gymnasium as gym
import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.tune.registry import register_env


def make(settings: dict[str, Any]) -> gym.Env:
    """Return the environment; runs in every process."""
    import unlearn_gym  # noqa: F401 (registers the environments)

    return gym.make("unlearn_gym/EMSE-Polynomial-v0", **settings)


def main() -> None:
    """Train and print the mean return after every iteration."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--horizon", type=int, default=50, help="updates an episode")
    parser.add_argument("--batch", type=int, default=400, help="steps an iteration")
    chosen = parser.parse_args()

    ray.init("local", num_cpus=3, include_dashboard=False, log_to_driver=False)  # no cluster that is there
    register_env("unlearning", make)
    config = (
        PPOConfig()
        .environment("unlearning", env_config={"horizon": chosen.horizon})
        .env_runners(num_env_runners=2, num_envs_per_env_runner=2)
        .training(
            lr=1e-3, train_batch_size_per_learner=chosen.batch, minibatch_size=chosen.batch // 4, num_epochs=5
        )
        .debugging(seed=0)
    )
    algorithm = config.build_algo()
    for iteration in range(1, chosen.iterations + 1):
        found = algorithm.train()["env_runners"]
        returned, length = found["episode_return_mean"], found["episode_len_mean"]
        print(f"iteration {iteration}: mean return {returned:.3f} in episodes of {length:.0f} updates")
    algorithm.stop()
    ray.shutdown()


if __name__ == "__main__":
    main()
