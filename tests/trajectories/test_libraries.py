"""Other libraries read the data sets; they are installed beside the package, as docs/offline.md says."""

import minari
import numpy as np
import pytest

from .test_datasets import played

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_d3rlpy():
    """By Minari and ``MDPDataset``, as docs/offline.md says."""
    d3rlpy = pytest.importorskip("d3rlpy")
    env, _ = played()
    env.save("mine/quadratic")
    found = minari.load_dataset("mine/quadratic-v0")
    columns = (
        [episode.observations[:-1] for episode in found],
        [episode.actions for episode in found],
        [episode.rewards for episode in found],
        [episode.terminations for episode in found],
        [episode.truncations for episode in found],
    )
    buffer = d3rlpy.dataset.MDPDataset(*(np.concatenate(column).astype(np.float32) for column in columns))
    for read, mine in zip(buffer.episodes, env.episodes, strict=True):
        np.testing.assert_array_equal(read.observations, mine.observations[:-1])
        np.testing.assert_array_equal(read.actions, mine.actions)
        np.testing.assert_allclose(read.rewards[:, 0], mine.rewards, rtol=1e-6)
        assert read.terminated
    scaler = d3rlpy.preprocessing.MinMaxActionScaler(env.action_space.low, env.action_space.high)
    learner = d3rlpy.algos.IQLConfig(batch_size=4, action_scaler=scaler).create()
    quiet = d3rlpy.logging.NoopAdapterFactory()
    learner.fit(buffer, n_steps=2, n_steps_per_epoch=2, show_progress=False, logger_adapter=quiet)
    chosen = learner.predict(env.episodes[0].observations)
    assert ((chosen >= 0.1) & (chosen <= 0.9)).all()


def test_torchrl():
    """By Minari and a replay buffer, as docs/offline.md says."""
    data = pytest.importorskip("torchrl.data")
    tensordict = pytest.importorskip("tensordict")
    env, _ = played()
    env.save("mine/quadratic")
    found = minari.load_dataset("mine/quadratic-v0")
    steps = tensordict.cat(
        [
            tensordict.TensorDict(
                {
                    "observation": episode.observations[:-1],
                    "action": episode.actions,
                    "z": episode.infos["behaviour"]["z"][1:],
                    "next": {
                        "observation": episode.observations[1:],
                        "reward": episode.rewards[:, None],
                        "done": (episode.terminations | episode.truncations)[:, None],
                        "terminated": episode.terminations[:, None],
                    },
                },
                batch_size=len(episode),
            )
            for episode in found
        ]
    )
    buffer = data.TensorDictReplayBuffer(storage=data.LazyTensorStorage(len(steps)), batch_size=4)
    buffer.extend(steps)
    kept, mine = buffer[:], env.episodes
    np.testing.assert_array_equal(kept["observation"], np.concatenate([e.observations[:-1] for e in mine]))
    np.testing.assert_array_equal(kept["action"], np.concatenate([e.actions for e in mine]))
    np.testing.assert_array_equal(kept["z"], np.concatenate([e.latent.z for e in mine]))
    np.testing.assert_array_equal(kept["next", "reward"][:, 0], np.concatenate([e.rewards for e in mine]))
    assert kept["next", "terminated"].sum() == 2
    assert buffer.sample()["next", "observation"].shape == (4, 6)
