"""Experiment A's environments with the real images and the shipped models; skipped where there are none."""

import gymnasium as gym
import numpy as np
import pytest

from tests.real_trousers import point_to_images, task_with_models
from unlearn_gym.models.diffusion.tasks import TASKS
from unlearn_gym.registration import DIFFUSION

REAL_TASK = TASKS["trousers"]
SHORT = {"horizon": 2, "batch_size": 8}


@pytest.fixture
def task(barely_trained, monkeypatch):
    point_to_images(monkeypatch)
    monkeypatch.setitem(TASKS, "trousers", REAL_TASK)
    return task_with_models()


@pytest.mark.parametrize(
    "env_id",
    sorted(
        name for name, spec in gym.registry.items() if "Trousers" in name and spec.entry_point == DIFFUSION
    ),
)
def test_the_real_ones_start_from_the_trained_model(task, env_id):
    env = gym.make(env_id, **SHORT).unwrapped
    data = env.process.data
    assert (len(data.retain), len(data.forget), data.forget_label) == (60_000, 674, 1)
    first, _ = env.reset(seed=0)
    assert 0 < env.process.quality().retain_loss < 0.1  # an untrained network has about 1
    assert env.step(np.array([0.5], np.float32))[0][4] == 0.5
    assert env.step(np.array([0.5], np.float32))[2]
    np.testing.assert_array_equal(env.reset(seed=0, options={"restore": True})[0], first)


@pytest.mark.parametrize("objective", ["naive", "neggrad", "erasediff"])
def test_the_baselines_go_on_from_it(task, objective):
    env = gym.make("unlearn_gym/SISS-Trousers-v0", objective=objective, **SHORT).unwrapped
    observation, _ = env.reset(seed=0)
    assert np.isfinite(env.step(np.array([0.5], np.float32))[0]).all()
    assert (observation[1] > 1) == (objective == "erasediff")  # 4/3 towards the uniform target
