"""Many environments at once return what single ones return."""

import gymnasium as gym
import numpy as np
import pytest

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


def test_errors():
    with pytest.raises(UserError, match="choose one of auto, processes, loop, stacked"):
        gym.make_vec("unlearn_gym/Quadratic-v0", num_envs=2, vectorization="threads")
