"""Logged episodes for tests of agents that learn from them."""

import numpy as np

from unlearn_gym import agents
from unlearn_gym.trajectories.datasets import DataSet
from unlearn_gym.trajectories.recording import RecordTrajectories


def logged(env, specs=("random",), seeds=(0,), name="logged"):
    """Return the episodes of agents in an environment, a run on each seed."""
    recorded = []
    for spec in specs:
        agent = agents.make(spec, env) if isinstance(spec, str) else spec
        recorder = RecordTrajectories(env, agent, str(spec))
        for seed in seeds:
            agent.begin(seed)
            observation, _ = recorder.reset(seed=seed)
            state, start, done = None, np.ones(1, dtype=bool), False
            while not done:
                action, state = agent.predict(observation, state, start)
                observation, _, done, _, _ = recorder.step(action)
                start = np.zeros(1, dtype=bool)
        recorded += recorder.episodes
    spec = env.unwrapped.spec
    return DataSet(name, spec.id, dict(spec.kwargs), env.observation_space, env.action_space, tuple(recorded))
