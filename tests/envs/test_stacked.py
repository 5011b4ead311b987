"""Stacked environments return what single ones return: observations, rewards, infos, ends and restarts."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from torch import nn

from tests.envs.small import small_kwargs
from unlearn_gym.agents.common import serialization
from unlearn_gym.envs.vector import Maker, in_a_stack_if_possible
from unlearn_gym.envs.vector.stacked import StackedVectorEnv
from unlearn_gym.errors import UserError

SEED, COUNT = 5, 3
DIFFUSION, SUPERVISED = "unlearn_gym/SISS-v0", "unlearn_gym/EMSE-v0"
POLYNOMIAL = "unlearn_gym/EMSE-Polynomial-v0"
VARYING = {"draw": None, "curves_kwargs": {"unwanted_share": (0.1, 0.9), "points": 60}, "learning_rate": 0.03}
LIKELIHOOD = {"objective": "likelihood", "reward": "loss"}


class Normalised(nn.Module):
    """A convolution and a layer with BatchNorm each, and Dropout, which stays off."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(64, 3)
        )
        self.head = nn.BatchNorm1d(3, momentum=0.3)

    def forward(self, x):
        return self.head(self.body(x))


class Peeking(nn.Module):
    """A network whose path depends on a number that it looks at."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, x):
        return self.layer(x) if x.sum().item() > 0 else -self.layer(x)


def normalised(folder):
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = Normalised()
    rng = np.random.default_rng(0)
    inputs, labels = rng.uniform(-1, 1, (30, 1, 6, 6)).astype(np.float32), rng.integers(0, 3, 30)
    return {
        **small_kwargs(SUPERVISED, folder),
        "model": model,
        "retain_data": (inputs[:20], labels[:20]),
        "forget_data": (inputs[20:], labels[20:]),
    }


PROBLEMS = {
    "diffusion": lambda folder: (DIFFUSION, small_kwargs(DIFFUSION, folder)),
    "classifier": lambda folder: (SUPERVISED, small_kwargs(SUPERVISED, folder)),
    "batch norm": lambda folder: (SUPERVISED, normalised(folder)),
    "regression": lambda folder: (POLYNOMIAL, {**small_kwargs(POLYNOMIAL, folder), **VARYING}),
}

CASES = [
    ("diffusion", {}),
    ("diffusion", {"state": "lagged", "optimizer": "adamw"}),
    (
        "diffusion",
        {"objective": "weighted", "reward": "progress", "optimizer": "sgd", "learning_rate": 0.1},
    ),
    ("diffusion", {"objective": "erasediff", "objective_kwargs": {"eta": 0.3}, "optimizer": "adam"}),
    (
        "diffusion",
        {
            "objective_kwargs": {"forget_scaling": "coef"},
            "optimizer": "signsgd",
            "grad_norms": False,
            "online": True,
        },
    ),
    ("classifier", {}),
    ("classifier", {**LIKELIHOOD, "state": "lagged", "optimizer": "sgd"}),
    ("batch norm", {}),
    ("batch norm", {**LIKELIHOOD, "grad_norms": False, "online": True}),
    ("batch norm", {"state": "lagged", "optimizer": "adamw"}),
    ("regression", {}),
    ("regression", {**LIKELIHOOD, "grad_norms": False, "state": "lagged"}),
    ("regression", {"draw": 3, "optimizer": "adamw", "online": True}),
]


def both(name, folder, choice):
    """Return stacked environments and the same ones in a loop."""
    env_id, kwargs = PROBLEMS[name](folder)
    kwargs = {"dtype": "float64", "learning_rate": 1e-3, "autoreset_mode": "SameStep", **kwargs, **choice}
    many = gym.make_vec(env_id, num_envs=COUNT, vectorization="stacked", **kwargs)
    each = gym.make_vec(env_id, num_envs=COUNT, vectorization="loop", **kwargs)
    assert many.metadata["autoreset_mode"] is each.metadata["autoreset_mode"]
    return many, each


def assert_same(found, expected, rtol=1e-6, atol=1e-8):
    """Compare what ``reset`` or ``step`` returned, whatever is nested in it."""
    if expected is None:
        assert found is None
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert_same(found[key], value, rtol, atol)
    elif isinstance(expected, tuple) or np.asarray(expected).dtype == object:
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other, rtol, atol)
    else:
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)


def assert_same_networks(many, each):
    """Compare weights and running statistics."""
    stack = many.stack
    for i, env in enumerate(each.envs):
        process = env.unwrapped.process
        torch.testing.assert_close(stack.weights[i], process._weights, rtol=1e-6, atol=1e-8)
        buffers = dict(process.model.named_buffers())
        for name, found in stack.network.statistics.items():
            torch.testing.assert_close(found[i], buffers.pop(name), rtol=1e-6, atol=1e-8)


def actions(steps):
    return np.random.default_rng(0).uniform(0.1, 0.9, (steps, COUNT, 1))


@pytest.mark.parametrize(("name", "choice"), CASES)
def test_equal_to_single_environments(tmp_path, name, choice):
    many, each = both(name, tmp_path, choice)
    assert_same(many.reset(seed=SEED), each.reset(seed=SEED))
    for action in actions(10):  # over the end of two episodes of 4
        assert_same(many.step(action), each.step(action))
    if choice.get("optimizer") != "signsgd":  # it moves weights without effect by the sign of a rounding
        assert_same_networks(many, each)
    assert_same(many.reset(seed=[8, None, 3]), each.reset(seed=[8, None, 3]))
    assert_same(many.step(actions(1)[0]), each.step(actions(1)[0]))


@pytest.mark.parametrize("name", PROBLEMS)
def test_equal_in_float32(tmp_path, name):
    many, each = both(name, tmp_path, {"dtype": "float32", "optimizer": "sgd"})
    assert_same(many.reset(seed=SEED), each.reset(seed=SEED), rtol=1e-4, atol=1e-5)
    for action in actions(3):
        assert_same(many.step(action), each.step(action), rtol=1e-4, atol=1e-5)


def test_minibatches_are_augmented_as_in_single_environments():
    kwargs = {"horizon": 4, "batch_size": 8, "task_kwargs": {"pretrain_epochs": 1}, "dtype": "float64"}
    task = {"id": "unlearn_gym/EMSE-ResNet20-v0", "num_envs": 2, "augment": True, **kwargs}
    many, each = (gym.make_vec(**task, vectorization=way) for way in ("stacked", "loop"))
    assert_same(many.reset(seed=SEED), each.reset(seed=SEED))
    action = actions(1)[0][:2]
    assert_same(many.step(action), each.step(action))


@pytest.mark.parametrize("name", PROBLEMS)
def test_divergence_is_of_one_environment(tmp_path, name):
    many, each = both(name, tmp_path, {"state": "lagged"})
    many.reset(seed=SEED)
    each.reset(seed=SEED)
    many.stack.weights.data[1] = float("nan")
    each.envs[1].unwrapped.process._weights.data.fill_(float("nan"))
    found, expected = (envs.step(np.full((COUNT, 1), 0.5)) for envs in (many, each))
    assert found[2].tolist() == [False, True, False]
    assert found[4]["final_info"]["diverged"][1]
    assert np.isfinite(found[4]["final_obs"][1]).all()
    assert many.stack.weights.isfinite().all()
    assert_same(found[:4], expected[:4])
    assert_same(many.step(actions(1)[0]), each.step(actions(1)[0]))


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("state", ["fresh", "lagged"])
def test_undo_takes_one_copy_back(tmp_path, name, state):
    many, each = both(name, tmp_path, {"state": state})
    many.reset(seed=SEED)
    each.reset(seed=SEED)
    for _ in range(2):
        many.step(actions(1)[0])
        each.step(actions(1)[0])
    many.stack.undo(1)
    each.envs[1].unwrapped.process.undo()
    assert_same(many.step(actions(1)[0]), each.step(actions(1)[0]))


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("state", ["fresh", "lagged"])
def test_goes_on_where_it_was_saved(tmp_path, name, state):
    first, _ = both(name, tmp_path, {"state": state})
    second, _ = both(name, tmp_path, {"state": state})
    first.reset(seed=SEED)
    first.step(actions(1)[0])
    serialization.save(tmp_path, "states", {str(k): env.state_dict() for k, env in enumerate(first.envs)})
    saved = serialization.load(tmp_path, "states")
    for k, env in enumerate(second.envs):
        env.load_state_dict(saved[str(k)])
    for action in actions(6):
        assert_same(second.step(action), first.step(action), rtol=1e-9)


def test_networks_that_cannot_be_stacked(tmp_path):
    kwargs = {**small_kwargs(SUPERVISED, tmp_path), "model": Peeking()}
    with pytest.raises(UserError, match="cannot map this network over copies"):
        gym.make_vec(SUPERVISED, num_envs=2, vectorization="stacked", **kwargs)
    maker = Maker(gym.spec(SUPERVISED).entry_point, kwargs)
    with pytest.warns(UserWarning, match="one after another"):
        assert isinstance(in_a_stack_if_possible(maker, 2, AutoresetMode.NEXT_STEP), SyncVectorEnv)
    maker = Maker(gym.spec(SUPERVISED).entry_point, small_kwargs(SUPERVISED, tmp_path))
    with pytest.warns(UserWarning, match="experimental"):
        assert isinstance(in_a_stack_if_possible(maker, 2, AutoresetMode.NEXT_STEP), StackedVectorEnv)
    with pytest.raises(UserError, match="cannot stack QuadraticProcess"):
        gym.make_vec("unlearn_gym/Quadratic-v0", num_envs=2, vectorization="stacked")


MODES = [mode for mode in AutoresetMode if mode is not AutoresetMode.DISABLED]


@pytest.mark.parametrize("online", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_every_autoreset_mode_does_what_a_loop_does(tmp_path, mode, online):
    many, each = both("regression", tmp_path, {"autoreset_mode": mode, "online": online})
    assert_same(many.reset(seed=SEED), each.reset(seed=SEED))
    many.step(actions(1)[0])
    each.step(actions(1)[0])
    many.stack.weights.data[1] = float("nan")
    process = each.envs[1].unwrapped.process
    process._weights.data.fill_(float("nan"))
    process._side_gradients = many.stack._measured = None
    for action in actions(8):  # one diverges, starts over or goes on where it was, and then all end
        assert_same(many.step(action), each.step(action))
    mask = np.array([False, True, True])
    assert_same(*(envs.reset(seed=1, options={"reset_mask": mask.copy()}) for envs in (many, each)))
    assert_same(many.step(action), each.step(action))


BLOWN_UP = [
    # the probe is NaN while the update and the lagged signals are finite
    (
        "unlearn_gym/EMSE-Digits-v0",
        {"optimizer": "sgd", "learning_rate": 1e10, "max_grad_norm": float("inf")},
    ),
    # the reward is -inf
    (POLYNOMIAL, {"optimizer": "sgd", "learning_rate": 1e18, "max_grad_norm": float("inf")}),
]


@pytest.mark.parametrize("way", ["loop", "stacked"])
@pytest.mark.parametrize("state", ["fresh", "lagged"])
@pytest.mark.parametrize(("env_id", "kwargs"), BLOWN_UP)
def test_numbers_that_are_not_finite_end_the_episode(env_id, kwargs, state, way):
    envs = gym.make_vec(
        env_id, num_envs=2, vectorization=way, state=state, online=True, autoreset_mode="SameStep", **kwargs
    )
    envs.reset(seed=0)
    for _ in range(20):
        observations, rewards, terminations, _, infos = envs.step(np.full((2, 1), 0.9))
        assert np.isfinite(observations).all() and np.isfinite(rewards.astype(np.float32)).all()
        if terminations.any():
            break
    assert infos["final_info"]["diverged"][terminations].all()
    assert (rewards[terminations] < -1).all()  # the penalty of the steps that are left
    weights = envs.stack.weights if way == "stacked" else envs.envs[0].unwrapped.process._weights
    assert weights.isfinite().all()
    if state == "fresh":  # what is observed belongs to the weights that the run goes on with
        last = np.flatnonzero(terminations)[0]
        if way == "stacked":
            envs.stack._forget_measures()
            envs.stack._observe()
        measured = (
            envs.stack.signals[last] if way == "stacked" else envs.envs[last].unwrapped.process.observe()
        )
        np.testing.assert_allclose(observations[last, :4], list(vars(measured).values()), rtol=1e-5)
