"""Making an environment from a word and keywords that a user gave."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator

import unlearn_gym
from unlearn_gym.envs.deprecated import deprecated
from unlearn_gym.errors import UserError
from unlearn_gym.runtime.checks import check_known, optional, word
from unlearn_gym.runtime.command_line import one_line

PREFIX = "unlearn_gym/"


def full_id(env_id: str) -> str:
    """Return the id with the prefix ``unlearn_gym/``, which may be left out."""
    return env_id if "/" in env_id or ":" in env_id else PREFIX + env_id


def make_env(env_id: str, env_kwargs: Mapping[str, Any] | None = None) -> gym.Env:
    """Call ``gymnasium.make`` with errors that a user can act on.

    Args:
        env_id: a registered id, whole; ``module:id`` imports the module first, which may register it.
        env_kwargs: keywords of the environment.

    Raises:
        UserError: on a module that cannot be imported, an unknown id or keyword, or a value that the
            environment refuses.
    """
    unlearn_gym.register_all()
    spec = _find_spec(env_id)
    keywords = dict(env_kwargs or {})
    _check_keywords(spec, keywords)
    try:
        return gym.make(spec, **keywords)
    except UserError:
        raise
    except (TypeError, ValueError, gym.error.Error) as error:
        raise UserError(f"{env_id} cannot be made with {keywords}: {one_line(error)}.") from error


def registered_kwargs(env_id: str) -> dict[str, Any]:
    """Return the keywords that an id was registered with.

    Raises:
        UserError: on an unknown id.
    """
    return dict(_find_spec(env_id).kwargs)


def environment(env_id: str) -> Callable[..., Any]:
    """Return the class, or the function, that makes the environments of an id.

    Raises:
        UserError: on an unknown id, or one whose module cannot be imported.
    """
    return _creator(_find_spec(env_id))


def keywords_of_env(env_id: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return every keyword of an environment with its value: as given, as registered, as suits those, or by default.

    Raises:
        UserError: on an unknown id, or one whose module cannot be imported.
    """
    spec = _find_spec(env_id)
    creator = _creator(spec)
    parameters = inspect.signature(creator).parameters
    defaults = {name: each.default for name, each in parameters.items() if each.default is not each.empty}
    chosen = {**spec.kwargs, **given}
    options = getattr(getattr(creator, "__init__", None), "options", None)
    return {**defaults, **(options.suited(chosen) if options else chosen)}


def _find_spec(env_id: str) -> EnvSpec:
    module, _, name = env_id.rpartition(":")
    if module:
        import_module(module)
    try:
        return gym.spec(name)
    except gym.error.Error as error:
        ids = ", ".join(sorted(known for known in gym.registry if known.startswith(PREFIX)))
        raise UserError(f"The environment {name!r} is not known; choose one of {ids}.") from error


def import_module(name: str) -> None:
    """Import a module of the user, who may keep it in the working folder.

    A console command has only its own folder on the path, unlike ``python -m``; worker processes inherit the path.

    Raises:
        UserError: if there is no such module, or importing it fails.
    """
    if not {"", os.getcwd()} & set(sys.path):
        sys.path.append(os.getcwd())
    try:
        importlib.import_module(name)
    except Exception as error:  # a foreign module fails in any way
        raise UserError(
            f"The module {name!r} cannot be imported ({type(error).__name__}: {one_line(error)}); install it, or "
            "start from the folder that holds it."
        ) from error


def _creator(spec: EnvSpec) -> Callable[..., Any]:
    try:
        creator = (
            load_env_creator(spec.entry_point) if isinstance(spec.entry_point, str) else spec.entry_point
        )
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"{spec.id} is registered with {spec.entry_point}, which cannot be imported ({one_line(error)})."
        ) from error
    assert creator is not None
    return creator


def _check_keywords(spec: EnvSpec, keywords: dict[str, Any]) -> None:
    creator = _creator(spec)
    parameters = inspect.signature(creator).parameters
    optional(word)("render_mode", keywords.get("render_mode"))
    if keywords.get("render_mode") == "human":
        raise UserError("render_mode='human' needs a window; choose rgb_array, ansi or None.")
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    options = getattr(creator.__init__, "options", None)  # type: ignore[misc]
    old = deprecated(options.hyperparameters()) if options else ()
    check_known(spec.id, [name for name in keywords if name not in old], parameters)
