import gymnasium as gym
import numpy as np
import pytest

from unlearn_gym import agents


def test_lambda_settles_where_the_constraint_holds_with_equality():
    """θ becomes λ and L_retain = ½θ², from 0 at θ₀ = 0: the constraint ½λ² ≤ ε binds at λ = √(2ε)."""
    env = gym.make("unlearn_gym/Quadratic-v0", horizon=400)
    agent = agents.make("primal_dual", env, epsilon=0.18, warmup=1, smoothing=0.0)
    observation, _ = env.reset(seed=0)
    agent.begin(0)
    chosen, done = [], False
    while not done:
        action, _ = agent.predict(observation)
        before = observation
        observation, reward, done, _, info = env.step(action)
        agent.feedback(before, action, float(reward), info)
        chosen.append(info["lambda"])
    assert np.mean(chosen[-100:]) == pytest.approx(np.sqrt(2 * 0.18), abs=0.01)


@pytest.mark.parametrize(("loss", "expected"), [(10.0, 0.1), (0.0, 0.9)])
def test_lambda_stays_in_range_and_comes_back_at_once(loss, expected):
    agent = agents.make("primal_dual", gym.make("unlearn_gym/Quadratic-v0"), warmup=1, smoothing=0.0)
    agent.feedback(np.array([1.0]), None, 0.0, {})
    for _ in range(500):
        agent.feedback(np.array([loss]), None, 0.0, {})
    assert agent.predict(np.zeros(6))[0][0] == pytest.approx(expected, abs=1e-3)
    for _ in range(5):
        agent.feedback(np.array([10.0 - loss]), None, 0.0, {})
    assert abs(agent.predict(np.zeros(6))[0][0] - expected) > 0.03


def test_noise_is_smoothed_and_the_start_is_measured_in_each_run():
    agent = agents.make("primal_dual", gym.make("unlearn_gym/Quadratic-v0"), warmup=2, smoothing=0.9)
    for loss in (1.0, 3.0, 12.0):
        agent.feedback(np.array([loss]), None, 0.0, {})
    assert agent.state["start"] == 2.0 and agent.state["smooth"] == pytest.approx(3.0)
    agent.begin(0)
    assert agent.state["seen"] == 0
