"""The folder of a training run: what may be written over, and what is deleted for a new run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from unlearn_gym.agents.common import serialization
from unlearn_gym.agents.common.saving import FILE as AGENT
from unlearn_gym.agents.training import checkpoints
from unlearn_gym.agents.training.config import CONFIG
from unlearn_gym.agents.training.logs import BOARD, CSV, EVENTS
from unlearn_gym.errors import UserError
from unlearn_gym.storage.files import LITTER, refuse_foreign
from unlearn_gym.storage.run_lock import LOCK
from unlearn_gym.storage.temporaries import is_temporary

UNLEARNED = "unlearned.safetensors"
"""The network at the end of an online run, which is itself the unlearning."""
ERRORS = "training-error.log"
"""The traceback of what ended a run that nobody has put into words."""


def check_free(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that holds something which the user may want to keep."""
    if not _contents(folder):
        return
    if not overwrite:
        raise UserError(
            f"The output folder {folder} is not empty; continue its run with --resume {folder}, "
            "replace it with --overwrite, or choose another --output."
        )
    if not (folder / CONFIG).is_file():
        raise UserError(f"{folder} holds no run ({CONFIG} is missing); delete it yourself to use it.")
    refuse_foreign(folder, [LOCK, *_run_files(folder)], "a run")


def _contents(folder: Path) -> list[Path]:
    """Return what is there apart from the lock, leftovers of a killed run, and what desktops leave."""
    ours = {LOCK, ERRORS, *LITTER}
    return [path for path in folder.iterdir() if path.name not in ours and not is_temporary(path)]


def _run_files(folder: Path) -> Iterator[str]:
    """Yield the names that a run may have written in its folder."""
    yield from (CONFIG, CSV, UNLEARNED, ERRORS)
    yield from (f"{AGENT}/{name}" for name in serialization.files(AGENT))
    yield from (f"{BOARD}/{file.name}" for file in (folder / BOARD).glob(EVENTS))
    for checkpoint in (folder / checkpoints.FOLDER).glob("[0-9]*"):
        yield from (
            f"{checkpoints.FOLDER}/{checkpoint.name}/{name}" for name in serialization.files(checkpoints.NAME)
        )


def clear(folder: Path) -> None:
    """Delete the run in the folder but for its configuration, so that it stays one until that is replaced."""
    for name in (AGENT, BOARD, checkpoints.FOLDER):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
    for name in (CSV, UNLEARNED):
        (folder / name).unlink(missing_ok=True)
