import gymnasium as gym
import numpy as np
import pytest

from unlearn_gym import agents
from unlearn_gym.errors import UserError


@pytest.fixture
def env():
    return gym.make("unlearn_gym/Quadratic-v0")


def at(time: float) -> np.ndarray:
    return np.array([0, 0, 0, 0, 0.5, time], np.float32)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("static:0.3", [0.3, 0.3, 0.3, 0.3]),
        ("static", [0.5, 0.5, 0.5, 0.5]),
        ("schedule:linear:0.9:0.1", [0.9, 0.7, 0.5, 0.1]),
        ("schedule:cosine:0.9:0.1", [0.9, 0.5 + 0.4 * np.cos(np.pi / 4), 0.5, 0.1]),
        ("schedule:step:0.2:0.8", [0.2, 0.2, 0.8, 0.8]),
        ("schedule:step:0.2:0.8:0.2", [0.2, 0.8, 0.8, 0.8]),
    ],
)
def test_curves(spec, expected, env):
    agent = agents.make(spec, env)
    chosen = [agent.predict(at(time))[0][0] for time in (0.0, 0.25, 0.5, 1.0)]
    np.testing.assert_allclose(chosen, expected, atol=1e-6)


def test_random_is_uniform_over_the_range(env):
    agent = agents.make("random", env, seed=1)
    drawn = np.array([agent.predict(at(0.0))[0][0] for _ in range(4000)])
    assert abs(drawn.mean() - 0.5) < 0.02 and abs(drawn.std() - 0.8 / np.sqrt(12)) < 0.01


@pytest.mark.parametrize("encoding", ["logit", "log"])
def test_random_is_uniform_over_the_actions_however_they_mean_a_lambda(encoding):
    env = gym.make("unlearn_gym/Quadratic-v0", action=encoding)
    agent = agents.make("random", env, seed=1)
    drawn = np.array([agent.predict(at(0.0))[0][0] for _ in range(2000)])
    assert abs(drawn.mean()) < 0.04 and abs(drawn.std() - 2 / np.sqrt(12)) < 0.03


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("static:2", r"lam=2.0 is outside the environment's λ range \[0.1, 0.9\]"),
        ("static:much", "lam: expected a value of type float"),
        ("static:0.5:1:1", "the most there can be is static:<lam>:<rate>"),
        ("schedule:zigzag", r"shape: expected one of \['linear', 'cosine', 'step'\]"),
        ("schedule:linear:0.9:0.01", "end=0.01"),
        ("sttic", "choose one of static, random"),
    ],
)
def test_errors_name_what_is_allowed(spec, message, env):
    with pytest.raises(UserError, match=message):
        agents.make(spec, env)
