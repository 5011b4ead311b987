"""Checkpoints of a run: one folder each, named by its step, whole or not there at all."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from unlearn_gym.agents.common import serialization
from unlearn_gym.storage.files import atomic_directory

FOLDER = "checkpoints"
NAME = "checkpoint"


def write(run: Path, timesteps: int, state: dict[str, Any]) -> None:
    """Save ``state`` as the checkpoint of ``timesteps`` and remove the earlier ones."""
    target = run / FOLDER / f"{timesteps:012d}"
    if not target.exists():
        with atomic_directory(target) as temporary:
            serialization.save(temporary, NAME, state)
    for other in (run / FOLDER).iterdir():
        if other != target:
            shutil.rmtree(other, ignore_errors=True)


def latest_folder(run: Path) -> Path | None:
    """Return the folder of the last checkpoint, None if the run was killed before the first."""
    folders = sorted(path for path in (run / FOLDER).glob("[0-9]*") if path.is_dir())
    return folders[-1] if folders else None


def latest(run: Path) -> dict[str, Any] | None:
    """Return the state of the last checkpoint, None if the run was killed before the first.

    Raises:
        UserError: when it is damaged.
    """
    folder = latest_folder(run)
    return (
        None if folder is None else serialization.load(folder, NAME, f"delete {run / FOLDER} to start again")
    )
