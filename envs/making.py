"""Making an environment from a word and keywords that a user gave."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import load_env_creator

import unlearn_gym
from unlearn_gym.cli import one_line
from unlearn_gym.errors import UserError

PREFIX = "unlearn_gym/"


def full_id(env_id: str) -> str:
    """Return the id with the prefix ``unlearn_gym/``, which may be left out."""
    return env_id if "/" in env_id or ":" in env_id else PREFIX + env_id


def make_env(env_id: str, env_kwargs: Mapping[str, Any] | None = None) -> gym.Env:
    """Call ``gymnasium.make`` with errors that a user can act on.

    Args:
        env_id: a registered id, whole.
        env_kwargs: keywords of the environment.

    Raises:
        UserError: on an unknown id or keyword, or a value that the environment refuses.
    """
    unlearn_gym.register_all()
    try:
        spec = gym.spec(env_id)
    except (gym.error.Error, ModuleNotFoundError) as error:
        ids = ", ".join(sorted(name for name in gym.registry if name.startswith(PREFIX)))
        raise UserError(f"The environment {env_id!r} is not known; choose one of {ids}.") from error
    keywords = dict(env_kwargs or {})
    _check_keywords(spec, keywords)
    try:
        return gym.make(env_id, **keywords)
    except UserError:
        raise
    except (TypeError, ValueError) as error:
        raise UserError(f"{env_id} cannot be made with {keywords}: {one_line(error)}.") from error


def _check_keywords(spec: Any, keywords: dict[str, Any]) -> None:
    creator = load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
    parameters = inspect.signature(creator).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    unknown = sorted(set(keywords) - set(parameters))
    if unknown:
        raise UserError(f"{spec.id} has no keyword {unknown[0]!r}; allowed are {', '.join(parameters)}.")
