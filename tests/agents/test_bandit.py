"""The bandit over constants."""

import gymnasium
import numpy as np
import pytest

from unlearn_gym import agents
from unlearn_gym.errors import UserError


def bandit(arms=2, seed=0, **settings):
    env = gymnasium.make("unlearn_gym/Quadratic-v0", horizon=10)
    return agents.make(f"bandit:{arms}", env, seed=seed, **settings)


@pytest.mark.parametrize("rule", ["ucb", "exp3"])
def test_the_better_of_two_arms_is_found(rule):
    found = 0
    for seed in range(20):
        agent, rng = bandit(seed=seed, rule=rule), np.random.default_rng(seed)
        for _ in range(200):
            arm = agent.pull()
            agent.hear(arm, float(rng.random() < (0.1, 0.9)[arm]))
        found += agent.best() == 1
    assert found >= 19


def test_exp3s_chances_are_a_distribution():
    agent = bandit(5, rule="exp3")
    for arm, value in ((0, -3.0), (3, 10.0), (3, 8.0), (1, 0.0)):
        chances = agent.probabilities()
        assert chances.sum() == pytest.approx(1) and chances.min() > 0
        agent.hear(arm, value)
    assert agent.probabilities().argmax() == 3


def test_every_arm_is_seen_first_and_the_best_constant_is_played_afterwards():
    agent = bandit(9)
    agent.learn(10 * 18 + 3)
    pulled = agent.state["pulled"]
    assert len(pulled) == 18 and set(pulled) == set(range(9))
    by_arm = {arm: agent.state["returns"][pulled.index(arm)] for arm in range(9)}
    chosen = {float(agent.predict(np.zeros(6))[0][0]) for _ in range(3)}
    assert len(chosen) == 1 and chosen.pop() == pytest.approx(agent.lambdas[agent.best()])
    assert by_arm[agent.best()] >= sorted(by_arm.values())[-3]
    before = list(pulled)
    agent.begin(3)
    agent.feedback(np.zeros(6), np.zeros(1), 5.0, {})
    assert agent.state["pulled"] == before


def test_one_arm_is_no_choice():
    with pytest.raises(UserError, match="arms=1"):
        bandit(1)
