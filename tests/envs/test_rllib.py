"""RLlib learns in an environment; it pins an older Gymnasium, so it has a virtual environment of its own."""

import subprocess
import sys

import pytest

ID = "unlearn_gym/EMSE-Polynomial-v0"
ITERATIONS = 3
LEARN = f"""
import math
import gymnasium as gym
import ray
from ray.rllib.algorithms.ppo import PPOConfig
from ray.tune.registry import register_env


def make(settings):
    import unlearn_gym

    return gym.make({ID!r}, **settings)


if __name__ == "__main__":
    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    register_env("unlearning", make)
    config = PPOConfig().environment("unlearning", env_config={{"horizon": 10, "batch_size": 8}})
    config = config.env_runners(num_env_runners=2, num_envs_per_env_runner=2)
    config = config.training(train_batch_size_per_learner=80, minibatch_size=40, num_epochs=1)
    algorithm = config.build_algo()
    for _ in range({ITERATIONS}):
        found = algorithm.train()["env_runners"]
        print("episode_return_mean", found["episode_return_mean"], found["episode_len_mean"])
        assert math.isfinite(found["episode_return_mean"]) and found["episode_len_mean"] == 10.0
    algorithm.stop()
    print("learned")
"""


@pytest.mark.slow
def test_ppo_of_rllib_with_two_runners(tmp_path):
    pytest.importorskip("ray.rllib", reason="needs the extra rllib: make test-rllib")
    file = tmp_path / "learn.py"
    file.write_text(LEARN, encoding="utf-8")
    found = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr[-3000:]
    assert found.stdout.count("episode_return_mean") == ITERATIONS and "learned" in found.stdout
