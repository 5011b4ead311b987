"""An agent as one folder: ``agent.json`` (class, settings, λ range) with ``agent.safetensors``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearn_gym.agents.common import serialization
from unlearn_gym.agents.registry import agent_class
from unlearn_gym.errors import UserError
from unlearn_gym.runtime.command_line import one_line
from unlearn_gym.storage.files import atomic_directory, settle, user_path

if TYPE_CHECKING:
    from unlearn_gym.agents.common.base import Agent

FILE = "agent"
FORMAT = 1
KEYS = {"format": int, "agent": str, "settings": dict, "lambda_range": list, "state": dict}
"""What ``agent.json`` holds."""
TRAINED = "trained"
"""Its key for where the agent was trained, which only agents of ``unlearn-gym train`` have."""


def save(agent: Agent, folder: str | Path) -> None:
    """Write ``agent`` to ``folder``, whole or not at all, over the agent that was there.

    Raises:
        UserError: when the folder cannot be written or holds anything else, or the agent learned numbers that are
            not finite.
    """
    record = {
        "format": FORMAT,
        "agent": agent.name,
        "settings": dataclasses.asdict(agent.settings),
        "lambda_range": [agent.low, agent.high],
        "action": agent.encoding.name,
        "control": list(agent.encoding.control),
        "observed": list(agent.observation_space.shape or ()),
        "state": agent.state_dict(),
        **({TRAINED: agent.trained} if agent.trained else {}),
    }
    lost = next(serialization.not_finite(record["state"]), None)
    if lost:
        raise UserError(
            f"The {agent.name} agent is not saved: {lost} is not finite, its training diverged; "
            "train again with a smaller learning_rate."
        )
    with atomic_directory(folder) as temporary:
        serialization.save(temporary, FILE, record)


def find(path: str | Path) -> Path | None:
    """Return the folder of the agent saved at ``path`` or in the run folder ``path``, or None."""
    path = user_path(path)
    for folder in (path, path / FILE):
        settle(folder)
        if (folder / f"{FILE}.json").is_file():
            return folder
    return None


def load(path: str | Path, env: Any) -> Agent:
    """Rebuild the agent that ``save`` wrote.

    Args:
        path: the folder, or the run folder that holds it.
        env: the environment it will act in.

    Raises:
        UserError: if nothing whole is there, or it was made for another λ range.
    """
    folder = find(path)
    if folder is None:
        raise UserError(f"{path} holds no saved agent ({FILE}.json); give a run folder of train_agent.py.")
    record = serialization.load(folder, FILE)
    if any(not isinstance(record.get(key), kind) for key, kind in KEYS.items()) or record["format"] != FORMAT:
        raise UserError(f"{folder} is not an agent of this version (format {FORMAT}); train it again.")
    agent = _make(record, env, folder)
    _check_spaces(record, agent, folder)
    if [agent.low, agent.high] != record["lambda_range"]:
        raise UserError(
            f"{folder} was trained for λ in {record['lambda_range']}, the environment has "
            f"[{agent.low:g}, {agent.high:g}]; give the environment the same lambda_range."
        )
    lost = next(serialization.not_finite(record["state"]), None)
    if lost:
        raise UserError(f"{folder} is damaged: {lost} is not finite; train the agent again.")
    agent.trained = record.get(TRAINED)
    try:
        agent.load_state_dict(record["state"])
    except UserError:
        raise
    except Exception as error:  # libraries fail in many ways on what does not fit
        raise UserError(
            f"{folder} does not fit its own settings ({one_line(error)}); train the agent again."
        ) from error
    return agent


def _check_spaces(record: dict[str, Any], agent: Agent, folder: Path) -> None:
    """Refuse another form of actions or observations; agents of early versions do not say theirs."""
    encoding, width = agent.encoding, list(agent.observation_space.shape or ())
    for key, here in {"action": encoding.name, "control": list(encoding.control)}.items():
        if record.get(key, here) != here:
            raise UserError(
                f"{folder} was trained with {key}={record[key]!r}, the environment has {key}={here!r}; give the "
                f"environment the same {key}."
            )
    if record.get("observed", width) != width:
        raise UserError(
            f"{folder} was trained on observations of shape {record['observed']}, the environment gives {width}; give "
            "the environment the same observation."
        )


def _make(record: dict[str, Any], env: Any, folder: Path) -> Agent:
    try:
        kind = agent_class(record["agent"])
        unknown = set(record["settings"]) - {field.name for field in dataclasses.fields(kind.Settings)}
        if unknown:
            raise UserError(f"{min(unknown)!r} is no setting of {kind.name}.")
        return kind(env, **record["settings"])
    except UserError as error:
        raise UserError(f"{folder} cannot be loaded: {error}") from error
