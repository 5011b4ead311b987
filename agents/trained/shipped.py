"""The policies that come with the package, in folders as ``Agent.save`` writes them; ``shipped:NAME`` means one."""

from __future__ import annotations

import shutil
from pathlib import Path

from unlearn_gym.agents.common import saving, serialization
from unlearn_gym.errors import UserError
from unlearn_gym.storage.files import atomic_directory

FOLDER = Path(__file__).parent / "policies"
WORD = "shipped"
"""What a word of an agent begins with that means one of them."""


def names() -> list[str]:
    """Return their names."""
    return sorted(path.name for path in FOLDER.iterdir() if path.is_dir()) if FOLDER.is_dir() else []


def folder(name: str) -> Path:
    """Return the folder of one.

    Raises:
        UserError: when there is none of that name.
    """
    if name not in names():
        there = f"choose one of {', '.join(names())}" if names() else "there is none in this version"
        raise UserError(f"No policy {name!r} comes with the package; {there}. See unlearn-gym list.")
    return FOLDER / name


def add(agent: Path, name: str, trained: dict[str, object]) -> Path:
    """Copy a trained agent among those that come with the package, with where it was trained; return its folder.

    Args:
        agent: the folder that ``Agent.save`` wrote.
        name: of letters, digits and hyphens.
        trained: see ``unlearn_gym.agents.trained.origin.Origin.as_record``.
    """
    if not name.replace("-", "").isalnum():
        raise UserError(f"A policy cannot be called {name!r}; give letters, digits and hyphens.")
    record = serialization.load(agent, saving.FILE)
    target = FOLDER / name
    if target.exists():
        shutil.rmtree(target)
    with atomic_directory(target) as temporary:
        serialization.save(temporary, saving.FILE, {**record, saving.TRAINED: trained})
    return target
