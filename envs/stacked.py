"""Environments whose networks are stacked: one launch sequence for all of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.processes.base import Process, Quality, Signals, Update
from unlearn_gym.processes.stacked import Stack
from unlearn_gym.processes.stacks import NotStackable, make_stack


class Member(Process):
    """One copy of a stack as its environment sees it: the stack has moved already, here are the results."""

    def __init__(self, stack: Stack, copy: int) -> None:
        self._stack, self._copy = stack, copy

    def reset(self, rng: np.random.Generator) -> Signals:
        """Return what ``restart`` measured; it had the same start, which is drawn here once more."""
        self._stack.start(rng)
        return self.observe()

    def observe(self) -> Signals:
        """Return the copy's signals."""
        return self._stack.signals[self._copy]

    def update(self, lam: float) -> Update:
        """Return the copy's part of the update."""
        return self._stack.updates[self._copy]

    def undo(self) -> None:
        """Take the copy's last weights back."""
        self._stack.undo(self._copy)

    def quality(self) -> Quality:
        """Return the copy's losses on the probe batch."""
        return self._stack.quality(self._copy)

    def state_dict(self) -> dict[str, Any]:
        """Return the copy's state."""
        return self._stack.state_dict(self._copy)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the copy go on from ``state``."""
        self._stack.load_state_dict(self._copy, state)


class StackedVectorEnv(VectorEnv):
    """N environments that return what N single ones would, up to rounding.

    Args:
        env: one environment, which is taken apart.
        num_envs: N.

    Raises:
        NotStackable: if its process or network cannot be held as a stack, or it is to be rendered.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012 (Gymnasium's own)

    def __init__(self, env: gym.Env, num_envs: int) -> None:
        face = env.unwrapped
        assert isinstance(face, UnlearningEnv)
        if face.render_mode is not None:
            raise NotStackable("Stacked environments are not rendered; give render_mode=None.")
        self.num_envs = num_envs
        self.single_action_space, self.single_observation_space = face.action_space, face.observation_space
        self.action_space = batch_space(face.action_space, num_envs)
        self.observation_space = batch_space(face.observation_space, num_envs)
        self.stack = make_stack(face.process, num_envs)
        self.envs = [_face(face, Member(self.stack, i)) for i in range(num_envs)]

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Reset all; an integer seed s becomes s, s + 1 and so on."""
        if seed is None or isinstance(seed, int):
            seeds: list[int | None] = [None if seed is None else seed + i for i in range(self.num_envs)]
        else:
            seeds = list(seed)
        self._restart(dict(enumerate(seeds)), options)
        infos: dict[str, Any] = {}
        observations = []
        for i, env in enumerate(self.envs):
            observation, info = env.reset(seed=seeds[i], options=options)
            observations.append(observation)
            infos = self._add_info(infos, info, i)
        return np.stack(observations), infos

    def _restart(self, seeds: dict[int, int | None], options: dict[str, Any] | None = None) -> None:
        """Start over the copies whose environments are about to, with the seeds that these will draw."""
        drawn = {}
        for i, seed in seeds.items():
            if self.envs[i].starts_over(seed=seed, options=options):
                rng = copy.deepcopy(self.envs[i].np_random) if seed is None else np_random(seed)[0]
                drawn[i] = self.stack.start(rng)
        if drawn:
            self.stack.restart(drawn)

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Step all; an environment that ends is reset in the same step (``info["final_obs"]``)."""
        self.stack.update([env.admit(action)[0] for env, action in zip(self.envs, actions, strict=True)])
        results = [env.step(action) for env, action in zip(self.envs, actions, strict=True)]
        ended = {
            i: None for i, (_, _, terminated, truncated, _) in enumerate(results) if terminated or truncated
        }
        self._restart(dict(ended))
        observations: list[np.ndarray] = []
        infos: dict[str, Any] = {}
        for i, (observation, _, _, _, info) in enumerate(results):
            if i in ended:
                infos = self._add_info(infos, {"final_obs": observation, "final_info": info}, i)
                observation, info = self.envs[i].reset()
            observations.append(observation)
            infos = self._add_info(infos, info, i)
        rewards, terminations, truncations = (np.array([r[k] for r in results]) for k in (1, 2, 3))
        return np.stack(observations), rewards.astype(np.float64), terminations, truncations, infos


def _face(env: UnlearningEnv, member: Member) -> UnlearningEnv:
    """Return the environment with another process and a reward of its own (``copy.copy`` would build it anew)."""
    face: UnlearningEnv = object.__new__(type(env))
    vars(face).update(vars(env))
    face.process = member
    face._reward, face._np_random, face._signals = copy.deepcopy(env._reward), None, None
    face._step = 0
    return face
