import gymnasium as gym
import numpy as np
import torch

from unlearn_gym import agents
from unlearn_gym.agents.ppo import RECORDED


def make(window, **settings):
    env = gym.make("unlearn_gym/Quadratic-v0")
    defaults = {"n_steps": 20, "batch_size": 10, "n_epochs": 1, "window": window}
    return agents.make("ppo", env, **{**defaults, **settings})


def test_window_holds_the_most_recent_transitions():
    agent = make(50)
    rollouts = []
    slide = agent.model._slide

    def spy(fresh):
        rollouts.append({key: getattr(fresh, key).copy() for key in RECORDED})
        return slide(fresh)

    agent.model._slide = spy
    agent.learn(100)
    assert len(rollouts) == 5
    for key in RECORDED:
        every = np.concatenate([rollout[key] for rollout in rollouts])
        np.testing.assert_array_equal(agent.model.recent[key], every[-50:])


def test_values_are_those_of_the_present_network_and_old_log_probabilities_stay():
    agent = make(60)
    agent.learn(80)
    model = agent.model
    before = {key: value.copy() for key, value in model.recent.items()}
    buffer = model._slide(
        model.rollout_buffer_class(2, model.observation_space, model.action_space, n_envs=1)
    )
    np.testing.assert_array_equal(buffer.log_probs[:-2], before["log_probs"][2:])
    states = torch.from_numpy(buffer.observations[:, 0])
    with torch.no_grad():
        values = model.policy.predict_values(states).numpy()
    np.testing.assert_allclose(buffer.values, values, rtol=1e-5, atol=1e-6)


def test_advantages_are_generalised_advantage_estimates_of_the_window():
    agent = make(30)
    seen = []
    slide = agent.model._slide
    agent.model._slide = lambda fresh: seen.append(slide(fresh)) or seen[-1]
    kept = agent.model.rollout_buffer
    agent.learn(20)
    buffer = seen[0]
    assert agent.model.rollout_buffer is kept
    rewards, starts = agent.model.recent["rewards"][:, 0], agent.model.recent["episode_starts"][:, 0]
    values = buffer.values.reshape(-1)
    expected, running = np.zeros(20), 0.0
    for step in reversed(range(20)):
        if step == 19 or starts[step + 1]:  # an episode has 10 steps, so the last step ends one
            running = rewards[step] - values[step]
        else:
            running = rewards[step] + 0.99 * values[step + 1] - values[step] + 0.99 * 0.95 * running
        expected[step] = running
    np.testing.assert_allclose(buffer.advantages.reshape(-1), expected, rtol=1e-4, atol=1e-5)


def test_window_of_one_rollout_is_plain_ppo():
    plain, windowed = make(0), make(20)
    plain.learn(60)
    windowed.learn(60)
    for one, other in zip(plain.model.policy.parameters(), windowed.model.policy.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
