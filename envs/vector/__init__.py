"""Many environments at once: what ``gymnasium.make_vec`` makes of every registered id."""

from __future__ import annotations

import functools
import multiprocessing
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import gymnasium as gym
from gymnasium.envs.registration import load_env_creator
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

from unlearn_gym.errors import UserError
from unlearn_gym.registration import ENVIRONMENTS
from unlearn_gym.runtime.checks import whole


@dataclass(frozen=True)
class Maker:
    """Makes one environment; it can be sent to another process.

    Attributes:
        entry_point: module and class of the environment.
        kwargs: its keywords.
    """

    entry_point: str
    kwargs: dict[str, Any]

    def __call__(self) -> gym.Env:
        """Make it; torch gets one thread in a worker process, and keeps the user's setting elsewhere."""
        if multiprocessing.parent_process() is not None:
            import torch

            torch.set_num_threads(1)
        return cast(gym.Env, load_env_creator(self.entry_point)(**self.kwargs))


def in_processes(maker: Maker, num_envs: int, mode: AutoresetMode) -> VectorEnv:
    """Step each environment in a spawned process of its own, with one thread."""
    return AsyncVectorEnv([maker] * num_envs, context="spawn", autoreset_mode=mode)


def in_a_loop(maker: Maker, num_envs: int, mode: AutoresetMode) -> VectorEnv:
    """Step the environments one after another in this process."""
    return SyncVectorEnv([maker] * num_envs, autoreset_mode=mode)


EXPERIMENTAL = (
    "vectorization='stacked' is experimental: its numbers are tested against single environments on a CPU, its speed "
    "on a GPU was never measured; vectorization='loop' is the alternative there."
)


def in_a_stack(maker: Maker, num_envs: int, mode: AutoresetMode) -> VectorEnv:
    """Hold the environments' networks as one, which is meant for a GPU and was not measured on one."""
    from unlearn_gym.envs.vector.stacked import StackedVectorEnv

    made = StackedVectorEnv(maker(), num_envs, autoreset_mode=mode)
    warnings.warn(EXPERIMENTAL, stacklevel=3)
    return made


def in_a_stack_if_possible(maker: Maker, num_envs: int, mode: AutoresetMode) -> VectorEnv:
    """Hold the environments' networks as one, or step one after another where that cannot be done."""
    from unlearn_gym.processes.stacked.choice import NotStackable

    try:
        return in_a_stack(maker, num_envs, mode)
    except NotStackable as reason:
        warnings.warn(f"{reason} The environments are stepped one after another.", stacklevel=3)
        return in_a_loop(maker, num_envs, mode)


VECTORIZATIONS: dict[str, Callable[[Maker, int, AutoresetMode], VectorEnv]] = {
    "processes": in_processes,
    "loop": in_a_loop,
    "stacked": in_a_stack,
}
"""Name → function. ``auto`` is "stacked" on CUDA, "loop" for networks there that cannot be stacked (each process
would load the GPU's libraries), and "processes" on the CPU."""


def is_on_gpu(kwargs: Mapping[str, Any]) -> bool:
    """Whether environments with these keywords compute on a GPU, whose libraries each process would load."""
    return str(kwargs.get("device", "cpu")).startswith("cuda")


def make_vector(
    entry_point: str,
    num_envs: int,
    vectorization: str = "auto",
    autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
    **kwargs: Any,
) -> VectorEnv:
    """Return ``num_envs`` environments.

    Args:
        entry_point: module and class of the environment.
        num_envs: how many.
        vectorization: a name in ``VECTORIZATIONS`` or "auto".
        autoreset_mode: when an environment that ended is reset: "NextStep" (Gymnasium's default, which its
            vector wrappers need), "SameStep" or "Disabled", or Gymnasium's ``AutoresetMode``.
        kwargs: keywords of the environment.
    """
    whole(1)("num_envs", num_envs)
    mode = _as_mode(autoreset_mode)
    maker = Maker(entry_point, kwargs)
    if vectorization == "auto":
        return (in_a_stack_if_possible if is_on_gpu(kwargs) else in_processes)(maker, num_envs, mode)
    if vectorization not in VECTORIZATIONS:
        known = ", ".join(["auto", *VECTORIZATIONS])
        raise UserError(f"vectorization={vectorization!r} is not known; choose one of {known}.")
    return VECTORIZATIONS[vectorization](maker, num_envs, mode)


def _as_mode(mode: AutoresetMode | str) -> AutoresetMode:
    try:
        return AutoresetMode(mode)
    except ValueError as error:
        known = ", ".join(each.value for each in AutoresetMode)
        raise UserError(f"autoreset_mode={mode!r} is not known; choose one of {known}.") from error


def __getattr__(name: str) -> Callable[..., VectorEnv]:
    """Return the vector entry point of the environment class called ``name``."""
    for _, entry_point, _ in ENVIRONMENTS:
        if entry_point.endswith(f":{name}"):
            return functools.partial(make_vector, entry_point)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
