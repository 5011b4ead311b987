"""Many environments at once return what single ones return."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from tests.envs.small import small_kwargs
from unlearn_gym.errors import UserError

USER = "unlearn_gym/SISS-v0"


def single_runs(kwargs, actions, seeds):
    """Step environments one after another, with same-step resets."""
    results = []
    for i, seed in enumerate(seeds):
        env = gym.make(USER, **kwargs)
        rows = [(env.reset(seed=seed)[0], 0.0, False)]
        for action in actions[:, i]:
            observation, reward, terminated, _, _ = env.step(action)
            if terminated:
                observation, _ = env.reset()
            rows.append((observation, reward, terminated))
        results.append(rows)
    return results


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"state": "lagged", "optimizer": "adamw"},
        {"objective": "weighted", "reward": "progress", "optimizer": "sgd", "learning_rate": 0.1},
        {"objective": "erasediff", "erasediff_eta": 0.3, "optimizer": "adam"},
        {"forget_scaling": "coef", "optimizer": "signsgd", "grad_norms": False, "online": True},
    ],
)
def test_stacked_equals_single(tmp_path, choice):
    kwargs = {**small_kwargs(USER, tmp_path), "dtype": "float64", "learning_rate": 1e-3, **choice}
    actions = np.random.default_rng(0).uniform(0.1, 0.9, (6, 3, 1))
    envs = gym.make_vec(USER, num_envs=3, vectorization="stacked", **kwargs)
    expected = single_runs(kwargs, actions, (5, 6, 7))
    rows = [(envs.reset(seed=5)[0], np.zeros(3), np.zeros(3))]
    rows += [envs.step(action)[:3] for action in actions]
    for i, run in enumerate(expected):
        for (observations, rewards, terminations), (observation, reward, terminated) in zip(
            rows, run, strict=True
        ):
            np.testing.assert_allclose(observations[i], observation, rtol=2e-5, atol=1e-6)
            assert rewards[i] == pytest.approx(reward, rel=1e-5, abs=1e-8)
            assert bool(terminations[i]) == terminated
    assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


def test_stacked_divergence_is_of_one_environment(tmp_path):
    kwargs = {**small_kwargs(USER, tmp_path), "state": "lagged"}
    envs = gym.make_vec(USER, num_envs=2, vectorization="stacked", **kwargs)
    envs.reset(seed=0)
    stack = envs.unwrapped.stack
    stack.weights.data[1] = float("nan")
    _, _, terminations, _, infos = envs.step(np.full((2, 1), 0.5))
    assert terminations.tolist() == [False, True]
    assert infos["final_info"]["diverged"][1]
    assert np.isfinite(infos["final_obs"][1]).all()
    assert stack.weights.isfinite().all()


def test_processes(tmp_path):
    kwargs = small_kwargs(USER, tmp_path)
    envs = gym.make_vec(USER, num_envs=2, **kwargs)
    try:
        actions = np.full((5, 2, 1), 0.3, dtype=np.float32)
        expected = single_runs(kwargs, actions, (1, 2))
        observations, _ = envs.reset(seed=1)
        for t in range(5):
            np.testing.assert_allclose(observations, [run[t][0] for run in expected], rtol=1e-4)
            observations, _, terminations, _, infos = envs.step(actions[t])
            if terminations.all():
                assert infos["final_obs"][0][5] == 1.0
    finally:
        envs.close()


def test_every_id_has_a_vector_entry_point():
    for spec in gym.registry.values():
        if spec.id.startswith("unlearn_gym/"):
            assert spec.vector_entry_point == f"unlearn_gym.envs.vector:{spec.entry_point.split(':')[1]}"


def test_errors(tmp_path):
    with pytest.raises(UserError, match="choose one of auto, processes, loop, stacked"):
        gym.make_vec("unlearn_gym/Quadratic-v0", num_envs=2, vectorization="threads")
    with pytest.raises(UserError, match="cannot stack QuadraticEnv"):
        gym.make_vec("unlearn_gym/Quadratic-v0", num_envs=2, vectorization="stacked")
