"""Hyperparameters as data: one YAML file an agent, keyed by environment id, with a ``default``."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

import yaml

from unlearn_gym.errors import UserError

DEFAULT = "default"


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads ``3e-4`` as a string; this one reads it as a number."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read(text: str, source: str) -> dict[str, Any]:
    """Parse a YAML mapping.

    Args:
        text: the YAML.
        source: how to call it in an error.

    Raises:
        UserError: if it is no YAML or no mapping.
    """
    try:
        values = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise UserError(f"{source} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(values, dict):
        raise UserError(f"{source} is not a mapping of keys to values.")
    return values


def hyperparameters(agent: str, env_id: str) -> dict[str, Any]:
    """Return the settings of an agent for an environment: its ``default`` entry, updated by the id's own.

    Args:
        agent: name of an agent; one without a file has no settings of its own.
        env_id: id of an environment, with or without the module that is imported first.
    """
    entries = table(agent)
    return {**entries.get(DEFAULT, {}), **entries.get(env_id.rpartition(":")[2], {})}


def table(agent: str) -> dict[str, Any]:
    """Return the whole file of an agent, environment id (or ``default``) → settings; empty if it has no file."""
    file = resources.files(__name__).joinpath(f"{agent}.yaml")
    return read(file.read_text(encoding="utf-8"), f"configs/{agent}.yaml") if file.is_file() else {}
