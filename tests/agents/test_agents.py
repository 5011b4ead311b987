"""What holds for every registered agent; a new name is tested without touching this file."""

import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
import torch

from unlearn_gym import agents
from unlearn_gym.agents.common.base import Learner
from unlearn_gym.errors import UserError

QUADRATIC = "unlearn_gym/Quadratic-v0"


@pytest.fixture
def env():
    return gym.make(QUADRATIC)


@pytest.fixture(params=agents.names())
def agent(request, env):
    return agents.make(request.param, env, seed=3)


def play(agent, seed: int, deterministic: bool = False) -> list[float]:
    """λ of one episode, under the contract of an evaluation."""
    env = gym.make(QUADRATIC)
    observation, _ = env.reset(seed=11)
    agent.begin(seed)
    state, start, done, chosen = None, np.array([True]), False, []
    while not done:
        action, state = agent.predict(observation, state, start, deterministic)
        observed = observation
        observation, reward, done, _, info = env.step(action)
        agent.feedback(observed, action, float(reward), info)
        chosen.append(info["lambda"])
        start = np.array([False])
    return chosen


def test_predict_gives_one_lambda_in_range(agent, env):
    observation, _ = env.reset(seed=0)
    for deterministic in (False, True):
        action, _ = agent.predict(observation, deterministic=deterministic)
        assert action.shape == (1,) and action.dtype == np.float32
        assert env.action_space.contains(action)


def test_predict_takes_a_batch(agent, env):
    observations = np.stack([env.observation_space.sample() for _ in range(3)])
    action, _ = agent.predict(observations, episode_start=np.ones(3, bool))
    assert action.shape == (3, 1) and ((action >= 0.1) & (action <= 0.9)).all()


def test_same_seed_same_run(agent):
    first = play(agent, 5)
    assert first == play(agent, 5)
    assert play(agent, 5, deterministic=True) == play(agent, 5, deterministic=True)


@pytest.mark.parametrize("name", ["random", "adaptive_vi", "ppo", "sac"])
def test_other_seed_other_run(name, env):
    agent = agents.make(name, env)
    assert play(agent, 5) != play(agent, 6)


def test_saved_agent_acts_alike(agent, env, tmp_path):
    agent.save(tmp_path / "agent")
    loaded = agents.load(tmp_path / "agent", env)
    assert type(loaded) is type(agent) and loaded.settings == agent.settings
    assert play(loaded, 2) == play(agent, 2)
    assert play(agents.resolve(str(tmp_path), env), 2, True) == play(agent, 2, True)


def test_making_and_acting_leaves_the_global_generators_alone(agent, env):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    agents.make(agent.name, env)
    play(agent, 0)
    assert before[0].equal(torch.get_rng_state()) and (before[1] == np.random.get_state()[1]).all()


def test_unknown_setting_is_named(agent, env):
    with pytest.raises(UserError, match=f"settings of {agent.name}: 'size' is not known"):
        agents.make(agent.name, env, size=3)


def test_which_agents_can_be_trained(env):
    assert [name for name in agents.names() if issubclass(agents.agent_class(name), Learner)] == [
        *(
            "adaptive_vi",
            "primal_dual",
            "bandit",
            "cem",
            "ppo",
            "sac",
            "tqc",
            "crossq",
            "recurrent_ppo",
            "iql",
        )
    ]


def test_another_lambda_range_is_refused(tmp_path, env):
    agents.make("ppo", env).save(tmp_path / "agent")
    with pytest.raises(UserError, match="same lambda_range"):
        agents.load(tmp_path / "agent", gym.make(QUADRATIC, lambda_range=(0.2, 0.8)))


def test_importing_the_package_imports_no_library():
    heavy = "{'torch', 'stable_baselines3'} & set(sys.modules)"
    code = f"import sys, unlearn_gym.agents as agents; agents.names(); assert not {heavy}"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
