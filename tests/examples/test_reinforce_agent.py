"""The agent of one's own: it learns, is saved, and is taken by the evaluation's door."""

import os
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch

from unlearn_gym import agents
from unlearn_gym.models.threads import one_thread

FILE = Path(__file__).parents[2] / "examples" / "reinforce_agent.py"


@pytest.fixture
def env():
    return gym.make("unlearn_gym/Quadratic-v0")


def test_it_learns_and_is_saved(env, tmp_path):
    with one_thread():
        agent = agents.resolve(f"{FILE}:ReinforceAgent", env)
        returns = agent.learn(env, 300)
    assert np.mean(returns[-50:]) > np.mean(returns[:50]) + 0.01
    agent.save(tmp_path / "agent.safetensors")
    loaded = agents.resolve(f"{FILE}:ReinforceAgent:{tmp_path / 'agent.safetensors'}", env)
    observation, _ = env.reset(seed=0)
    for deterministic in (True, False):
        agent.begin(3)
        loaded.begin(3)
        action = agent.predict(observation, deterministic=deterministic)[0]
        assert env.action_space.contains(action)
        assert action == loaded.predict(observation, deterministic=deterministic)[0]


def test_it_leaves_the_global_generator_alone(env):
    before = torch.get_rng_state()
    agents.resolve(f"{FILE}:ReinforceAgent", env).learn(env, 10)
    assert before.equal(torch.get_rng_state())


def test_its_command_line_trains(tmp_path):
    done = subprocess.run(
        [sys.executable, str(FILE), "--episodes", "10", "--output", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "agent.safetensors").is_file()
