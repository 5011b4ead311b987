"""The cross-entropy search."""

import gymnasium as gym
import numpy as np
import pytest
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

from unlearn_gym import agents
from unlearn_gym.agents.training import TrainConfig, train
from unlearn_gym.errors import UserError

from .test_learning import evaluate

QUADRATIC = "unlearn_gym/Quadratic-v0"


class Seen(gym.Wrapper):
    """Keeps the seeds of resets and the first λ of each episode."""

    def __init__(self, env):
        super().__init__(env)
        self.seeds, self.first = [], []

    def reset(self, **keywords):
        self.seeds.append(keywords["seed"])
        self.first.append(None)
        return self.env.reset(**keywords)

    def step(self, action):
        self.first[-1] = float(action[0]) if self.first[-1] is None else self.first[-1]
        return self.env.step(action)


class Two(gym.Env):
    """Two actions and nine numbers; the return is best where a policy sets −1 and 0.5."""

    observation_space = gym.spaces.Box(-1, 1, (9,), np.float32)
    action_space = gym.spaces.Box(np.array([-2, 0], np.float32), np.array([2, 1], np.float32))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = 3
        return self.np_random.uniform(-1, 1, 9).astype(np.float32), {}

    def step(self, action):
        self.left -= 1
        error = np.square(action - [-1, 0.5]).sum()
        return self.np_random.uniform(-1, 1, 9).astype(np.float32), -float(error), self.left == 0, False, {}


def search(seed=0, env=None, **settings):
    env = env or gym.make(QUADRATIC)
    return agents.make("cem", env, seed=seed, **settings)


def test_it_beats_the_untrained_policy_and_comes_near_the_best_constant():
    untrained, agent = search(seed=1), search(seed=1)
    agent.learn(1600)
    before, after, best = (
        evaluate(each)[0] for each in (untrained, agent, agents.make("static:0.7", gym.make(QUADRATIC)))
    )
    assert after > before + 0.6 * (best - before) and after > 0.97 * best


def test_all_policies_of_a_generation_play_the_same_episodes():
    env = Seen(gym.make(QUADRATIC))
    search(env=env, population=3, episodes=2, elites=1).learn(10 * 12)
    seeds = np.reshape(env.seeds, (2, 2, 3))  # generation, episode, policy
    assert (seeds == seeds[..., :1]).all() and len(np.unique(seeds)) == 4
    policies = np.reshape(env.first, (2, 2, 3))
    assert len(np.unique(policies)) > 4


def test_the_best_make_the_next_generation():
    agent = search(population=4, episodes=2, elites=2, smoothing=0.0, min_std=0.0)
    drawn, _ = agent._drawn()
    agent._returns = [0.0, 3.0, 1.0, 0.0, 0.0, 3.0, 2.0, -1.0]  # the second and third policy
    agent._select()
    np.testing.assert_allclose(agent.mean, drawn[1:3].mean(0))
    np.testing.assert_allclose(agent.std, drawn[1:3].std(0))
    kept = search(population=4, episodes=2, elites=2, smoothing=0.75, min_std=0.9)
    kept._returns = [0.0, 3.0, 1.0, 0.0, 0.0, 3.0, 2.0, -1.0]
    kept._select()
    np.testing.assert_allclose(kept.mean, 0.25 * drawn[1:3].mean(0))
    assert (kept.std >= 0.9).all() and kept.generation == 1 and kept._returns == []


def test_each_action_has_weights_over_whatever_is_observed(tmp_path):
    agent = search(env=Two(), population=20, elites=5, initial_std=0.5)
    agent.learn(3 * 20 * 5 * 20)
    action, _ = agent.predict(np.zeros((2, 9)))
    assert action.shape == (2, 2) and np.abs(action - [-1, 0.5]).max() < 0.2
    agent.save(tmp_path / "agent")
    loaded = agents.load(tmp_path / "agent", Two())
    assert (loaded.predict(np.zeros((2, 9)))[0] == action).all()


def test_a_policy_of_other_numbers_is_refused():
    with pytest.raises(UserError, match=r"weights of shape \(1, 5\), and this environment needs \(2, 10\)"):
        search(env=Two()).load_state_dict(search().state_dict())


def test_an_online_environment_is_no_place_to_search():
    with pytest.raises(UserError, match="train it in an episodic environment"):
        search(env=gym.make(QUADRATIC, online=True)).learn(10)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"elites": 8}, "elites=8 of a population of 8"),
        ({"population": 1}, "population"),
        ({"smoothing": 1.0}, "smoothing"),
        ({"initial_std": 0.0}, "initial_std"),
        ({"episodes": 0}, "episodes"),
    ],
)
def test_errors_name_what_is_allowed(settings, message):
    with pytest.raises(UserError, match=message):
        search(**settings)


def test_generations_are_logged(tmp_path):
    from unlearn_gym.agents.training.logs import Logbook

    agent, book = search(population=2, episodes=1, elites=1), Logbook(tmp_path, 10)
    agent.set_logger(book.logger)
    with pytest.warns(UserWarning, match="has learned nothing yet"):
        agent.learn(10)
    agent.learn(20)
    assert {"cem/generation", "cem/return", "cem/elite_return", "cem/std"} <= set(book.logger.name_to_value)
    book.close()


def test_policies_in_processes_of_their_own_get_the_same_numbers(tmp_path):
    runs = {}
    for n_envs in (1, 2):
        config = TrainConfig(
            env=QUADRATIC,
            agent="cem",
            total_timesteps=120,
            n_envs=n_envs,
            output=str(tmp_path / str(n_envs)),
            hyperparameters={"population": 3, "episodes": 2, "elites": 1},
            checkpoint_every=50,
            progress_bar=False,
        )
        runs[n_envs] = agents.load(train(config), gym.make(QUADRATIC))
    assert runs[1].generation == runs[2].generation == 2
    assert (runs[1].mean == runs[2].mean).all() and (runs[1].std == runs[2].std).all()


@pytest.mark.filterwarnings("ignore:cem has learned nothing yet")
def test_a_policy_whose_episode_ends_early_does_not_play_on():
    class Uneven(gym.Wrapper):
        def step(self, action):
            observation, reward, done, truncated, info = self.env.step(action)
            return observation, reward, done, truncated or action[0] > 0.5, info

    agent = search(
        env=DummyVecEnv([lambda: Uneven(gym.make(QUADRATIC))] * 3), population=3, episodes=1, elites=1
    )
    alone = search(env=Uneven(gym.make(QUADRATIC)), population=3, episodes=1, elites=1)
    agent.learn(1)
    while alone.generation < 1:
        alone.learn(alone.timesteps + 1)
    assert (agent.mean == alone.mean).all() and agent.timesteps == alone.timesteps < 3 * 10


def test_another_vector_environment_is_refused():
    with pytest.raises(UserError, match="side by side in a VecMonitor"):
        search(env=VecMonitor(DummyVecEnv([lambda: gym.make(QUADRATIC)]))).learn(1)
