"""Models that were trained with Stable-Baselines3 itself, on an environment as it is, as agents."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.running_mean_std import RunningMeanStd

from unlearn_gym.agents.common.base import Agent, State
from unlearn_gym.agents.common.randomness import OwnRandomness
from unlearn_gym.agents.imports.sb3_files import Normalizer, Space, read_model, read_normalizer
from unlearn_gym.errors import UserError
from unlearn_gym.runtime.command_line import one_line
from unlearn_gym.storage.files import user_path

RAW = "raw"
"""In the place of a VecNormalize file: the model saw the observations as they are."""


class ForeignAgent(Agent):
    """A policy of Stable-Baselines3, whose actions are λ as they are, with the statistics it was trained with.

    Args:
        env: the environment it will act in.
        policy: the policy.
        normalizer: scales its observations; None where it was trained on them as they are.
    """

    name = "sb3"

    def __init__(
        self, env: Any, policy: BasePolicy, normalizer: Callable[[np.ndarray], np.ndarray] | None
    ) -> None:
        super().__init__(env)
        self.policy, self.normalizer = policy, normalizer
        self.begin(0)

    def begin(self, seed: int) -> None:
        """Draw the actions of a stochastic policy from ``seed``."""
        self.randomness = OwnRandomness(seed)
        if getattr(self.policy, "use_sde", False):
            with self.randomness:
                self.policy.reset_noise()  # type: ignore[operator]

    def predict(
        self,
        observation: np.ndarray,
        state: State = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, State]:
        """See ``Agent.predict``; what the model's own ``predict`` returns."""
        seen = observation if self.normalizer is None else self.normalizer(observation)
        with self.randomness:
            return self.policy.predict(seen, state, episode_start, deterministic)

    def save(self, folder: str | Path) -> None:
        """Refuse: the model is saved by Stable-Baselines3.

        Raises:
            UserError: always.
        """
        raise UserError("This model is Stable-Baselines3's; save it with its own save() and keep that zip.")


def from_model(model: BaseAlgorithm, env: Any) -> ForeignAgent:
    """Return a model in memory as an agent, with the statistics of its ``VecNormalize`` if it has one.

    Raises:
        UserError: when it was trained in other spaces than those of ``env``.
    """
    _check_spaces("The model", _ends(model.observation_space), _ends(model.action_space), env)
    vec = model.get_vec_normalize_env()
    normalizer = None
    if vec is not None and vec.norm_obs:
        assert isinstance(vec.obs_rms, RunningMeanStd)
        normalizer = Normalizer(vec.obs_rms.mean.copy(), vec.obs_rms.var.copy(), vec.epsilon, vec.clip_obs)
    return ForeignAgent(env, model.policy, normalizer)


def split(spec: str) -> tuple[Path, str] | None:
    """Return the zip that ``path/to/model.zip:vecnormalize.pkl`` names and what follows; None for other words."""
    match = re.fullmatch(r"(.+\.zip)(?::(.*))?", spec)
    return None if match is None else (user_path(match[1]), match[2] or "")


def files(spec: str) -> list[Path]:
    """Return the files that a word on a command line names: the zip, and the VecNormalize file if there is one."""
    found = split(spec)
    if found is None or not found[0].is_file():
        return []
    return [found[0]] if found[1] in ("", RAW) else [found[0], user_path(found[1])]


def from_zip(spec: str, env: Any) -> ForeignAgent:
    """Return the agent of ``path/to/model.zip``, ``model.zip:vecnormalize.pkl`` or ``model.zip:raw``.

    Raises:
        UserError: when a file is missing or damaged or holds what cannot be read without running code, the spaces
            are others than those of ``env``, or the statistics that the model was trained with are not given.
    """
    found = split(spec)
    if found is None or not found[0].is_file():
        raise UserError(f"There is no file {spec}; give the zip that Stable-Baselines3's model.save wrote.")
    path, rest = found
    model = read_model(path)
    _check_spaces(str(path), model.observations, model.actions, env)
    if not rest:
        _check_raw(path, model.observations, model.last)
    normalizer = None if rest in ("", RAW) else read_normalizer(user_path(rest))
    if normalizer is not None and normalizer.mean.shape != env.observation_space.shape[-1:]:
        raise UserError(
            f"{rest} is for observations of shape {normalizer.mean.shape}; give the one of {path}."
        )
    try:
        with OwnRandomness(0):  # the weights that are drawn first draw from nobody else's state
            policy = model.build(env.observation_space, env.action_space)
    except (RuntimeError, TypeError, ValueError, MemoryError) as error:
        raise UserError(
            f"{path}: its weights do not fit its settings ({one_line(error)}); save the model again."
        ) from error
    return ForeignAgent(env, policy, normalizer)


def _check_spaces(what: str, observations: Space, actions: Space, env: Any) -> None:
    low, high = env.action_space.low, env.action_space.high
    if not (_same(actions.low, low) and _same(actions.high, high)):
        raise UserError(
            f"{what} was trained for actions from {actions.low} to {actions.high}, the environment has λ from {low} "
            f"to {high}; give the environment the same lambda_range, and train without wrappers that change actions."
        )
    if not _same(observations.low, env.observation_space.low):
        raise UserError(
            f"{what} was trained on other observations (shape {observations.low.shape}, from {observations.low}) than "
            "those of the environment; train on the environment as it is, or with VecNormalize."
        )


def _check_raw(path: Path, observations: Space, last: np.ndarray | None) -> None:
    """Refuse to guess whether a model was trained on scaled observations."""
    beside = sorted(file.name for file in path.parent.glob("*.pkl") if "norm" in file.name.lower())
    if last is not None and not observations.holds(last):
        file = path.parent / (beside[0] if beside else "vecnormalize.pkl")
        raise UserError(
            f"{path} was trained on scaled observations; give the file that VecNormalize.save wrote as well: "
            f"{path}:{file}."
        )
    if beside:
        raise UserError(
            f"{beside[0]} lies beside {path}; say whether it belongs to it with {path}:{path.parent / beside[0]}, "
            f"or that there is none with {path}:{RAW}."
        )


def _ends(space: Any) -> Space:
    return Space(np.asarray(getattr(space, "low", np.nan)), np.asarray(getattr(space, "high", np.nan)))


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=0.0, atol=1e-6))
