"""Agents in environments that show relative numbers, take log-odds, or let the learning rate be set."""

import json

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv

from unlearn_gym import agents
from unlearn_gym.agents.common.base import Learner
from unlearn_gym.agents.common.wrappers import AgentView
from unlearn_gym.agents.offline.learner import OfflineLearner
from unlearn_gym.agents.training.logs import Logbook
from unlearn_gym.agents.training.pace import Paced
from unlearn_gym.envs.spaces.observers import OBSERVERS
from unlearn_gym.errors import UserError

from .logged import logged

BOTH = ["lambda", "learning_rate"]
RELATIVE = {"observation": "relative", "action": "logit"}
BLIND = ("adaptive_vi", "primal_dual", "feedback")
"""They read the losses themselves."""


def quadratic(**options):
    return gym.make("unlearn_gym/Quadratic-v0", **options)


def polynomial(**options):
    return gym.make("unlearn_gym/EMSE-Polynomial-v0", horizon=4, batch_size=8, **options)


def chosen(spec, env, seed=0, **settings):
    """Return λ and the learning rate of each update of one episode."""
    agent = agents.make(spec, env, **settings)
    agent.begin(seed)
    observation, _ = env.reset(seed=11)
    state, start, done, shown = None, np.array([True]), False, []
    while not done:
        action, state = agent.predict(observation, state, start)
        assert env.action_space.contains(action)
        observation, _, done, _, info = env.step(action)
        shown.append((info["lambda"], info.get("learning_rate")))
        assert not info["clipped"]
        start = np.array([False])
    return np.array(shown, dtype=float)


@pytest.mark.parametrize("spec", ["static:0.3", "schedule:linear:0.9:0.1", "bandit:5"])
@pytest.mark.parametrize("options", [RELATIVE, {"observation": "relative"}, {"action": "logit"}])
def test_agents_that_choose_lambda_choose_the_same_however_it_is_taken(spec, options):
    usual, other = chosen(spec, quadratic()), chosen(spec, quadratic(**options))
    np.testing.assert_allclose(other[:, 0], usual[:, 0], rtol=1e-5)


@pytest.mark.parametrize("name", agents.names())
def test_every_agent_acts_and_learns_with_all_options_or_says_why_not(name):
    env = polynomial(**RELATIVE, control=BOTH)
    if name in BLIND:
        with pytest.raises(UserError, match="make the environment with observation='state'"):
            agents.make(name, env)
        env = polynomial(action="logit", control=BOTH)
    assert len(chosen(name, env)) == 4
    agent = agents.make(name, env, seed=1)
    if isinstance(agent, OfflineLearner):
        agent.take(logged(env))
    if isinstance(agent, Learner):
        agent.learn(8)
        observation = env.reset(seed=0)[0]
        batch = np.stack([observation] * 3)
        assert agent.predict(batch, episode_start=np.ones(3, bool))[0].shape == (3, 2)


def test_constants_and_schedules_set_the_learning_rate():
    for options in ({}, RELATIVE):
        env = polynomial(**options, control=BOTH)
        rate = env.unwrapped.process.learning_rate
        np.testing.assert_allclose(chosen("static:0.5:2", env), [[0.5, 2 * rate]] * 4, rtol=1e-5)
        np.testing.assert_allclose(chosen("static:0.5", env), [[0.5, rate]] * 4, rtol=1e-5)
        decay = chosen("schedule:cosine:0.5:0.5:2:0.25", env)
        share = 0.5 * (1 - np.cos(np.pi * np.arange(4) / 4))
        np.testing.assert_allclose(decay[:, 1], rate * (2 - 1.75 * share), rtol=1e-5)
        stepped = chosen("schedule:step:0.2:0.8:0.5:4:1", env)
        np.testing.assert_allclose(stepped[:, 1], rate * np.array([4, 4, 1, 1]), rtol=1e-5)


