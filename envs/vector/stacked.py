"""Environments whose networks are stacked: one launch sequence for all of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.utils.seeding import np_random
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from unlearn_gym.envs.base import UnlearningEnv
from unlearn_gym.envs.checks import check_seed
from unlearn_gym.errors import UserError
from unlearn_gym.processes.base import LAMBDA_0, Process, Quality, Signals, Update
from unlearn_gym.processes.gradient import GradientProcess
from unlearn_gym.processes.stacked.choice import NotStackable, make_stack
from unlearn_gym.processes.stacked.gradient import Stack


class Member(Process):
    """One copy of a stack as its environment sees it: the stack has moved already, here are the results."""

    def __init__(self, stack: Stack, copy: int) -> None:
        self._stack, self._copy = stack, copy
        self.tells_cosine = stack.objective.tells_cosine
        self.learning_rate = stack.learning_rate

    @property
    def forget_cap(self) -> float | None:
        """See ``Process.forget_cap``."""
        return self._stack.objective.forget_cap

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
        autoreset_mode: when an environment that ended is reset: in the next step, whose action it then
            ignores, in the same step (``info["final_obs"]``), or by the user, with a ``reset_mask``.

    Raises:
        NotStackable: if its process or network cannot be held as a stack, or actions set the learning rate.
    """

    def __init__(
        self, env: gym.Env, num_envs: int, autoreset_mode: AutoresetMode = AutoresetMode.NEXT_STEP
    ) -> None:
        face = env.unwrapped
        assert isinstance(face, UnlearningEnv)
        if not face.stackable:
            raise NotStackable(
                f"vectorization='stacked' cannot stack {type(face).__name__}, whose copies differ in data and budget; "
                "choose processes or loop."
            )
        if face.encoding.sets_learning_rate:
            raise NotStackable(
                "vectorization='stacked' has one learning rate for all copies; leave control= out, or choose processes "
                "or loop."
            )
        self.num_envs, self.autoreset_mode = num_envs, autoreset_mode
        self.metadata = {**face.metadata, "autoreset_mode": autoreset_mode}
        self.render_mode = face.render_mode
        self.single_action_space, self.single_observation_space = face.action_space, face.observation_space
        self.action_space = batch_space(face.action_space, num_envs)
        self.observation_space = batch_space(face.observation_space, num_envs)
        self.stack = make_stack(face.process, num_envs)
        self.envs = [_face(face, Member(self.stack, i)) for i in range(num_envs)]
        self._process = face.process
        self._observations = np.zeros(self.observation_space.shape or (), np.float32)
        self._ended = np.zeros(num_envs, dtype=bool)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Reset all; an integer seed s becomes s, s + 1 and so on.

        ``options={"reset_mask": mask}``, N truth values, resets some of them.
        """
        seeds = self._seeds(seed)
        chosen, options = self._masked(options)
        self._restart({i: seeds[i] for i in chosen}, options)
        infos: dict[str, Any] = {}
        for i in chosen:
            self._observations[i], info = self.envs[i].reset(seed=seeds[i], options=options)
            self._ended[i] = False
            infos = self._add_info(infos, info, i)
        return self._observations.copy(), infos

    def _seeds(self, seed: int | Sequence[int | None] | None) -> list[int | None]:
        if isinstance(seed, list | tuple | np.ndarray):
            seeds = [check_seed(each) for each in seed]
            if len(seeds) != self.num_envs:
                raise UserError(
                    f"{len(seeds)} seeds were given for {self.num_envs} environments; give one each."
                )
            return seeds
        first = check_seed(seed)
        return [None if first is None else first + i for i in range(self.num_envs)]

    def _masked(self, options: dict[str, Any] | None) -> tuple[list[int], dict[str, Any] | None]:
        """Return which environments are to be reset, and the options of each."""
        if not isinstance(options, dict) or "reset_mask" not in options:
            return list(range(self.num_envs)), options
        mask = np.asarray(options["reset_mask"])
        if mask.dtype != np.bool_ or mask.shape != (self.num_envs,) or not mask.any():
            raise UserError(
                f"reset_mask={options['reset_mask']!r} was given; give {self.num_envs} truth values, one of them True."
            )
        rest = {key: value for key, value in options.items() if key != "reset_mask"}
        return [int(i) for i in np.flatnonzero(mask)], rest

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
        """Step all but those that ended, which are dealt with as ``autoreset_mode`` says."""
        if len(actions) != self.num_envs:
            raise UserError(
                f"{len(actions)} actions were given for {self.num_envs} environments; give one each."
            )
        resting = [int(i) for i in np.flatnonzero(self._ended)]
        if resting and self.autoreset_mode is AutoresetMode.DISABLED:
            raise UserError(
                f"The environments {resting} have ended; reset them with options={{'reset_mask': ...}}."
            )
        moving = [i for i in range(self.num_envs) if i not in resting]
        self._move({i: self.envs[i].encoding.decode(actions[i]).lam for i in moving})
        rewards = np.zeros(self.num_envs)
        terminations, truncations = (np.zeros(self.num_envs, dtype=bool) for _ in "ab")
        found = {}
        for i in moving:
            self._observations[i], rewards[i], terminations[i], truncations[i], found[i] = self.envs[i].step(
                actions[i]
            )
        ended = terminations | truncations
        same_step = self.autoreset_mode is AutoresetMode.SAME_STEP
        again = [int(i) for i in np.flatnonzero(ended)] if same_step else resting
        self._ended = ended & (not same_step)
        self._restart(dict.fromkeys(again))
        infos: dict[str, Any] = {}
        for i in range(self.num_envs):
            if i in again and same_step:
                last = {"final_obs": self._observations[i].copy(), "final_info": found[i]}
                infos = self._add_info(infos, last, i)
            if i in again:
                self._observations[i], found[i] = self.envs[i].reset()
            infos = self._add_info(infos, found[i], i)
        return self._observations.copy(), rewards, terminations, truncations, infos

    def _move(self, lams: dict[int, float]) -> None:
        """Update the stack, which moves as a whole; copies without a λ are put back, unless they start over next."""
        kept = {
            i: self.stack.state_dict(i)
            for i, env in enumerate(self.envs)
            if i not in lams and not env.starts_over(seed=None, options=None)
        }
        self.stack.update([lams.get(i, LAMBDA_0) for i in range(self.num_envs)])
        for i, state in kept.items():
            self.stack.load_state_dict(i, state)

    def render(self) -> tuple[Any, ...] | None:
        """Return what each environment shows, or None without a ``render_mode``."""
        return None if self.render_mode is None else tuple(map(self._shown, range(self.num_envs)))

    def _shown(self, i: int) -> Any:
        """Let an environment draw with the one process that has a network of its own."""
        env, member = self.envs[i], self.envs[i].process
        lend(self.stack, i, self._process)
        env.process = self._process
        try:
            return env.render()
        finally:
            env.process = member

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method of each environment, or return an attribute of each."""
        values = [env.get_wrapper_attr(name) for env in self.envs]
        return tuple(value(*args, **kwargs) if callable(value) else value for value in values)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return an attribute of each environment."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of each environment: one value for all, or a list of one each."""
        each = values if isinstance(values, list | tuple) else [values] * self.num_envs
        if len(each) != self.num_envs:
            raise UserError(f"{len(each)} values were given for {self.num_envs} environments; give one each.")
        for env, value in zip(self.envs, each, strict=True):
            env.set_wrapper_attr(name, value)


def lend(stack: Stack, copy: int, process: Process) -> None:
    """Give the process that a stack was made of the weights, statistics and problem of one copy.

    The stack reads none of them: it has its own.
    """
    assert isinstance(process, GradientProcess)
    number = stack.state_dict(copy)["stream"].get("number")
    if number is not None:
        process.go_to(number)  # type: ignore[attr-defined]
    with torch.no_grad():
        process._weights.copy_(stack.weights[copy])
        buffers = dict(process.model.named_buffers())
        for name, statistic in stack.network.statistics.items():
            buffers[name].copy_(statistic[copy])


def _face(env: UnlearningEnv, member: Member) -> UnlearningEnv:
    """Return the environment with another process and a reward of its own (``copy.copy`` would build it anew)."""
    face: UnlearningEnv = object.__new__(type(env))
    vars(face).update(vars(env))
    face.process = member
    face._reward, face._np_random, face._signals = copy.deepcopy(env._reward), None, None
    face.observer = copy.deepcopy(env.observer)
    face._step, face._curves = 0, face._new_curves()
    return face
