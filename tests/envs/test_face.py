"""What outside tools count on in every id: infos of one form, finite numbers, pictures, ends of the λ range."""

import gymnasium as gym
import numpy as np
import pytest
import torch

from tests.envs.small import IDS, small_kwargs
from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.rewards import REWARDS, LossReward
from unlearn_gym.errors import UserError
from unlearn_gym.processes.base import Process, Quality, Signals, Update

TYPES = {"step": int, "lambda": float, "clipped": bool, "diverged": bool, "loss": float}
TYPES |= {"dloss_dlambda": float, "dvariance_dlambda": float}
NAN, INF = float("nan"), float("inf")


@pytest.fixture(params=IDS)
def make(request, tmp_path):
    return lambda **kwargs: (
        gym.make(request.param, **{**small_kwargs(request.param, tmp_path), **kwargs}).unwrapped
    )


def form(info):
    """Return the keys and types of a nested dictionary."""
    return {key: form(value) if isinstance(value, dict) else type(value) for key, value in info.items()}


def test_info_has_one_form(make):
    env = make()
    _, first = env.reset(seed=0)
    *_, second = env.step(env.action_space.low)
    own = {"request": str} if "request" in env.reset_options else {}
    terms = dict.fromkeys((*env._sides, "smoothness", "divergence"), float)
    assert form(first) == form(second) == {**TYPES, "reward_terms": terms, **own}
    if hasattr(env.process, "model"):
        with torch.no_grad():
            env.process._weights.fill_(NAN)
        env.process._side_gradients = None
        *_, last = env.step(env.action_space.low)
        assert last["diverged"] and form(last) == form(first)


def test_info_of_many_has_one_form(make):
    env = make()
    envs = gym.vector.SyncVectorEnv([lambda: env])
    first, second = envs.reset(seed=0)[1], envs.step(env.action_space.low[None])[4]
    assert first.keys() == second.keys()
    assert {k: v.dtype for k, v in first.items() if k != "reward_terms"} == {
        k: v.dtype for k, v in second.items() if k != "reward_terms"
    }


def test_beyond_the_ends_is_at_the_ends(make):
    env = make()
    space, encoding = env.action_space, env.unwrapped.encoding
    for end, beyond, lam in ((space.low, -0.1, encoding.low), (space.high, 0.1, encoding.high)):
        observations = []
        for action in (end, end + np.float32(beyond)):
            env.reset(seed=0)
            observations.append(env.step(action)[0])
            assert observations[-1][4] == np.float32(lam)
        np.testing.assert_array_equal(*observations)


def test_pictures_have_one_size_and_even_sides(make):
    env = make(render_mode="rgb_array")
    env.reset(seed=0)
    first = env.render()
    env.step(env.action_space.low)
    second = env.render()
    assert first.shape == second.shape and first.dtype == np.uint8 and (first != second).any()
    assert not first.shape[0] % 2 and not first.shape[1] % 2


class Scripted(Process):
    """A process that shows what it is told to."""

    def __init__(self):
        self.undone = -1
        self.undo()

    def reset(self, rng):
        return self.signals

    def observe(self):
        return self.signals

    def update(self, lam):
        return self.answer

    def undo(self):
        self.undone += 1
        self.signals, self.answer = Signals(0.1, 0.2, 0.3, 0.4), Update(0.1, 0.2, -0.1)
        self.losses = Quality(0.1, 0.2)

    def quality(self):
        return self.losses

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def scripted(reward):
    return UnlearningEnv(
        Scripted(),
        horizon=10,
        lambda_range=(0.0, 1.0),
        alpha=0.0,
        reward=reward,
        reward_kwargs={"forget_cap": 0.5, "retain_weight": 10.0}
        if reward in ("progress", "balance")
        else None,
        divergence_penalty=2.0,
        online=True,
        render_mode=None,
    )