@pytest.mark.parametrize("spec", ["static:0.5:2", "schedule:linear:0.5:0.5:1:0.5"])
def test_a_rate_where_none_is_controlled_is_one_sentence(spec):
    with pytest.raises(UserError, match=r"make it with control=\['lambda', 'learning_rate'\]"):
        agents.make(spec, polynomial())


def test_a_rate_out_of_range_is_one_sentence():
    with pytest.raises(
        UserError, match=r"rate=8.0 is no factor of the learning rate; give a number from 0.25 to 4"
    ):
        agents.make("static:0.5:8", polynomial(control=BOTH))


@pytest.mark.parametrize(
    "options", [RELATIVE, {"action": "logit"}, {"control": BOTH}, {"observation": "relative"}]
)
def test_a_saved_agent_keeps_to_its_spaces(options, tmp_path):
    env = polynomial(**options)
    agents.make("ppo", env, seed=0).save(tmp_path / "agent")
    again = agents.load(tmp_path / "agent", env)
    assert again.predict(env.reset(seed=0)[0], deterministic=True)[0].shape == env.action_space.shape
    with pytest.raises(UserError, match=r"give the environment the same (action|control|observation)"):
        agents.load(tmp_path / "agent", polynomial())


def test_agents_of_early_versions_load(tmp_path):
    from unlearn_gym.agents.common import saving, serialization

    env = polynomial()
    agents.make("ppo", env, seed=0).save(tmp_path / "agent")
    record = serialization.load(tmp_path / "agent", saving.FILE)
    for key in ("action", "control", "observed"):
        del record[key]
    (tmp_path / "old").mkdir()
    serialization.save(tmp_path / "old", saving.FILE, record)
    assert "observed" not in json.loads((tmp_path / "old" / "agent.json").read_text())
    agents.load(tmp_path / "old", env)


def test_logs_of_losses_are_not_logged_again():
    env = polynomial(**RELATIVE)
    view = AgentView(DummyVecEnv([lambda: env]))
    np.testing.assert_array_equal(view.reset(), view.raw)
    assert view.observation_space.low[0] == env.observation_space.low[0] == -10
    view.step(np.array([[0.25]], np.float32))
    assert env.unwrapped._lambda == pytest.approx(env.unwrapped.encoding.decode([0.25]).lam)


def test_training_logs_the_numbers_by_their_names(tmp_path):
    env = polynomial(**RELATIVE, control=BOTH)
    env.reset(seed=0)
    observation, *_, info = env.step([0.1, 0.5])
    book = Logbook(tmp_path, every=1)
    book.step(observation[None], [info], 1)
    book.close()
    header, row = (tmp_path / "progress.csv").read_text().splitlines()
    found = dict(zip(header.split(","), row.split(","), strict=True))
    for name, value in zip(OBSERVERS["relative"].logged, observation, strict=False):
        assert float(found[f"state/{name}"]) == pytest.approx(value)
    assert "state/retain_loss" not in found
    assert float(found["env/learning_rate"]) == pytest.approx(info["learning_rate"])


def test_the_pace_of_the_training_is_shown_in_relative_numbers_too():
    seen = []
    agent = Paced(type("Agent", (), {"predict": lambda self, row, **_: seen.append(row)})(), scale=10 / 40)
    here, there = (quadratic(**RELATIVE, horizon=horizon) for horizon in (10, 40))
    rows = []
    for env in (here, there):
        env.reset(seed=0)
        rows.append(env.step([0.0])[0])
    agent.predict(rows[0])
    np.testing.assert_allclose(seen[0][6:8], rows[1][6:8], rtol=1e-6)


def test_the_bandit_tells_episodes_apart_in_relative_numbers():
    first, second = (
        agents.make("bandit:3", quadratic(**options), seed=0).learn(60)
        for options in ({}, {"observation": "relative"})
    )
    assert first.state_dict() == second.state_dict() and len(first.state["pulled"]) == 6
