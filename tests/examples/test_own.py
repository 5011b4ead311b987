"""The examples of own models and environments run, small."""

import pickle
import re

import gymnasium as gym
import numpy as np
import pytest
from diffusers import DDPMPipeline

from examples.own.environment_family import RecommenderEnv, RecommenderProcess


def test_an_own_checkpoint_becomes_an_unlearned_one(play, tmp_path):
    said = play("own/diffusion_checkpoint.py", "--training", 20, "--updates", 2, "--output", "first")
    assert said.count("update ") == 3 and len(list((tmp_path / "first").glob("*.png"))) == 16
    # what it wrote is a checkpoint of one's own again, with images in files
    for name in ("keep", "forget"):
        noise = np.random.default_rng(len(name)).uniform(-1, 1, (20, 1, 8, 8))
        np.save(tmp_path / f"{name}.npy", noise.astype(np.float32))
    own = ("--model", "first", "--keep", "keep.npy", "--forget", "forget.npy")
    play("own/diffusion_checkpoint.py", *own, "--updates", 1, "--output", "second")
    one, other = (DDPMPipeline.from_pretrained(tmp_path / name).unet for name in ("first", "second"))
    assert not one.conv_in.weight.equal(other.conv_in.weight)
    with pytest.raises(SystemExit):  # a folder that is there is not written over
        play("own/diffusion_checkpoint.py", "--output", "second")


def test_a_classifier_is_compared_with_the_retrained_one(play, tmp_path):
    words = ("--training", 80, "--updates", 10, "--output", "out")
    said = play("own/classifier.py", *words)
    shares = {name: re.findall(r"([\d.]+)%", line) for name, line in re.findall(r"(?m)^(\w+) (.*%.*)$", said)}
    assert list(shares) == ["before", "unlearned", "retrained"] and shares["retrained"][1:] == [
        "0.0",
        "100.0",
    ]
    assert float(shares["before"][1]) > 50
    assert (tmp_path / "out" / "unlearned" / "model.safetensors").is_file()
    assert play("own/classifier.py", *words).splitlines() == said.splitlines()  # done already


def test_a_new_family_trades_off_keeping_and_forgetting(play, monkeypatch):
    monkeypatch.delitem(gym.registry, "example/Recommender-v0", raising=False)  # the import above made it
    said = play("own/environment_family.py")
    rows = [list(map(float, line.split())) for line in said.splitlines() if re.match(r" +0\.\d ", line)]
    by_lambda = {lam: (total, retain, forget) for lam, total, retain, forget in rows}
    assert len(rows) == 7 and by_lambda[0.0][2] < 0.05 and by_lambda[0.3][2] > 1.0
    assert by_lambda[0.3][0] > max(by_lambda[0.0][0], by_lambda[0.9][0])


def test_the_recommenders_gradient_is_the_slope_of_its_loss():
    process = RecommenderProcess()
    rng = np.random.default_rng(0)
    direction, at = rng.standard_normal(process.weights.shape), rng.standard_normal(process.weights.shape)
    assert process._side(process.forget)[0] < 0.05  # the original knows what is to be forgotten
    process.weights, ends = at, []
    gradient = process._side(process.forget)[1]
    for h in (1e-5, -1e-5):
        process.weights = at + h * direction
        ends.append(process._side(process.forget)[0])
    assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(float((gradient * direction).sum()), rel=1e-6)


def test_the_recommender_is_seeded_goes_on_and_is_copied():
    env = RecommenderEnv(horizon=4, render_mode="rgb_array")
    copy = pickle.loads(pickle.dumps(env))
    for one in (env, copy):
        one.reset(seed=3)
        shown = [one.step([0.4])[0] for _ in range(2)]
    state, picture = env.state_dict(), env.render()
    last = env.step([0.9])
    copy.load_state_dict(state)
    again = copy.step([0.9])
    np.testing.assert_array_equal(last[0], again[0])
    assert last[1:4] == again[1:4] and not np.array_equal(shown[0], shown[1]) and picture.std() > 0
