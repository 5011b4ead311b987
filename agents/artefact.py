"""An agent as one folder: ``agent.json`` (class, settings, λ range) with ``agent.safetensors``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearn_gym.agents import nested
from unlearn_gym.errors import UserError
from unlearn_gym.files import atomic_directory

if TYPE_CHECKING:
    from unlearn_gym.agents.base import Agent

FILE = "agent"
FORMAT = 1


def save(agent: Agent, folder: str | Path) -> None:
    """Write ``agent`` to ``folder``, replacing what was there, whole or not at all."""
    record = {
        "format": FORMAT,
        "agent": agent.name,
        "settings": dataclasses.asdict(agent.settings),
        "lambda_range": [agent.low, agent.high],
        "state": agent.state_dict(),
    }
    with atomic_directory(folder) as temporary:
        nested.save(temporary, FILE, record)


def find(path: str | Path) -> Path | None:
    """Return the folder of the agent saved at ``path`` or in the run folder ``path``, or None."""
    candidates = (Path(path), Path(path) / FILE)
    return next((folder for folder in candidates if (folder / f"{FILE}.json").is_file()), None)


def load(path: str | Path, env: Any) -> Agent:
    """Rebuild the agent that ``save`` wrote.

    Args:
        path: the folder, or the run folder that holds it.
        env: the environment it will act in.

    Raises:
        UserError: if nothing whole is there, or it was made for another λ range.
    """
    from unlearn_gym import agents

    folder = find(path)
    if folder is None:
        raise UserError(f"{path} holds no saved agent ({FILE}.json); give a run folder of train_agent.py.")
    record = nested.load(folder, FILE)
    missing = {"format", "agent", "settings", "lambda_range", "state"} - set(record)
    if missing or record["format"] != FORMAT:
        raise UserError(f"{folder} is not an agent of this version (format {FORMAT}); train it again.")
    agent = agents.make(record["agent"], env, **record["settings"])
    if [agent.low, agent.high] != record["lambda_range"]:
        raise UserError(
            f"{folder} was trained for λ in {record['lambda_range']}, the environment has "
            f"[{agent.low:g}, {agent.high:g}]; give the environment the same lambda_range."
        )
    try:
        agent.load_state_dict(record["state"])
    except (KeyError, RuntimeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(
            f"{folder} does not fit its own settings ({error}); train the agent again."
        ) from error
    return agent
