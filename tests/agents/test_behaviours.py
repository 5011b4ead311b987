"""Agents that log: what they draw is what they say."""

import gymnasium as gym
import numpy as np
import pytest

from unlearn_gym import agents

from .logged import logged

QUADRATIC = "unlearn_gym/Quadratic-v0"


@pytest.mark.parametrize("spec", ["walk:0.8:1.2", "random_policy:0.4"])
def test_latents_are_those_of_the_actions_and_standard_normal(spec):
    data = logged(gym.make(QUADRATIC, horizon=50), (spec,), seeds=range(20))
    errors = np.concatenate([(e.latent.z - e.latent.mean) / e.latent.std for e in data.episodes])
    assert abs(errors.mean()) < 0.1 and abs(errors.std() - 1) < 0.08
    for episode in data.episodes:
        np.testing.assert_allclose(episode.actions, 0.1 + 0.8 / (1 + np.exp(-episode.latent.z)), rtol=1e-5)


def test_a_walk_keeps_its_spread_and_correlation():
    data = logged(gym.make(QUADRATIC, horizon=200), ("walk:0.8:1.2",), seeds=range(20))
    z = np.concatenate([episode.latent.z for episode in data.episodes], axis=1)
    assert z.std() == pytest.approx(1.2, rel=0.07)
    assert np.corrcoef(z[:-1].ravel(), z[1:].ravel())[0, 1] == pytest.approx(0.8, abs=0.04)
    assert np.abs(z[0]).max() < 5


def test_every_run_is_another_random_policy():
    env = gym.make(QUADRATIC)
    agent = agents.make("random_policy", env)
    observation, means = env.reset(seed=0)[0], []
    for seed in (1, 2, 1):
        agent.begin(seed)
        agent.predict(observation)
        means.append(agent.latent.mean.item())
    assert means[0] == means[2] != means[1]


def test_where_actions_are_no_share_of_the_range_nothing_is_said_of_them():
    env = gym.make(QUADRATIC, action="logit")
    agent = agents.make("walk", env)
    agent.predict(env.reset(seed=0)[0])
    assert agent.latent is None
