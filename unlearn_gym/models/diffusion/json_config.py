"""Configuration files of other people: read as JSON, and every value held against the type that it should have."""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unlearn_gym.errors import UserError


def read_config(file: Path) -> dict[str, Any]:
    """Return the JSON object in ``file``.

    Raises:
        UserError: when there is no such file, or something else in it.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"There is no {file}; give a folder that diffusers' save_pretrained wrote.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file} is no readable JSON ({one_line(error)}); save the model again.") from error
    if not isinstance(found, dict):
        raise UserError(f"{file} holds a JSON {type(found).__name__}, not an object; save the model again.")
    return found


def check_config(
    config: Mapping[str, Any], kind: type, required: tuple[str, ...], where: str | Path
) -> list[str]:
    """Hold a configuration against the constructor of the class that it is for.

    Args:
        config: names and values; names that begin with "_" are not looked at.
        kind: the class, whose parameters have type hints.
        required: names that must be there, because a default would be a guess.
        where: what a message calls the configuration.

    Returns:
        The names that the class does not know.

    Raises:
        UserError: when a name is missing or a value has another type.
    """
    constructor = inspect.unwrap(kind.__init__)  # type: ignore[misc]
    hints, parameters = typing.get_type_hints(constructor), inspect.signature(constructor).parameters
    for name in required:
        if config.get(name) is None:
            raise UserError(f"{where} does not say {name}; add it as the model was trained with.")
    for name, value in config.items():
        is_default = name in parameters and value is parameters[name].default  # None, whatever the hint says
        if name in hints and not is_default and not _fits(value, hints[name]):
            raise UserError(
                f"{where} says {name}={value!r:.60}, which is no {_called(hints[name])}; correct it."
            )
    return [name for name in config if name not in hints and not name.startswith("_")]


def plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of an object of diffusers such that its class builds the same from it.

    diffusers notes what was left to defaults, counts positional arguments among it, and would drop their values.
    """
    return {name: value for name, value in config.items() if name != "_use_default_values"}


def one_line(error: BaseException) -> str:
    """Return an error's text in one line of at most 200 characters, or its kind where it has none."""
    return " ".join(str(error).split())[:200].rstrip(".:") or type(error).__name__


def _fits(value: Any, hint: Any) -> bool:
    """Say whether ``value`` is what ``hint`` says; a JSON list counts as a tuple, a whole number as a float."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is typing.Literal:  # diffusers' lists of words are not complete; its constructors check them
        return isinstance(value, str)
    if origin in (tuple, list):
        return isinstance(value, list | tuple) and all(_fits(item, parts[0]) for item in value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, hint) if isinstance(hint, type) else True


def _called(hint: Any) -> str:
    """Return a type hint in words."""
    return hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
