"""Tiny agents, so that the evaluation is tested without the agents package."""

from functools import partial

import numpy as np

from unlearn_gym.evaluation import Entry


class Constant:
    def __init__(self, lam, env):
        self.lam = lam

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.array([self.lam], np.float32), state


class Noisy:
    """Draws from the seed that ``begin`` gives, counts what it hears, and carries a state."""

    def __init__(self, env):
        self.heard, self.starts = [], []

    def begin(self, seed):
        self.rng = np.random.default_rng(seed)

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        self.starts.append((state, bool(episode_start[0])))
        return np.array([self.rng.uniform(0.1, 0.9)], np.float32), (state or 0) + 1

    def feedback(self, observation, action, reward, info):
        self.heard.append((observation, action, reward, info))


def constant(lam):
    return Entry(f"static:{lam}", partial(Constant, lam), "static")
