"""Every id with other observations and actions, and what the factor of the learning rate does to an update."""

import copy
import pickle
import warnings

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3

from tests.envs.small import IDS, small_kwargs
from tests.envs.test_registry import ADVICE, actions_of, rollout
from unlearn_gym.errors import UserError
from unlearn_gym.processes.common.optimizers import OPTIMIZERS
from unlearn_gym.processes.stacked.choice import NotStackable

BOTH = ("lambda", "learning_rate")
RELATIVE = {"observation": "relative", "action": "logit"}
BIG = ("VGG16BN", "MobileNetV2", "ResNet20", "Trousers")
"""Ids whose networks take seconds a test; the others are of the same classes."""
ALL = {**RELATIVE, "control": BOTH}
FAMILIES = [
    f"unlearn_gym/{name}-v0" for name in ("SISS-Digits", "Weighted-Digits", "EMSE", "EMSE-Polynomial")
]
NAMES = [id for param in IDS for id in getattr(param, "values", (param,))]
SLOW = pytest.mark.slow
CASES = [pytest.param(id, ALL, marks=SLOW if any(word in id for word in BIG) else ()) for id in NAMES]
CASES += [(id, {"control": BOTH, "state": "lagged"}) for id in FAMILIES]
CASES += [(id, {**RELATIVE, "grad_norms": False, "state": "lagged"}) for id in FAMILIES]
DIGITS = "unlearn_gym/Weighted-Digits-v0"


def made(env_id, folder, **options):
    kwargs = {**small_kwargs(env_id, folder), **options}
    return gym.make(env_id, **kwargs).unwrapped


@pytest.mark.parametrize(("env_id", "choice"), CASES)
def test_every_id_keeps_the_rules_of_the_house(env_id, choice, tmp_path):
    if "Quadratic" in env_id:  # it has no learning rate
        choice = {name: value for name, value in choice.items() if name in RELATIVE}
    env = made(env_id, tmp_path, **choice)
    other = pickle.loads(pickle.dumps(env))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=f".*{ADVICE}.*")
        check_env(env, skip_render_check=True)
        check_env_for_sb3(env)
    actions = actions_of(env)
    shown = rollout(env, actions, seed=3)
    assert all(np.isfinite(part).all() for part in shown)
    for x, y in zip(shown, rollout(other, actions, seed=3), strict=True):
        np.testing.assert_array_equal(x, y)
    # a killed run goes on bit by bit
    env.reset(seed=0)
    env.step(actions[0])
    other.load_state_dict(copy.deepcopy(env.state_dict()))
    for action in (actions[1], env.action_space.low, env.action_space.high):
        x, y = env.step(action), other.step(action)
        np.testing.assert_array_equal(x[0], y[0])
        assert x[1:] == y[1:] and np.isfinite(x[0]).all() and not x[4]["clipped"]


def test_the_usual_numbers_are_what_they_were(tmp_path):
    """λ said by log-odds, and a factor of 1, move the weights as λ alone does."""
    plain = made(DIGITS, tmp_path)
    others = [
        made(DIGITS, tmp_path, **choice) for choice in ({"control": BOTH}, {**RELATIVE, "control": BOTH})
    ]
    for env in (plain, *others):
        env.reset(seed=0)
        for lam in (0.3, 0.3, 0.7):
            action = env.encoding.encode(lam, 1.0)
            *_, info = env.step(action)
            assert info["lambda"] == pytest.approx(lam, rel=1e-5) and not info["clipped"]
    for env in others:
        torch.testing.assert_close(env.process._weights, plain.process._weights, rtol=1e-4, atol=1e-6)
    assert torch.equal(others[0].process._weights, plain.process._weights)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_factor_is_that_of_the_learning_rate(tmp_path, optimizer):
    factors, rate = (4.0, 0.25, 1.0, 3.0), 1e-3
    env = made(DIGITS, tmp_path, control=BOTH, optimizer=optimizer, learning_rate=rate, dtype="float64")
    for _ in range(2):  # a reset goes back to the rate itself
        env.reset(seed=0)
        process = env.process
        weights = process._weights.detach().clone()
        rule = OPTIMIZERS[optimizer]([weights], rate)
        for factor in factors:
            *_, info = env.step([0.3, factor])
            rule.param_groups[0]["lr"] = rate * factor
            weights.grad = process._weights.grad
            rule.step()
            assert info["learning_rate"] == pytest.approx(rate * factor)
            torch.testing.assert_close(process._weights.detach(), weights, rtol=1e-12, atol=1e-15)
        assert env.reset(seed=0)[1]["learning_rate"] == rate


def test_the_first_step_of_adam_by_hand(tmp_path):
    moved = []
    for factor in (1.0, 4.0):
        env = made(DIGITS, tmp_path, control=BOTH, learning_rate=1e-3, dtype="float64", max_grad_norm=np.inf)
        env.reset(seed=0)
        before = env.process._weights.detach().clone()
        env.step([0.3, factor])
        gradient = env.process._weights.grad
        moved.append(env.process._weights.detach() - before)
        torch.testing.assert_close(
            moved[-1], -factor * 1e-3 * gradient / (gradient.abs() + 1e-8), rtol=1e-6, atol=1e-12
        )
    torch.testing.assert_close(moved[1], 4 * moved[0], rtol=1e-6, atol=1e-12)


def test_the_budget_is_that_of_the_environment(tmp_path):
    for rate, horizon in ((1e-3, 4), (2e-4, 9)):
        env = made(DIGITS, tmp_path, observation="relative", learning_rate=rate, horizon=horizon)
        shown = env.reset(seed=0)[0]
        np.testing.assert_allclose(shown[7:], np.log([horizon / 50, rate / 5e-4]) / 2, rtol=1e-6)
        assert shown[4] == pytest.approx(env._signals.forget_loss / 0.15)
    env = made("unlearn_gym/Posterior-Digits-v0", tmp_path, observation="relative")
    assert env.reset(seed=0)[0][4] == 1.0


def test_stacked_copies_see_what_single_ones_see(tmp_path):
    own = "unlearn_gym/SISS-v0"
    kwargs = {**small_kwargs(own, tmp_path), **RELATIVE, "objective": "weighted", "reward": "progress"}
    kwargs |= {"dtype": "float64", "autoreset_mode": "SameStep"}
    with pytest.warns(UserWarning, match="experimental"):
        many = gym.make_vec(own, num_envs=2, vectorization="stacked", **kwargs)
    each = gym.make_vec(own, num_envs=2, vectorization="loop", **kwargs)
    shown = [envs.reset(seed=5)[0] for envs in (many, each)]
    np.testing.assert_allclose(*shown, rtol=1e-5, atol=1e-6)
    for action in np.random.default_rng(0).uniform(-1, 1, (6, 2, 1)):
        np.testing.assert_allclose(many.step(action)[0], each.step(action)[0], rtol=1e-4, atol=1e-5)


def test_a_stack_has_one_learning_rate(tmp_path):
    kwargs = {**small_kwargs(DIGITS, tmp_path), "control": BOTH}
    with pytest.raises(NotStackable, match="leave control= out"):
        gym.make_vec(DIGITS, num_envs=2, vectorization="stacked", **kwargs)


def test_quadratic_has_no_learning_rate():
    with pytest.raises(UserError, match="no learning rate to control"):
        gym.make("unlearn_gym/Quadratic-v0", control=BOTH)
