"""Controllers by hand, and the numbers that they share with the cross-entropy search."""

import gymnasium as gym
import numpy as np
import pytest

from unlearn_gym import agents
from unlearn_gym.agents.common.features import follow
from unlearn_gym.errors import UserError


@pytest.fixture
def env():
    return gym.make("unlearn_gym/Quadratic-v0")


def seen(forget=1.0, retain=1.0, time=0.5, forget_norm=1.0, retain_norm=1.0):
    return np.array([retain, forget, retain_norm, forget_norm, 0.5, time])


def act(agent, *observations):
    """λ at each step of one episode."""
    state, chosen = None, []
    for step, observation in enumerate(observations):
        action, state = agent.predict(observation, state, np.array([step == 0]))
        chosen.append(float(action[0]))
    return chosen


def test_lambda_is_high_until_the_ratio_has_risen_and_again_where_it_falls(env):
    agent = agents.make("feedback:threshold:0.6:0.2:0.5", env)
    # ln of the ratio: 1, 2, 2, 1, 0; smoothed: 1, 1.5, 1.75, 1.375, 0.6875
    rows = [seen(np.exp(log), time=step / 10) for step, log in enumerate((1, 2, 2, 1, 0))]
    assert act(agent, *rows) == pytest.approx([0.6, 0.2, 0.2, 0.6, 0.6])
    doubled = [seen(3 * np.exp(log), 3.0, step / 10) for step, log in enumerate((1, 2, 2, 1, 0))]
    assert act(agent, *doubled) == act(agent, *rows)


def test_the_gate_is_half_open_at_the_rise_and_a_threshold_where_it_is_sharp(env):
    rows = [seen(), seen(np.exp(1.0)), seen(np.exp(3.0))]  # risen by 0, 0.5, 1.75
    assert act(agents.make("feedback:gate:0.8:0.2:0.5:2", env), *rows) == pytest.approx(
        [0.2 + 0.6 / (1 + np.exp(-1.0)), 0.5, 0.2 + 0.6 / (1 + np.exp(2.5))]
    )
    sharp = act(agents.make("feedback:gate:0.8:0.2:0.6:1e6", env), *rows)
    assert sharp == pytest.approx(act(agents.make("feedback:threshold:0.8:0.2:0.6", env), *rows))


@pytest.mark.parametrize("name", ["feedback:gate", "cem"])
def test_environments_in_a_batch_do_not_hear_each_other(name, env):
    agent, rng = agents.make(name, env), np.random.default_rng(0)
    if name == "cem":
        agent.mean = rng.standard_normal(agent.mean.shape)
    rows = rng.random((7, 3, 6)) + 0.1
    rows[..., 5] = (
        np.array([[0, 0, 0], [1, 1, 1], [2, 0, 2], [3, 1, 3], [4, 2, 0], [5, 3, 1], [6, 4, 2]]) / 10
    )
    state, together = None, []
    for observations in rows:
        action, state = agent.predict(observations, state)  # at t = 0 an episode begins, said or not
        together.append(action[:, 0])
    together = np.array(together)
    alone = [act(agent, *rows[:, 0]), act(agent, *rows[:2, 1]) + act(agent, *rows[2:, 1])]
    alone.append(act(agent, *rows[:4, 2]) + act(agent, *rows[4:, 2]))
    np.testing.assert_allclose(together.T, alone, rtol=1e-6)


def test_what_was_not_measured_counts_for_nothing():
    steps = [
        seen(0.0, 0.0, 0.0, 0.0, 0.0),  # state="lagged": nothing before the first update
        seen(2.0, 1.0, 0.1, 0.0, 3.0),  # no norms
        seen(0.0, 2.0, 0.2, 1.0, 1.0),  # one side of the minibatch was empty
        seen(8.0, 4.0, 0.3, 1.0, 1.0),
    ]
    memory, columns, rises = None, [], []
    for step in steps:
        found = follow(step[None], memory, None)
        memory = found.memory
        columns.append(found.columns[0])
        rises.append(found.forget_rise[0])
    log = np.log(2.0)
    np.testing.assert_allclose(
        columns,
        [[0, 0, 0, -1], [log, 0, 0, -0.8], [log, log / 2, 0, -0.6], [log, 1.25 * log, 0, -0.4]],
        atol=1e-12,
    )
    np.testing.assert_allclose(rises, 0.0, atol=1e-12)


def test_a_lost_memory_is_said(env):
    agent = agents.make("feedback", env)
    with pytest.raises(UserError, match="without the state of the step before"):
        agent.predict(seen())
    with pytest.raises(UserError, match="1 observations and a state of 2"):
        agent.predict(seen(), agent.predict(np.stack([seen(time=0.0)] * 2))[1])
    agent.predict(seen(), episode_start=np.array([True]))  # an online run may be joined


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("feedback:threshold:0.35:0.03", r"low=0.03 is outside the environment's λ range"),
        ("feedback:threshold:0.35:0.1:0.5:3", "the most there can be is feedback:<rule>:<high>:<low>:<rise>"),
        ("feedback:hysteresis", "rule: expected one of"),
        ("feedback:gate:0.35:0.1:0.5:0", "sharpness"),
        ("feedback:gate:0.35:0.1:nan", "rise"),
    ],
)
def test_errors_name_what_is_allowed(spec, message, env):
    with pytest.raises(UserError, match=message):
        agents.make(spec, env)


def test_sharpness_is_refused_where_nothing_uses_it(env):
    with pytest.raises(UserError, match="only used by the rule gate"):
        agents.make("feedback", env, sharpness=2.0)


def test_other_observations_are_refused(env):
    wide = gym.wrappers.TransformObservation(env, lambda seen: seen, gym.spaces.Box(0, 1, (9,)))
    with pytest.raises(UserError, match="observation"):
        agents.make("feedback", wide)
