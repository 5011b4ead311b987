"""Observations that look at samples on the way: what they say, when, and that looking changes nothing."""

import math
import pickle
from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest

from unlearn_gym.envs.spaces.judged import FEW, SEED
from unlearn_gym.envs.spaces.relative import RELATIVE
from unlearn_gym.errors import UserError
from unlearn_gym.processes.base import Quality

IDS = ("unlearn_gym/Posterior-Requests-v0", "unlearn_gym/EMSE-Requests-v0")
SMALL = {"state": "lagged", "batch_size": 8, "horizon": 10, "alpha": 0.0}
HERE = len(RELATIVE)


def make(name=IDS[0], **kwargs):
    return gym.make(name, **{**SMALL, "observation": "judged", **kwargs}).unwrapped


def run(env, updates, lam=0.4, **reset):
    seen = [env.reset(**reset)[0]] if reset else []
    return np.array(seen + [env.step(np.array([lam], np.float32))[0] for _ in range(updates)])


@pytest.mark.parametrize("name", IDS)
def test_looking_changes_nothing_else(name):
    judged, relative = (run(make(name, observation=kind), 5, seed=3) for kind in ("judged", "relative"))
    np.testing.assert_array_equal(judged[:, :HERE], relative)


@pytest.mark.parametrize("name", IDS)
def test_a_look_is_the_outcome_on_few_samples_and_the_errors_of_progress(name):
    env = make(name)
    first = run(env, 0, seed=3)[0]
    start = env.process.quality()
    assert first[HERE : HERE + 3].tolist() == [0.0, 0.0, 0.0]  # nothing is forgotten
    last = run(env, 4)[-1]
    now, meter = env.process.quality(), env.outcome_meter(FEW)
    found = meter.measure(env.process.model, env.asked.shown, SEED)
    wanted = [
        math.log(now.retain_loss / start.retain_loss),
        math.log(now.forget_loss / start.forget_loss),
        found.forgotten,
        found.label_kept,
        found.others_kept,
    ]
    np.testing.assert_allclose(last[HERE:], wanted, rtol=1e-5, atol=1e-6)
    assert env.observation_space.contains(last)


def test_the_numbers_stay_between_two_looks():
    seen = run(make(), 5, seed=0)[:, HERE : HERE + 2]  # T = 10: every second update is looked at
    assert [bool((a == b).all()) for a, b in pairwise(seen)] == [True, False] * 2 + [True]


def test_nobody_looks_at_the_end():
    seen = run(make(horizon=4), 4, seed=0)[:, HERE : HERE + 2]  # every update is looked at, but for the last
    assert [bool((a == b).all()) for a, b in pairwise(seen)] == [False] * 3 + [True]


def test_an_error_of_nothing_says_nothing(monkeypatch):
    env = make(IDS[1])
    monkeypatch.setattr(env.process, "quality", lambda: Quality(0.0, 0.5))
    assert run(env, 3, seed=0)[-1][HERE : HERE + 2].tolist() == [0.0, 0.0]


def test_an_episode_goes_on_after_a_kill():
    env = make()
    run(env, 3, seed=1)
    other = make()
    other.load_state_dict(env.state_dict())
    np.testing.assert_array_equal(run(env, 4), run(other, 4))
    fresh = pickle.loads(pickle.dumps(env))
    np.testing.assert_array_equal(run(fresh, 3, seed=1), run(make(), 3, seed=1))


def test_it_needs_requests():
    with pytest.raises(UserError, match="an id with Requests"):
        gym.make("unlearn_gym/SISS-Digits-v0", observation="judged")
