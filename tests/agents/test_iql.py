"""Implicit Q-learning from logged episodes."""

import math
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
import torch

from unlearn_gym import agents
from unlearn_gym.agents.common.wrappers import compress
from unlearn_gym.agents.offline.learner import Transitions
from unlearn_gym.agents.training import TrainConfig, train
from unlearn_gym.errors import UserError
from unlearn_gym.trajectories import datasets
from unlearn_gym.trajectories.recording import RecordTrajectories

from .logged import logged

QUADRATIC = "unlearn_gym/Quadratic-v0"
CONSTANTS = [f"static:{lam}" for lam in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)]


def quadratic(**keywords):
    return gym.make(QUADRATIC, **keywords)


def learner(data, env=None, updates=0, **settings):
    agent = agents.make("iql", env or quadratic(), **{"learning_rate": 3e-3, "tau": 0.05, **settings})
    agent.take(data)
    return agent.learn(updates)


def value(agent, observation):
    """V of an observation, in units of the normalised reward."""
    seen = agent._standardised(torch.from_numpy(compress(observation, agent.observation_space)))
    with torch.no_grad():
        return agent.value(seen).item()


def test_transitions_are_those_of_the_episodes():
    data = logged(quadratic(), ("static:0.1", "static:0.9"), seeds=(1, 2))
    found, first = Transitions.of(data), data.episodes[0]
    assert found.seen.shape == found.following.shape == (40, 6)
    np.testing.assert_allclose(found.seen[:10, :4], np.log1p(first.observations[:10, :4]), rtol=1e-6)
    np.testing.assert_array_equal(found.seen[1:10], found.following[:9])
    np.testing.assert_allclose(found.actions[:20], -1.0, atol=1e-6)
    assert found.continues.tolist() == ([1] * 9 + [0]) * 4
    returns = [episode.total() for episode in data.episodes]
    np.testing.assert_allclose(
        found.rewards[:10], first.rewards * 10 / (max(returns) - min(returns)), rtol=1e-5
    )


def test_episodes_that_were_cut_off_go_on():
    env = gym.wrappers.TimeLimit(quadratic().unwrapped, 3)
    recorder = RecordTrajectories(env)
    recorder.reset(seed=0)
    for _ in range(3):
        recorder.step(np.array([0.5], np.float32))
    data = datasets.DataSet("cut", "", {}, env.observation_space, env.action_space, tuple(recorder.episodes))
    assert Transitions.of(data).continues.tolist() == [1, 1, 1]


@pytest.fixture(scope="module")
def constants():
    """Three episodes of each of nine constants, of four steps."""
    return logged(quadratic(horizon=4), CONSTANTS, seeds=range(3))


def converged(data, **settings):
    """Return a learner after updates on all transitions at once, and V of the start, the same in all episodes."""
    agent = learner(data, quadratic(horizon=4), tau=0.1, **settings)
    for _ in range(400):
        agent.update(agent.transitions)
    return agent, value(agent, data.episodes[0].observations[0])


def normalised(data):
    """Discounted returns of the episodes in the units of V."""
    scale = 4 / np.ptp([episode.total() for episode in data.episodes])
    return np.array([scale * episode.total(0.99) for episode in data.episodes])


def test_half_is_sarsa_of_the_behaviour(constants):
    """At expectile 1/2 the value of the start is the mean discounted return of those who logged."""
    found, returns = converged(constants, expectile=0.5)[1], normalised(constants)
    assert abs(found - returns.mean()) < 0.1 * returns.std()


def test_towards_one_it_reaches_the_best_constant_of_the_data(constants):
    agent, found = converged(constants, expectile=0.98, temperature=10.0)
    returns = normalised(constants)
    assert abs(found - returns.max()) < 0.25 * (returns.max() - returns.mean())
    of = {name: [e.total() for e in constants.episodes if e.agent == name] for name in CONSTANTS}
    best, worst = (choose(np.mean(totals) for totals in of.values()) for choose in (max, min))
    played = logged(quadratic(horizon=4), (Mode(agent),), seeds=range(50, 55)).episodes
    assert np.mean([episode.total() for episode in played]) > best - 0.03 * (best - worst)
    assert all(abs(episode.actions[-1, 0] - 0.7) < 0.12 for episode in played)


