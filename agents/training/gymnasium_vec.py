"""A Gymnasium vector environment as Stable-Baselines3 wants it."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from stable_baselines3.common.vec_env import VecEnv

from unlearn_gym.errors import UserError


class GymnasiumVecEnv(VecEnv):
    """``VecEnv`` over a vector environment with same-step autoreset; episodes are recorded in ``info``.

    Args:
        envs: for example ``gymnasium.make_vec("unlearn_gym/SISS-Digits-v0", num_envs=64, device="cuda",
            autoreset_mode="SameStep")``.

    Raises:
        UserError: if the environments are reset in another way.
    """

    def __init__(self, envs: VectorEnv) -> None:
        if envs.metadata.get("autoreset_mode") is not AutoresetMode.SAME_STEP:
            raise UserError(
                'The vector environment must reset in the same step; make it with autoreset_mode="SameStep".'
            )
        self.envs = envs
        self._returns, self._lengths = np.zeros(envs.num_envs), np.zeros(envs.num_envs, dtype=int)
        self._actions: np.ndarray = np.empty(0)
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> np.ndarray:
        """Reset all, with the seeds and options that were set."""
        seeds = list(self._seeds) if any(s is not None for s in self._seeds) else None
        options = self._options[0] or None
        observations, infos = self.envs.reset(seed=seeds, options=options)  # type: ignore[arg-type]
        self.reset_infos = [one_info(infos, i) for i in range(self.num_envs)]
        self._reset_seeds()
        self._reset_options()
        self._returns[:], self._lengths[:] = 0.0, 0
        return observations

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Step; where an episode ended, ``info`` is its last one with ``terminal_observation``."""
        observations, rewards, terminations, truncations, infos = self.envs.step(self._actions)
        self._returns += rewards
        self._lengths += 1
        dones = terminations | truncations
        each = [self._info(infos, i, bool(dones[i]), bool(terminations[i])) for i in range(self.num_envs)]
        self._returns[dones], self._lengths[dones] = 0.0, 0
        return observations, rewards.astype(np.float32), dones, each

    def _info(self, infos: dict[str, Any], i: int, done: bool, terminated: bool) -> dict[str, Any]:
        if not done:
            return one_info(infos, i)
        return {
            **one_info(infos["final_info"], i),
            "terminal_observation": infos["final_obs"][i],
            "TimeLimit.truncated": not terminated,
            "episode": {"r": float(self._returns[i]), "l": int(self._lengths[i])},
        }

    def close(self) -> None:
        """Close all."""
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of some environments."""
        return self._call(attr_name, indices)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refuse: vector environments share their settings."""
        raise NotImplementedError("Attributes of vector environments are not set.")

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Call a method of some environments; a ``state_dict`` includes the episode's record."""
        chosen = self._get_indices(indices)
        if method_name == "load_state_dict":
            for i in chosen:
                self._returns[i], self._lengths[i] = args[0]["return"], args[0]["length"]
            return self._call(method_name, indices, args[0]["env"])
        found = self._call(method_name, indices, *args, **kwargs)
        if method_name != "state_dict":
            return found
        return [
            {"env": state, "return": float(self._returns[i]), "length": int(self._lengths[i])}
            for i, state in zip(chosen, found, strict=True)
        ]

    def _call(self, name: str, indices: Any, *args: Any, **kwargs: Any) -> list[Any]:
        chosen = list(self._get_indices(indices))
        if not hasattr(self.envs, "envs"):  # in processes: a call reaches all of them
            if args and len(chosen) < self.num_envs:
                raise NotImplementedError("Environments in processes are called all together.")
            results = self.envs.call(name, *args, **kwargs)  # type: ignore[attr-defined]
            return [results[i] for i in chosen]
        found = [getattr(self.envs.envs[i], name) for i in chosen]
        return [value(*args, **kwargs) if callable(value) else value for value in found]

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """Vector environments wrap nothing."""
        return [False for _ in self._get_indices(indices)]


def one_info(infos: dict[str, Any], i: int) -> dict[str, Any]:
    """Return environment i's part of Gymnasium's dictionary of arrays."""
    found = {}
    for key, values in infos.items():
        present = infos.get(f"_{key}")
        if (
            key.startswith("_")
            or key in ("final_obs", "final_info")
            or (present is not None and not present[i])
        ):
            continue
        found[key] = one_info(values, i) if isinstance(values, dict) else _plain(values[i])
    return found


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
