"""What every registered id must do; a new id is tested without touching this file."""

import pickle
import warnings

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_env_for_sb3

from tests.envs.small import IDS, small_kwargs
from unlearn_gym.errors import UserError
from unlearn_gym.processes.base import SIGNALS, STATE

ADVICE = "symmetric and normalized"
"""Both checkers advise actions in [-1, 1]; ours are λ itself, as the paper has it."""


@pytest.fixture(params=IDS)
def make(request, tmp_path):
    return lambda **kwargs: (
        gym.make(request.param, **{**small_kwargs(request.param, tmp_path), **kwargs}).unwrapped
    )


def test_the_observation_is_the_state_by_its_names(make):
    env = make()
    env.reset(seed=0)
    observation, *_ = env.step(env.action_space.high)
    state = dict(zip(STATE, observation.tolist(), strict=True))
    assert state["previous_lambda"] == env.action_space.high[0]
    assert state["time"] == pytest.approx(1 / env.horizon)
    assert [state[name] for name in SIGNALS] == pytest.approx(
        [getattr(env._signals, name) for name in SIGNALS]
    )


def rollout(env, actions, **reset):
    """Return everything an episode shows, as one list of arrays."""
    observation, _ = env.reset(**reset)
    shown = [observation]
    for action in actions:
        observation, reward, terminated, truncated, info = env.step(action)
        terms = list(info["reward_terms"].values())
        shown += [observation, np.array([reward, terminated, truncated, info["loss"], *terms])]
        if terminated:
            break
    return shown


def actions_of(env, count=4, seed=0):
    env.action_space.seed(seed)
    return [env.action_space.sample() for _ in range(count)]


def test_both_checkers_find_nothing(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=f".*{ADVICE}.*")
        check_env(make(), skip_render_check=True)
        check_env_for_sb3(make())


def test_two_instances_with_one_seed_show_the_same(make):
    a, b = make(), make()
    for x, y in zip(rollout(a, actions_of(a), seed=3), rollout(b, actions_of(b), seed=3), strict=True):
        np.testing.assert_array_equal(x, y)


def test_another_seed_shows_something_else(make):
    env = make()
    actions = actions_of(env)
    first, second = (rollout(env, actions, seed=seed) for seed in (0, 1))
    assert any((x != y).any() for x, y in zip(first, second, strict=True))


def test_global_random_state_is_left_alone(make):
    env = make()
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    rollout(env, actions_of(env), seed=0)
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])


def test_pickled_copy_behaves_the_same(make):
    env = make()
    copy = pickle.loads(pickle.dumps(env))
    for x, y in zip(
        rollout(env, actions_of(env), seed=1), rollout(copy, actions_of(env), seed=1), strict=True
    ):
        np.testing.assert_array_equal(x, y)


def test_state_dict_goes_on_where_it_was_taken(make):
    env, other = make(), make()
    actions = actions_of(env)
    env.reset(seed=0)
    env.step(actions[0])
    other.reset(seed=9)
    other.load_state_dict(env.state_dict())
    for action in actions[1:]:
        x, y = env.step(action), other.step(action)
        np.testing.assert_array_equal(x[0], y[0])
        assert x[1:4] == y[1:4]


@pytest.mark.parametrize("end", ["low", "high"])
def test_both_ends_of_the_range_stay_finite(make, end):
    env = make()
    shown = rollout(env, [getattr(env.action_space, end)] * 4, seed=0)
    assert all(np.isfinite(part).all() for part in shown)


def test_reward_terms_sum_to_the_reward_and_the_end_is_a_termination(make):
    env = make()
    env.reset(seed=0)
    for step, action in enumerate(actions_of(env)):
        _, reward, terminated, truncated, info = env.step(action)
        assert sum(info["reward_terms"].values()) == pytest.approx(reward)
        assert {"smoothness"} <= set(info["reward_terms"])
        assert terminated == (step == 3) and not truncated


def test_the_ends_of_the_action_space_are_not_outside():
    env = gym.make("unlearn_gym/Quadratic-v0", lambda_range=(0.3, 0.8))  # neither is a float32
    env.reset(seed=0)
    ends = (env.action_space.low, env.action_space.high)
    assert not any(env.step(end)[4]["clipped"] for end in ends)


def test_actions_outside_are_clipped_and_said_so(make):
    env = make()
    env.reset(seed=0)
    info = env.step(env.action_space.high + 1)[4]
    assert info["clipped"] and info["lambda"] == pytest.approx(float(env.action_space.high[0]))
    assert not env.step((env.action_space.low + env.action_space.high) / 2)[4]["clipped"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, [0.1, 0.2]])
def test_actions_that_are_no_number_raise(make, bad):
    env = make()
    env.reset(seed=0)
    with pytest.raises(UserError, match="finite"):
        env.step(np.asarray(bad))


def test_divergence_terminates_with_finite_numbers(make):
    env = make()
    if not hasattr(env.process, "model"):
        pytest.skip("a process without a network cannot be poisoned")
    env.reset(seed=0)
    weights = [p.detach().clone() for p in env.process.model.parameters()]
    errors = env.process.errors
    env.process.errors = lambda rows: tuple(e * float("nan") for e in errors(rows))
    # both keep the function that they were made with
    env.process._side_gradients = env.process._new_gradients = None
    observation, reward, terminated, truncated, info = env.step(actions_of(env)[0])
    assert terminated and not truncated and info["diverged"]
    assert np.isfinite(observation).all() and np.isfinite(reward) and reward < 0
    assert all(torch.equal(w, p) for w, p in zip(weights, env.process.model.parameters(), strict=True))


def test_online_keeps_its_weights_at_an_unseeded_reset_and_episodic_does_not(make):
    for online in (True, False):
        env = make(online=online)
        first, _ = env.reset(seed=0)
        for action in actions_of(env)[:2]:
            last = env.step(action)[0]
        again, info = env.reset()
        assert (info["step"] == 2) == online
        assert np.array_equal(again, last) == online
        restored, _ = env.reset(seed=0, options={"restore": True})
        np.testing.assert_array_equal(restored, first)


def test_rendering_gives_what_the_mode_says(make):
    for mode in make().metadata["render_modes"]:
        env = make(render_mode=mode)
        env.reset(seed=0)
        shown = env.render()
        if mode == "ansi":
            assert "\n" not in shown and "lambda=0.5" in shown
        else:
            assert shown.dtype == np.uint8 and shown.ndim == 3 and shown.std() > 0
