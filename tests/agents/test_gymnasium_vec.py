import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3 import PPO

import unlearn_gym  # noqa: F401 (registers the ids)
from tests.envs.small import small_kwargs
from unlearn_gym.agents.training.gymnasium_vec import GymnasiumVecEnv
from unlearn_gym.errors import UserError

ID = "unlearn_gym/Quadratic-v0"


def test_infos_and_ends_are_those_of_single_environments():
    envs = GymnasiumVecEnv(
        gym.make_vec(ID, num_envs=2, vectorization="loop", autoreset_mode="SameStep", horizon=3)
    )
    envs.seed(4)
    first = envs.reset()
    singles = [gym.make(ID, horizon=3) for _ in range(2)]
    assert np.array_equal(first, [env.reset(seed=4 + i)[0] for i, env in enumerate(singles)])
    returns = np.zeros(2)
    for t in range(3):
        actions = np.array([[0.2], [0.8]], dtype=np.float32)
        observations, rewards, dones, infos = envs.step(actions)
        for i, env in enumerate(singles):
            observation, reward, terminated, _, info = env.step(actions[i])
            returns[i] += reward
            assert rewards[i] == pytest.approx(reward)
            assert dones[i] == terminated == (t == 2)
            assert infos[i]["reward_terms"] == pytest.approx(info["reward_terms"])
            last = infos[i]["terminal_observation"] if terminated else observations[i]
            assert np.array_equal(last, observation)
    assert [info["episode"]["l"] for info in infos] == [3, 3]
    assert [info["episode"]["r"] for info in infos] == pytest.approx(returns)
    assert envs.get_attr("horizon") == [3, 3]


def test_resumed_stack_goes_on_alike(tmp_path):
    kwargs = {
        **small_kwargs("unlearn_gym/SISS-v0", tmp_path),
        "vectorization": "stacked",
        "autoreset_mode": "SameStep",
    }
    first, second = (GymnasiumVecEnv(gym.make_vec("unlearn_gym/SISS-v0", num_envs=2, **kwargs)) for _ in "ab")
    first.seed(1)
    first.reset()
    actions = np.array([[0.2], [0.8]], dtype=np.float32)
    first.step(actions)
    for i, state in enumerate(first.env_method("state_dict")):
        second.env_method("load_state_dict", state, indices=i)
    for _ in range(4):  # over the end of an episode
        for a, b in zip(first.step(actions), second.step(actions), strict=True):
            assert str(a) == str(b)


def test_ppo_learns_over_it():
    envs = GymnasiumVecEnv(gym.make_vec(ID, num_envs=2, vectorization="loop", autoreset_mode="SameStep"))
    learner = PPO("MlpPolicy", envs, n_steps=16, batch_size=16, n_epochs=1)
    before = [weight.clone() for weight in learner.policy.parameters()]
    learner.learn(64)
    assert learner.num_timesteps == 64
    assert any((a != b).any() for a, b in zip(before, learner.policy.parameters(), strict=True))


def test_other_autoreset_is_refused():
    envs = gym.make_vec(ID, num_envs=1, vectorization_mode="sync")
    with pytest.raises(UserError, match="same step"):
        GymnasiumVecEnv(envs)
