"""Agents must learn the environment whose best constant λ is known: 0.7."""

import gymnasium as gym
import numpy as np
import pytest

from unlearn_gym import agents

QUADRATIC = "unlearn_gym/Quadratic-v0"
BUDGETS = {
    "ppo": (2500, {"n_steps": 100, "batch_size": 50, "learning_rate": 1e-3}),
    "ppo-gaussian": (2500, {"n_steps": 100, "batch_size": 50, "learning_rate": 1e-3, "prior": "gaussian"}),
    "ppo-window": (
        1500,
        {"n_steps": 100, "window": 300, "n_epochs": 5, "batch_size": 50, "learning_rate": 1e-3},
    ),
    "sac": (700, {"batch_size": 64, "learning_rate": 2e-3}),
}


def evaluate(agent, episodes=10) -> tuple[float, float]:
    """Mean return, and mean λ of the last step, which decides the final quality."""
    env = gym.make(QUADRATIC)
    returns, last = [], []
    for seed in range(episodes):
        observation, _ = env.reset(seed=100 + seed)
        done, total, state = False, 0.0, None
        while not done:
            action, state = agent.predict(observation, state, deterministic=True)
            observation, reward, done, _, info = env.step(action)
            total += float(reward)
        returns.append(total)
        last.append(info["lambda"])
    return float(np.mean(returns)), float(np.mean(last))


@pytest.mark.parametrize("case", BUDGETS)
def test_agent_learns_the_best_lambda(case):
    steps, settings = BUDGETS[case]
    env = gym.make(QUADRATIC)
    agent = agents.make(case.split("-")[0], env, seed=1, **settings)
    agent.learn(steps)
    learned, last = evaluate(agent)
    chance, _ = evaluate(agents.make("random", env))
    best, _ = evaluate(agents.make("static:0.7", env))
    assert abs(last - 0.7) < 0.08
    assert learned > best - 0.005 and learned > chance + 0.7 * (best - chance)


def test_learning_twice_gives_the_same_weights():
    def weights():
        agent = agents.make("sac", gym.make(QUADRATIC), seed=4, batch_size=16, learning_starts=20)
        return agent.learn(60).state_dict()["policy"]

    first, second = weights(), weights()
    assert all(value.equal(second[key]) for key, value in first.items())
