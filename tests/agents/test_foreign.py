"""Models that were trained with Stable-Baselines3 itself: they act as their own ``predict`` says, and run no code."""

import base64
import functools
import io
import json
import os
import pickle
import zipfile

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import TQC, CrossQ, RecurrentPPO
from stable_baselines3 import A2C, DDPG, PPO, SAC, TD3
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import nn

from unlearn_gym import agents
from unlearn_gym.agents.imports import inert_pickle
from unlearn_gym.errors import UserError

ID = "unlearn_gym/Quadratic-v0"
ON = {"n_steps": 16, "batch_size": 16, "n_epochs": 1}
OFF = {"learning_starts": 4, "buffer_size": 50, "batch_size": 4}
MODELS = {
    "ppo": (PPO, ON),
    "ppo relu": (PPO, ON | {"policy_kwargs": {"net_arch": {"pi": [8], "vf": [4]}, "activation_fn": nn.ReLU}}),
    "ppo sde": (PPO, ON | {"use_sde": True}),
    "a2c": (A2C, {"n_steps": 8}),
    "recurrent": (RecurrentPPO, ON | {"policy_kwargs": {"lstm_hidden_size": 8}}),
    "sac": (SAC, OFF | {"policy_kwargs": {"net_arch": [16, 8]}}),
    "sac sde": (SAC, OFF | {"use_sde": True}),
    "td3": (TD3, OFF | {"policy_kwargs": {"activation_fn": nn.ELU}}),
    "ddpg": (DDPG, OFF | {"policy_kwargs": {"net_arch": [16]}}),
    "tqc": (TQC, OFF | {"policy_kwargs": {"net_arch": [16]}}),
    "crossq": (CrossQ, OFF | {"policy_kwargs": {"net_arch": [16]}}),
}


@pytest.fixture
def env():
    return gym.make(ID)


@functools.cache
def trained(name, normalized=False):
    """A model after a few steps, and its environments."""
    kind, keywords = MODELS[name]
    venv = DummyVecEnv([lambda: gym.make(ID)])
    venv = VecNormalize(venv) if normalized else venv
    policy = "MlpLstmPolicy" if kind is RecurrentPPO else "MlpPolicy"
    return kind(policy, venv, seed=1, **keywords).learn(24), venv


def observations(n=20):
    env = gym.make(ID)
    first, _ = env.reset(seed=5)
    return [first, *(env.step([0.3])[0] for _ in range(min(n, 9)))]


def assert_alike(agent, model, venv=None):
    """The actions are those of the model's own ``predict``, along an episode with its memory."""
    state, own = None, None
    start = np.ones(1, bool)
    for seen in observations():
        scaled = seen if venv is None else venv.normalize_obs(seen)
        found, state = agent.predict(seen, state, start, deterministic=True)
        expected, own = model.predict(scaled, own, start, deterministic=True)
        np.testing.assert_array_equal(found, expected)
        assert agent.action_space.contains(found)
        start = np.zeros(1, bool)
    batch = np.stack(observations())
    if "Recurrent" not in type(model).__name__:
        scaled = batch if venv is None else venv.normalize_obs(batch)
        expected, _ = model.predict(scaled, deterministic=True)
        np.testing.assert_array_equal(agent.predict(batch, deterministic=True)[0], expected)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("normalized", [False, True], ids=["raw", "normalized"])
def test_zip_acts_as_the_model_itself(name, normalized, env, tmp_path):
    model, venv = trained(name, normalized)
    model.save(tmp_path / "model.zip")
    spec = str(tmp_path / "model.zip")
    if normalized:
        venv.save(str(tmp_path / "vecnormalize.pkl"))
        spec += f":{tmp_path / 'vecnormalize.pkl'}"
    own = type(model).load(tmp_path / "model.zip")
    for agent in (agents.load(spec, env), agents.resolve(spec, env), agents.resolve(model, env)):
        assert_alike(agent, own, venv if normalized else None)


def test_draws_follow_the_seed_and_leave_the_global_generators_alone(env, tmp_path):
    trained("ppo")[0].save(tmp_path / "model.zip")
    before = torch.get_rng_state()
    agent = agents.load(tmp_path / "model.zip", env)
    drawn = []
    for seed in (1, 1, 2):
        agent.begin(seed)
        drawn.append([float(agent.predict(seen)[0][0]) for seen in observations()])
    assert drawn[0] == drawn[1] != drawn[2]
    assert before.equal(torch.get_rng_state())


