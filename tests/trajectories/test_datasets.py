"""Minari data sets, read back by Minari itself."""

import sys

import gymnasium as gym
import minari
import numpy as np
import pytest
from minari.namespace import list_local_namespaces

from unlearn_gym import agents
from unlearn_gym.envs.making import make_env
from unlearn_gym.errors import UserError
from unlearn_gym.trajectories import datasets
from unlearn_gym.trajectories.recording import RecordTrajectories

QUADRATIC = "unlearn_gym/Quadratic-v0"


def played(agent_name="ppo", episodes=2, seed=7, **env_kwargs):
    """Return an environment whose episodes were recorded, and the steps as they came."""
    plain = make_env(QUADRATIC, {"horizon": 4, **env_kwargs})
    agent = agents.make(agent_name, plain)
    env, steps = RecordTrajectories(plain, agent), []
    for number in range(episodes):
        observation, _ = env.reset(seed=seed + number)
        done = False
        while not done:
            action, _ = agent.predict(observation)
            following, reward, done, _, info = env.step(action)
            steps.append((observation, action, reward, info["reward_terms"], agent.latent))
            observation = following
    return env, steps


def test_what_minari_reads_is_what_happened():
    env, steps = played()
    env.save("mine/quadratic")
    found = minari.load_dataset("mine/quadratic-v0")
    assert (found.total_episodes, found.total_steps) == (2, 8)
    assert found.spec.env_spec.id == QUADRATIC
    assert found.spec.env_spec.kwargs["horizon"] == 4
    assert found.storage.metadata["agents"] == ["ppo"]
    assert "mine/quadratic-v0" in minari.list_local_datasets()
    assert "mine" in list_local_namespaces()
    assert [each["seed"] for each in found.storage.get_episode_metadata([0, 1])] == [7, 8]
    for number, episode in enumerate(found):
        mine = steps[4 * number : 4 * number + 4]
        assert episode.observations.shape == (5, 6)
        np.testing.assert_array_equal(episode.observations[:-1], [step[0] for step in mine])
        np.testing.assert_array_equal(episode.actions, [step[1] for step in mine])
        np.testing.assert_array_equal(episode.rewards, [step[2] for step in mine])
        assert episode.terminations.tolist() == [False, False, False, True]
        assert not episode.truncations.any()
        terms = episode.infos["reward_terms"]
        np.testing.assert_allclose(sum(values[1:] for values in terms.values()), episode.rewards, atol=1e-12)
        behaviour = episode.infos["behaviour"]
        assert all(np.isnan(rows[0]).all() and rows.shape == (5, 1) for rows in behaviour.values())
        np.testing.assert_array_equal(behaviour["mean"][1:], [step[4].mean[0] for step in mine])
        # λ = 0.1 + 0.8·σ(z), the latent that the policy drew
        np.testing.assert_allclose(episode.actions, 0.1 + 0.8 / (1 + np.exp(-behaviour["z"][1:])), atol=1e-6)


def test_the_environment_is_made_again_from_the_data_set():
    env, _ = played(best_lambda=0.4)
    env.save("again")
    recovered = minari.load_dataset("again-v0").recover_environment()
    recovered.reset(seed=0)
    done = [recovered.step(np.array([0.4], np.float32))[2:4] for _ in range(4)]
    assert done == [(False, False)] * 3 + [(True, False)]  # no time limit cuts it off


def test_reading_gives_the_episodes_back():
    env, _ = played()
    env.save("back-v2")
    found = datasets.read("back-v2")
    assert (found.env_id, found.env_kwargs["horizon"]) == (QUADRATIC, 4)
    assert found.action_space == env.action_space
    for one, other in zip(found.episodes, env.episodes, strict=True):
        assert (one.seed, one.agent, one.terminated, one.truncated) == (other.seed, "ppo", True, False)
        np.testing.assert_array_equal(one.latent.z, other.latent.z)
        assert one.total(0.9) == other.total(0.9)


def test_agents_without_a_gaussian_have_no_latent():
    env, _ = played("random")
    env.save("random")
    assert [episode.latent for episode in datasets.read("random").episodes] == [None, None]


@pytest.mark.parametrize("name", ["ppo", "sac", "tqc", "crossq", "recurrent_ppo", "adaptive_vi"])
def test_latents_are_those_of_the_actions(name):
    _, steps = played(name, episodes=1)
    for _, action, _, _, latent in steps:
        assert latent.z.shape == (1, 1)
        assert latent.std.item() > 0
        np.testing.assert_allclose(action[0], 0.1 + 0.8 / (1 + np.exp(-latent.z[0, 0])), rtol=1e-5)


def test_a_policy_that_acts_by_its_mode_has_no_spread():
    env = make_env(QUADRATIC)
    agent = agents.make("ppo", env)
    agent.predict(env.reset(seed=0)[0], deterministic=True)
    assert agent.latent.std.item() == 0.0
    assert agent.latent.z == agent.latent.mean


def test_any_environment_is_recorded(datasets_folder):
    env = RecordTrajectories(gym.make("Pendulum-v1", max_episode_steps=5))
    env.reset(seed=1)
    for _ in range(5):
        env.step(np.array([9.0]))
    env.reset()
    env.step(np.array([0.5]))
    env.reset()  # breaks the second one off
    assert env.save("pendulum") == datasets_folder / "pendulum-v0"
    first, second = datasets.read("pendulum").episodes
    assert (first.terminated, first.truncated, first.steps, first.seed) == (False, True, 5, 1)
    assert (first.actions == 2.0).all()  # as it acted
    assert (second.terminated, second.truncated, second.steps, second.seed) == (False, True, 1, None)


def test_a_data_set_is_written_whole_or_not_at_all(datasets_folder, monkeypatch):
    env, _ = played()
    monkeypatch.setattr(minari, "create_dataset_from_buffers", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        env.save("mine/broken")
    assert not [path for path in datasets_folder.rglob("*") if path.name != "mine"]


def test_bad_input_is_one_sentence(monkeypatch):
    env, _ = played()
    env.save("taken")
    with pytest.raises(UserError, match="There is a data set taken-v0 already"):
        env.save("taken-v0")
    for name in ("a/b", "../up", "two words", ""):
        with pytest.raises(UserError, match="is no name of a data set"):
            env.save(name)
    with pytest.raises(UserError, match="no episode was logged"):
        RecordTrajectories(make_env(QUADRATIC)).save("empty")
    with pytest.raises(UserError, match="There is no data set none-v0"):
        datasets.read("none")
    (datasets.place("taken") / "data" / "main_data.hdf5").write_bytes(b"")
    with pytest.raises(UserError, match=r"taken-v0 in .* cannot be read"):
        datasets.read("taken")
    other, _ = played()
    other.unwrapped.spec.kwargs["model"] = object()
    with pytest.raises(UserError, match="in JSON"):
        other.save("objects")
    monkeypatch.setitem(sys.modules, "minari", None)
    with pytest.raises(UserError, match=r"unlearn-gym\[offline\]"):
        datasets.read("taken")


def test_a_full_disk_is_one_sentence_though_hdf5_tells_it_in_a_text(datasets_folder, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("file write failed: errno = 28, error message = 'No space left on device'")

    env, _ = played()
    monkeypatch.setattr(minari, "create_dataset_from_buffers", fail)
    with pytest.raises(UserError, match="free some space"):
        env.save("mine/broken")
    assert not [path for path in datasets_folder.rglob("*") if path.name != "mine"]
