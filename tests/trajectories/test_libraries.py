"""Other libraries read the data sets; they are installed beside the package, as docs/offline.md says."""

import numpy as np
import pytest

from unlearn_gym.trajectories import datasets

from .test_datasets import played

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_d3rlpy():
    d3rlpy = pytest.importorskip("d3rlpy")
    env, _ = played()
    env.save("mine/quadratic")
    buffer, made = d3rlpy.datasets.get_minari("mine/quadratic-v0")
    for found, mine in zip(buffer.episodes, env.episodes, strict=True):
        np.testing.assert_array_equal(found.observations, mine.observations[:-1])
        np.testing.assert_array_equal(found.actions, mine.actions)
        np.testing.assert_allclose(found.rewards[:, 0], mine.rewards, rtol=1e-6)
        assert found.terminated
    scaler = d3rlpy.preprocessing.MinMaxActionScaler(made.action_space.low, made.action_space.high)
    learner = d3rlpy.algos.IQLConfig(batch_size=4, action_scaler=scaler).create()
    learner.fit(
        buffer,
        n_steps=2,
        n_steps_per_epoch=2,
        show_progress=False,
        save_interval=9,
        logger_adapter=d3rlpy.logging.NoopAdapterFactory(),
    )
    chosen = learner.predict(env.episodes[0].observations)
    assert ((chosen >= 0.1) & (chosen <= 0.9)).all()


def test_torchrl(tmp_path):
    module = pytest.importorskip("torchrl.data.datasets.minari_data")
    env, _ = played()
    env.save("mine/quadratic")
    buffer = module.MinariExperienceReplay(
        "mine/quadratic-v0", batch_size=4, root=tmp_path / "torchrl", load_from_local_minari=True
    )
    found, mine = buffer[:], datasets.read("mine/quadratic").episodes
    np.testing.assert_array_equal(found["observation"], np.concatenate([e.observations[:-1] for e in mine]))
    np.testing.assert_array_equal(
        found["next", "observation"], np.concatenate([e.observations[1:] for e in mine])
    )
    np.testing.assert_array_equal(found["action"], np.concatenate([e.actions for e in mine]))
    np.testing.assert_array_equal(found["next", "reward"][:, 0], np.concatenate([e.rewards for e in mine]))
    np.testing.assert_array_equal(
        found["next", "info", "behaviour", "z"], np.concatenate([e.latent.z for e in mine])
    )
    assert found["next", "terminated"].sum() == 2