def test_whether_observations_were_scaled_is_never_guessed(env, tmp_path, monkeypatch):
    model, venv = trained("sac", normalized=True)
    monkeypatch.setattr(
        model, "_last_obs", venv.normalize_obs(np.zeros((1, 6), np.float32))
    )  # no raw loss is below zero
    model.save(tmp_path / "model.zip")
    with pytest.raises(UserError, match=r"scaled observations; give the file .*model.zip:.*vecnormalize.pkl"):
        agents.load(tmp_path / "model.zip", env)
    other = tmp_path / "other"
    other.mkdir()
    trained("sac")[0].save(other / "model.zip")
    agents.load(other / "model.zip", env)
    venv.save(str(other / "vec_normalize.pkl"))
    with pytest.raises(UserError, match=r"vec_normalize\.pkl lies beside"):
        agents.load(other / "model.zip", env)
    assert agents.load(f"{other / 'model.zip'}:raw", env).normalizer is None


def test_other_spaces_are_refused(env, tmp_path):
    model, _ = trained("sac")
    model.save(tmp_path / "model.zip")
    narrow = gym.make(ID, lambda_range=(0.2, 0.8))
    for what in (tmp_path / "model.zip", model):
        with pytest.raises(UserError, match="same lambda_range"):
            agents.resolve(what, narrow)
    PPO("MlpPolicy", gym.wrappers.NormalizeObservation(env)).save(tmp_path / "wrapped.zip")
    with pytest.raises(UserError, match="other observations"):
        agents.load(tmp_path / "wrapped.zip", env)
    PPO("MlpPolicy", gym.make("CartPole-v1")).save(tmp_path / "cart.zip")
    with pytest.raises(UserError, match="a space that is no Box"):
        agents.load(tmp_path / "cart.zip", env)


class Evil:
    def __reduce__(self):
        return os.system, ("touch evil",)


def rewritten(path, change, weights=None):
    """Write the zip at ``path`` again, with its JSON and weights changed."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    data = json.loads(parts["data"])
    change(data)
    parts["data"] = json.dumps(data).encode()
    parts["policy.pth"] = parts["policy.pth"] if weights is None else weights
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def pickled(value):
    return {":type:": "x", ":serialized:": base64.b64encode(pickle.dumps(value)).decode()}


def saved(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("change", "weights", "message"),
    [
        (
            lambda data: data.update(policy_class=pickled(Evil())),
            None,
            "classes are never taken from a pickle",
        ),
        (lambda data: data.update(policy_class=pickled(dict)), None, "builtins.dict"),
        (lambda data: data.update(policy_kwargs=pickled({"net_arch": Evil()})), None, "net_arch="),
        (lambda data: data.update(policy_kwargs=pickled({"activation_fn": Evil})), None, "activation_fn="),
        (lambda data: data.update(policy_kwargs={"net_arch": "abc"}), None, "do not fit"),
        (lambda data: data.update(policy_kwargs={"net_arch": [7]}), None, "do not fit"),
        (lambda data: data.update(observation_space=pickled(Evil())), None, "no Box"),
        (lambda data: data.pop("action_space"), None, "no 'action_space'"),
        (lambda data: data.update(_last_obs=pickled(Evil())), None, "is no array"),
        (lambda data: data.update(policy_kwargs={":serialized:": "AAAA"}), None, "no readable pickle"),
        (lambda data: None, pickle.dumps(Evil(), 2), "cannot be read"),
        (lambda data: None, saved({"a": Evil()}), "cannot be read"),
        (lambda data: None, saved({"a": torch.tensor(float("nan"))}), "a is not finite"),
        (lambda data: None, saved([1]), "cannot be read"),
    ],
)
def test_damaged_and_hostile_zips_are_a_sentence_and_run_nothing(
    change, weights, message, env, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    trained("ppo")[0].save(tmp_path / "model.zip")
    rewritten(tmp_path / "model.zip", change, weights)
    with pytest.raises(UserError, match=message) as error:
        agents.load("model.zip", env)
    assert "\n" not in str(error.value) and "model.zip" in str(error.value)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("content", [b"", b"PK", pickle.dumps(Evil()), pickle.dumps([1]), b"\x80\x05."])
def test_other_files_are_a_sentence_and_run_nothing(content, env, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.zip").write_bytes(content)
    (tmp_path / "broken.pkl").write_bytes(content)
    trained("ppo")[0].save(tmp_path / "model.zip")
    for spec in ("broken.zip", "model.zip:broken.pkl", "model.zip:missing.pkl", "missing.zip"):
        with pytest.raises(UserError, match=spec.split(":")[-1]):
            agents.resolve(spec, env)
    assert not (tmp_path / "evil").exists()


def test_descriptions_of_arrays_are_read_whatever_the_protocol():
    values = [np.arange(6, dtype=">f4").reshape(2, 3, order="F"), np.float64(2.5), np.array(True), 3]
    for protocol in (3, 4, 5):
        for value in values:
            found = inert_pickle.array(inert_pickle.read(pickle.dumps(value, protocol)))
            np.testing.assert_array_equal(found, value)
