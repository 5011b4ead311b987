"""A new family of environments in one file: a recommender that has to forget the ratings of some users. 5 seconds.

    python examples/own/environment_family.py

A *process* is the system that λ steers: weights, an optimizer, a seeded stream of minibatches. ``UnlearningEnv`` gives
it spaces, reward, episode and pictures. Registered, it is trained and evaluated as any other id, from its folder:

    cd examples/own && unlearn-gym train --env environment_family:example/Recommender-v0 --agent ppo --output ppo
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import EzPickle
from gymnasium.utils.env_checker import check_env

from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.processes.base import Process, Quality, Signals, Update

USERS, ITEMS, RANK, FORGOTTEN = 60, 40, 3, 6
CAP = 1.0
"""Forget error from which on more would be no gain; ratings have a variance of about 3."""


class RecommenderProcess(Process):
    """R ≈ U·Vᵀ, fitted to half of all ratings; those of the first users are to be forgotten.

    An update is one step of gradient descent on (1 − λ)·L_retain − λ·min(L_forget, cap), mean squared errors over the
    ratings of a minibatch: a third of each side's.
    """

    def __init__(self, step_size: float = 1.0) -> None:
        rng = np.random.default_rng(0)
        users, items = rng.standard_normal((USERS, RANK)), rng.standard_normal((ITEMS, RANK))
        self.ratings = users @ items.T + 0.1 * rng.standard_normal((USERS, ITEMS))
        known = rng.random(self.ratings.shape) < 0.5
        of_forgotten = (np.arange(USERS) < FORGOTTEN)[:, None]
        self.retain, self.forget = known & ~of_forgotten, known & of_forgotten
        self.step_size = step_size
        self.weights = 0.1 * rng.standard_normal((USERS + ITEMS, RANK))
        for _ in range(1000):  # the original model: fitted to all that is known
            self.weights = self.weights - 10 * self._side(known)[1]
        self.original, self.original_quality = self.weights, self.quality()
        self.reset(np.random.default_rng(0))

    def reset(self, rng: np.random.Generator) -> Signals:
        """Go back to the fitted factors; every draw to come is seeded by ``rng``, whatever λ will be."""
        self.weights = self.before = self.original
        self._rng = np.random.default_rng(rng.integers(2**63))
        self._draw()
        return self.observe()

    def _draw(self) -> None:
        drawn = self._rng.random(self.ratings.shape) < 1 / 3
        self._batch = (self.retain & drawn, self.forget & drawn)

    def observe(self) -> Signals:
        """Return losses and gradient norms of the next minibatch."""
        losses, gradients = zip(*(self._side(mask) for mask in self._batch), strict=True)
        return Signals(*losses, *(float(np.linalg.norm(gradient)) for gradient in gradients))

    def _side(self, mask: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the mean squared error over some ratings and its gradient, (users + items, rank)."""
        users, items = np.split(self.weights, [USERS])
        error, n = np.where(mask, users @ items.T - self.ratings, 0.0), max(mask.sum(), 1)
        return float((error**2).sum() / n), 2 / n * np.concatenate([error @ items, error.T @ users])

    def update(self, lam: float) -> Update:
        """Make one step at λ."""
        (retain, pull), (forget, push) = (self._side(mask) for mask in self._batch)
        self.before = self.weights
        push = push * (forget < CAP)  # beyond the cap the forget side rests
        self.weights = self.weights - self.step_size * ((1 - lam) * pull - lam * push)
        self._draw()
        retain_term, forget_term = (1 - lam) * retain, -lam * min(forget, CAP)
        loss = retain_term + forget_term
        return Update(
            loss, retain_term, forget_term, -retain - min(forget, CAP), diverged=not np.isfinite(loss)
        )

    def undo(self) -> None:
        """Take the last step back."""
        self.weights = self.before

    def quality(self) -> Quality:
        """Return the losses over all ratings, by which the reward judges."""
        return Quality(self._side(self.retain)[0], self._side(self.forget)[0])

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on after a kill."""
        masks = {"retain": self._batch[0], "forget": self._batch[1]}
        return {"weights": self.weights, "before": self.before, **masks, "rng": self._rng.bit_generator.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.weights, self.before, self._batch = (
            state["weights"],
            state["before"],
            (state["retain"], state["forget"]),
        )
        self._rng.bit_generator.state = state["rng"]


class RecommenderEnv(UnlearningEnv, EzPickle):
    """The face; further keywords of ``UnlearningEnv`` (observation, action, …) are passed on in the same way."""

    def __init__(self, horizon: int = 100, render_mode: str | None = None, online: bool = False) -> None:
        EzPickle.__init__(self, horizon, render_mode, online)
        super().__init__(
            RecommenderProcess(), horizon=horizon, lambda_range=(0.0, 0.9), alpha=0.01, reward="progress",
            reward_kwargs={"forget_cap": CAP, "retain_weight": 10.0}, divergence_penalty=1.0, online=online,
            render_mode=render_mode,
        )  # fmt: skip


gym.register("example/Recommender-v0", RecommenderEnv)

if __name__ == "__main__":
    env = gym.make("example/Recommender-v0")
    check_env(env.unwrapped)  # Gymnasium's own test of an environment
    before = env.unwrapped.process.original_quality
    print(f"before: retain loss {before.retain_loss:.4f}, forget loss {before.forget_loss:.4f}")
    print("  λ    return   retain loss   forget loss")
    for lam in (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9):
        env.reset(seed=0)
        done, total = False, 0.0
        while not done:
            _, reward, done, _, _ = env.step(np.array([lam], np.float32))
            total += float(reward)
        quality = env.unwrapped.process.quality()
        print(f"{lam:5.1f}  {total:6.3f}  {quality.retain_loss:12.4f}  {quality.forget_loss:12.4f}")