BROKEN = [
    ("progress", "losses", Quality(NAN, 0.2)),
    ("progress", "losses", Quality(0.2, NAN)),
    ("progress", "losses", Quality(0.2, INF)),
    ("balance", "losses", Quality(INF, 0.2)),
    ("loss", "signals", Signals(0.1, 0.2, INF, 0.4)),
    ("loss", "answer", Update(INF, INF, 0.0)),
    ("loss", "answer", Update(1e39, 1e39, 0.0)),  # finite, but not in float32
    ("loss", "answer", Update(0.1, 0.2, -0.1, dloss_dlambda=NAN)),
    ("loss", "answer", Update(0.1, 0.2, -0.1, dvariance_dlambda=INF)),
]


@pytest.mark.parametrize(("reward", "what", "value"), BROKEN)
def test_a_number_that_is_not_finite_is_a_divergence(reward, what, value):
    env = scripted(reward)
    env.reset(seed=0)
    _, usual, *_ = env.step([0.5])
    setattr(env.process, what, value)
    observation, earned, terminated, truncated, info = env.step([0.5])
    assert terminated and not truncated and info["diverged"] and env.process.undone == 1
    assert earned == info["reward_terms"]["divergence"] == -2.0 * 9
    assert np.isfinite(observation).all()
    env.reset()  # online: it goes on, and the ruined numbers are forgotten
    assert env.step([0.5])[1] == pytest.approx(usual)


@pytest.mark.parametrize(("found", "seen"), [(0.7, 0.7), (NAN, 0.1)])
def test_after_a_divergence_the_weights_that_it_went_back_to_are_observed(found, seen):
    env = scripted("loss")
    env.reset(seed=0)
    env.process.answer = Update(0.0, 0.0, 0.0, diverged=True)
    env.process.signals = Signals(found, 0.2, 0.3, 0.4)  # of the next minibatch
    assert env.step([0.5])[0][0] == env.reset()[0][0] == np.float32(seen)


@pytest.mark.parametrize("reward", ["progress", "balance"])
def test_a_wreck_costs_no_more_than_the_reward_says(reward):
    env = scripted(reward)
    env.reset(seed=0)
    env.process.losses = Quality(9.0, 0.2)
    *_, info = env.step([0.5])
    assert info["reward_terms"]["retain"] == pytest.approx(-89.0)
    env.process.losses = Quality(1e9, 0.2)
    lost = env.step([0.5])[1] + info["reward_terms"]["retain"]
    assert lost == pytest.approx(-100.0 if reward == "progress" else -99.0)  # that of balance starts at −1
    env.process.losses = Quality(1e12, 0.2)
    assert env.step([0.5])[1] == 0.0


@pytest.mark.parametrize(
    ("reward", "what", "value"),
    [
        ("progress", "losses", Quality(NAN, 1.0)),
        ("balance", "losses", Quality(1.0, INF)),
        ("loss", "signals", Signals(0.1, NAN, 0.3, 0.4)),
    ],
)
def test_a_broken_start_is_one_sentence(reward, what, value):
    env = scripted(reward)
    setattr(env.process, what, value)
    with pytest.raises(UserError, match=r"are not finite .*; check its weights and the data"):
        env.reset(seed=0)
    with pytest.raises(UserError, match="call reset"):
        env.step([0.5])


class Moody(LossReward):
    def terms(self, update, process):
        return {"mood": 1.0}


def test_a_reward_names_its_terms(monkeypatch):
    monkeypatch.setitem(REWARDS, "moody", Moody)
    env = scripted("moody")
    env.reset(seed=0)
    with pytest.raises(UserError, match="class attribute called names"):
        env.step([0.5])
    monkeypatch.setattr(Moody, "names", ("mood",))
    env = scripted("moody")
    assert set(env.reset(seed=0)[1]["reward_terms"]) == {"mood", "smoothness", "divergence"}
    assert env.step([0.5])[1] == 1.0
