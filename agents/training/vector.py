"""Making environments for training: with checks, episode records, in this process or one process each."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch
from safetensors.torch import save_file
from stable_baselines3.common.vec_env import CloudpickleWrapper, DummyVecEnv, SubprocVecEnv, VecEnv
from stable_baselines3.common.vec_env.subproc_vec_env import _worker
from torch import Tensor, nn

from unlearn_gym.agents.training.gymnasium_vec import GymnasiumVecEnv
from unlearn_gym.envs.making import make_env
from unlearn_gym.envs.vector import is_on_gpu
from unlearn_gym.errors import UserError
from unlearn_gym.runtime import workers
from unlearn_gym.storage.files import atomic_write


class EpisodeRecord(gym.Wrapper):
    """Puts ``{"r": return, "l": length}`` into ``info["episode"]`` when an episode ends; can be saved.

    Of an online environment it keeps the network at the end of a run, which the next reset takes away.
    """

    def __init__(self, env: gym.Env) -> None:
        super().__init__(env)
        self._return, self._length = 0.0, 0
        self._online = bool(getattr(env.unwrapped, "online", False))
        self._kept: dict[str, Tensor] | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict]:
        """Start counting anew."""
        self._return, self._length = 0.0, 0
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict]:
        """Count the step."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._return += float(reward)
        self._length += 1
        if terminated or truncated:
            info["episode"] = {"r": self._return, "l": self._length}
            if self._online and self.unwrapped.starts_over(seed=None, options=None):  # type: ignore[attr-defined]
                self._kept = self._weights()
        return observation, reward, terminated, truncated, info

    def _weights(self) -> dict[str, Tensor] | None:
        """Return a copy of the network's weights and statistics as they are now, or None where there is none."""
        model = getattr(getattr(self.unwrapped, "process", None), "model", None)
        if not isinstance(model, nn.Module):
            return None
        return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}

    def unlearned(self) -> dict[str, Tensor] | None:
        """Return the network that the last online run ended with, or, before its end, as it is; None if episodic."""
        return (self._kept or self._weights()) if self._online else None

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the environment and of the count.

        Raises:
            UserError: if the environment cannot be saved.
        """
        if not hasattr(self.unwrapped, "state_dict"):
            raise UserError(
                f"{type(self.unwrapped).__name__} has no state_dict(), which checkpoints need; "
                "add it, or train with checkpoint_every=0."
            )
        return {
            "env": self.unwrapped.state_dict(),
            "action_space": self.env.action_space.np_random.bit_generator.state,
            "return": self._return,
            "length": self._length,
            "unlearned": self._kept or {},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        self.unwrapped.load_state_dict(state["env"])  # type: ignore[attr-defined]
        self.env.action_space.np_random.bit_generator.state = state["action_space"]
        self._return, self._length = state["return"], state["length"]
        self._kept = state.get("unlearned") or None


@dataclass(frozen=True)
class Factory:
    """Makes one recorded environment; it can be sent to another process.

    Attributes:
        env_id: a registered id.
        env_kwargs: keywords of the environment.
        alone: whether a process is started for it, in which torch then gets one thread.
    """

    env_id: str
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    alone: bool = False

    def __call__(self) -> EpisodeRecord:
        """Make it."""
        if self.alone:
            torch.set_num_threads(1)  # two processes with two threads each on two cores are slower by far
        return EpisodeRecord(make_env(self.env_id, self.env_kwargs))


class WorkerVecEnv(SubprocVecEnv):
    """One environment a spawned process; they end with this process, and one that dies or raises is named.

    Args:
        factories: one a process.

    Raises:
        UserError: here and in every method, when a process has died.
    """

    def __init__(self, factories: Sequence[Factory]) -> None:
        self.waiting = self.closed = False
        self.remotes: list[workers.Worker] = []  # type: ignore[assignment]
        try:
            for number, factory in enumerate(factories, start=1):
                self.remotes.append(workers.start(number, _serve, CloudpickleWrapper(factory), daemon=True))
            self.remotes[0].send(("get_spaces", None))
            spaces = self.remotes[0].recv()
            VecEnv.__init__(self, len(factories), *spaces)
        except BaseException:
            self.close()
            raise

    def call_each(self, name: str, keywords: Mapping[int, Mapping[str, Any]]) -> dict[int, Any]:
        """Call a method of some environments at once; other than by ``step``, none of them is reset by itself.

        Args:
            name: of the method.
            keywords: number of an environment → what its method is called with.

        Returns:
            Number → what the method returned.
        """
        self.waiting = True
        for number, given in keywords.items():
            self.remotes[number].send(("env_method", (name, (), dict(given))))
        answers = {number: self.remotes[number].recv() for number in keywords}
        self.waiting = False
        return answers

    def close(self) -> None:
        """End the processes; those that are in the middle of a step are not waited for."""
        if not self.closed:
            self.closed = True
            workers.end(self.remotes, at_once=self.waiting)


def _serve(connection: Connection, factory: CloudpickleWrapper) -> None:
    """Be the process of one environment, with Stable-Baselines3's protocol."""
    workers.settle()
    try:
        _worker(connection, Pipe()[0], factory)  # it closes the second one, the parent's end of a fork
    except BrokenPipeError:  # the other end was closed
        return
    except Exception as error:
        with contextlib.suppress(OSError):
            connection.send(workers.Failure.of(error))


def make_vector(env_id: str, env_kwargs: dict[str, Any], n_envs: int) -> VecEnv:
    """Return ``n_envs`` environments: here if it is one or on a GPU, else one spawned process each."""
    if n_envs == 1:
        return DummyVecEnv([Factory(env_id, env_kwargs)])
    if is_on_gpu(env_kwargs):
        envs = gym.make_vec(env_id, num_envs=n_envs, autoreset_mode="SameStep", **env_kwargs)
        return GymnasiumVecEnv(envs)
    make_env(env_id, env_kwargs).close()  # an error is clearer here than out of a worker
    return WorkerVecEnv([Factory(env_id, env_kwargs, alone=True)] * n_envs)


def keep_unlearned(environments: Any, path: Path) -> None:
    """Write the network that the first environment's online run ended with; nothing where there is none.

    Args:
        environments: what ``make_vector`` returned, or one ``EpisodeRecord``; a stack on a GPU keeps nothing.
        path: of the safetensors file.
    """
    if isinstance(environments, GymnasiumVecEnv):
        return
    if isinstance(environments, VecEnv):
        (weights,) = environments.env_method("unlearned", indices=0)
    else:
        weights = environments.unlearned()
    if weights is not None:
        with atomic_write(path) as temporary:
            save_file({name: tensor.contiguous() for name, tensor in weights.items()}, temporary)