class Mode:
    """Acts by the mode of an agent."""

    def __init__(self, agent):
        self.agent, self.begin = agent, agent.begin

    def predict(self, observation, state, start):
        return self.agent.predict(observation, state, start, deterministic=True)


def test_actions_stay_inside_the_range_whatever_is_cloned():
    env = quadratic()
    agent = learner(logged(env, ("static:0.1", "static:0.9")), env, updates=30)
    wild = np.stack([env.observation_space.sample() for _ in range(500)])
    for deterministic in (True, False):
        chosen, _ = agent.predict(wild, deterministic=deterministic)
        assert ((chosen >= env.action_space.low) & (chosen <= env.action_space.high)).all()
    assert all(torch.isfinite(parameter).all() for parameter in agent.policy.parameters())


def test_the_losses_are_those_of_the_paper():
    """One transition, by hand."""
    env = quadratic(horizon=1)
    agent = learner(logged(env, ("static:0.4",)), env, expectile=0.7, temperature=3.0)
    batch = agent.transitions
    with torch.no_grad():
        seen = agent._standardised(batch.seen)
        pair = torch.cat([seen, batch.actions], dim=-1)
        aims = [target(pair).item() for target in agent.targets]
        advantage = min(aims) - agent.value(seen).item()
        log_prob = agent.distribution(seen).log_prob(batch.actions).item()
    losses = agent.update(batch)
    side = 0.7 if advantage > 0 else 0.3
    assert losses["value_loss"] == pytest.approx(side * advantage**2, rel=1e-4)
    reward = batch.rewards.item()
    assert losses["critic_loss"] == pytest.approx(sum((aim - reward) ** 2 for aim in aims), rel=1e-4)
    assert losses["policy_loss"] == pytest.approx(-min(math.exp(3 * advantage), 100) * log_prob, rel=1e-4)


def test_other_observations_or_actions_are_refused():
    data = logged(quadratic())
    for options in ({"lambda_range": (0.2, 0.9)}, {"observation": "relative"}, {"action": "logit"}):
        with pytest.raises(
            UserError, match=r"logged in unlearn_gym/Quadratic-v0 .*give --env and --env-kwargs"
        ):
            learner(data, quadratic(**options))
    with pytest.raises(UserError, match="give them by --dataset"):
        agents.make("iql", quadratic()).learn(1)


def test_logs_of_another_environment_are_not_taken_in_silence(kept):
    with pytest.raises(
        UserError, match=r"logged in unlearn_gym/Quadratic-v0, and env=unlearn_gym/EMSE-Digits-v0"
    ):
        train(replace(kept, env="unlearn_gym/EMSE-Digits-v0", env_kwargs={}))


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A data set by name."""
    pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    env = quadratic()
    datasets.write("quadratic", logged(env, CONSTANTS[::2], seeds=(0, 1)).episodes, env)
    return TrainConfig(
        env="Quadratic-v0", agent="iql", dataset="quadratic", total_timesteps=30,
        output=str(tmp_path / "iql"), checkpoint_every=10, log_every=10, progress_bar=False
    )  # fmt: skip


def test_a_training_that_goes_on_is_the_one_that_was_not_killed(kept, tmp_path, monkeypatch):
    whole = train(kept)
    assert "iql/value_loss" in (whole / "progress.csv").read_text()
    short = tmp_path / "killed"
    train(replace(kept, output=str(short), total_timesteps=20))
    train(replace(kept, output=str(short), resume=str(short)))
    one, other = (agents.load(folder, quadratic()) for folder in (whole, short))
    for name, tensor in one.policy.state_dict().items():
        assert tensor.equal(other.policy.state_dict()[name])


def test_a_data_set_is_for_agents_that_learn_from_one(kept):
    with pytest.raises(UserError, match="by --dataset NAME"):
        train(replace(kept, dataset=""))
    with pytest.raises(UserError, match="ppo learns by acting"):
        train(replace(kept, agent="ppo"))
    with pytest.raises(UserError, match="There is no data set other-v0"):
        train(replace(kept, dataset="other"))
