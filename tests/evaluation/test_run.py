import gymnasium as gym
import numpy as np
import pytest
import torch

from unlearn_gym.evaluation import Experiment
from unlearn_gym.evaluation.run import rollout
from unlearn_gym.evaluation.runner import Runner

from .tiny_agents import Constant, Noisy, constant


@pytest.fixture
def env():
    return gym.make("unlearn_gym/Quadratic-v0")


def test_two_identical_agents_make_identical_runs(env):
    first, second = (rollout(env, Constant(0.6, env), seed=5) for _ in range(2))
    assert first.observations == second.observations
    assert first.rewards == second.rewards
    assert first.lambdas == second.lambdas


def test_noise_does_not_depend_on_the_actions(env):
    # θ = λ + noise: with common random numbers two constants differ by the difference of their λ.
    retain = [
        np.sqrt(2 * np.array(rollout(env, Constant(lam, env), seed=5).observations)[1:, 0])
        for lam in (0.4, 0.6)
    ]
    assert retain[1] - retain[0] == pytest.approx(0.2, abs=1e-6)


def test_hooks_and_recurrent_state(env):
    agent = Noisy(env)
    run = rollout(env, agent, seed=3)
    assert agent.starts == [(None, True), *[(k, False) for k in range(1, 10)]]
    assert [reward for *_, reward, _ in agent.heard] == run.rewards
    np.testing.assert_array_equal(agent.heard[1][0], np.float32(run.observations[1]))
    assert run.lambdas == rollout(env, Noisy(env), seed=3).lambdas


def test_everything_is_taken_down(env):
    run = rollout(env, Constant(0.6, env), seed=0)
    assert len(run.rewards) == len(run.seconds) == 10
    assert np.shape(run.observations) == (11, 6)
    assert np.sum(list(run.reward_terms.values()), axis=0) == pytest.approx(run.rewards)
    assert run.values()["return"] == pytest.approx(sum(run.rewards))
    assert not run.diverged and not run.learning_rates


class Pair:
    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.array([0.5, 2.0], np.float32), state


def test_the_learning_rates_that_an_agent_sets_are_taken_down():
    options = {"horizon": 3, "control": ["lambda", "learning_rate"], "learning_rate": 0.01}
    run = rollout(gym.make("unlearn_gym/EMSE-Polynomial-v0", **options), Pair(), seed=0)
    assert run.learning_rates == pytest.approx([0.02] * 3) and run.lambdas == [0.5] * 3


def test_terms_that_appear_late_are_aligned(env):
    run = rollout(env, Constant(0.6, env), seed=0)
    info = {"lambda": 0.5, "diverged": True, "reward_terms": {"divergence": -2.0}}
    run.add(np.zeros(6), -2.0, info, 0.0)
    assert run.reward_terms["divergence"] == [0.0] * 10 + [-2.0]
    assert run.reward_terms["retain"][-1] == 0.0
    assert run.diverged


@pytest.mark.parametrize("state", ["fresh", "lagged"])
def test_passes_do_not_depend_on_what_the_process_did_before(state):
    keywords = {"horizon": 3, "state": state}
    experiment = Experiment("unlearn_gym/EMSE-Polynomial-v0", (constant(0.1),), (0, 1), keywords)
    names = [(name, seed) for name in ("before", "static:0.1") for seed in experiment.seeds]
    runner = Runner(experiment)
    together = [runner.measure(*place) for place in names]
    apart = [Runner(experiment).measure(*place) for place in reversed(names)][::-1]
    for one, other in zip(together, apart, strict=True):
        assert one.run is None or one.run.passes == other.run.passes != {}
        timed = {"seconds_per_update": 0.0}
        assert one.values | timed == other.values | timed


def test_agents_that_draw_from_global_generators_repeat_themselves(env):
    class Draws(Constant):
        def predict(self, *args, **kwargs):
            drawn = self.env.action_space.sample() + np.random.uniform() + torch.rand(()).numpy()
            return np.array(drawn / 3, np.float32), None

    agent = Draws(0.5, env)
    agent.env = env
    state = np.random.get_state()[1].copy()
    first, second = (rollout(env, agent, seed=3).lambdas for _ in range(2))
    assert first == second != rollout(env, agent, seed=4).lambdas
    assert np.array_equal(np.random.get_state()[1], state)
