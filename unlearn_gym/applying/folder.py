"""The output folder: there only when it is whole; until then a folder beside it holds the unfinished run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from unlearn_gym.agents.training import checkpoints
from unlearn_gym.errors import UserError
from unlearn_gym.storage.files import LITTER, user_path, write_json
from unlearn_gym.storage.run_lock import LOCK
from unlearn_gym.storage.temporaries import is_temporary

RESULTS, SETTINGS = "results.json", "settings.json"
UNFINISHED = ".unfinished"


def check_apart(output: Path, inputs: Sequence[str]) -> None:
    """Refuse an output that is an input, lies in one or holds one.

    Raises:
        UserError: naming it.
    """
    place = output.resolve()
    for text in inputs:
        given = user_path(text).resolve()
        if place == given or given in place.parents or place in given.parents:
            raise UserError(
                f"The output {output} and the input {text} are one or lie in each other; give a new folder: nothing of "
                "the input is overwritten."
            )


def beside(output: Path) -> Path:
    """Return the folder of the unfinished run."""
    return output.with_name(output.name + UNFINISHED)


def is_finished(output: Path, request: dict[str, Any]) -> bool:
    """Say whether the output of this very request is there already.

    Raises:
        UserError: when the folder holds anything else.
    """
    if not output.exists():
        return False
    if not output.is_dir():
        raise UserError(f"The output {output} is a file; give the name of a new folder.")
    found = [path.name for path in output.iterdir() if path.name not in LITTER and not is_temporary(path)]
    if not found:
        return False
    if RESULTS not in found:
        raise UserError(f"The output {output} holds {sorted(found)[0]}; give the name of a new folder.")
    other = _other(_read(output / RESULTS).get("request"), request)
    if other:
        raise UserError(
            f"The output {output} is that of another request ({other}); give the name of a new folder."
        )
    return True


def claim(folder: Path, request: dict[str, Any]) -> None:
    """Take the folder of an unfinished run for a request."""
    write_json(folder / SETTINGS, request)


def check_unfinished(folder: Path, request: dict[str, Any]) -> None:
    """Refuse a folder of unfinished runs that holds another than this request's.

    Raises:
        UserError: when it holds another request's run, or something that is no run.
    """
    found = [
        path.name for path in folder.iterdir() if path.name not in {LOCK, *LITTER} and not is_temporary(path)
    ]
    if not found:
        return
    if SETTINGS not in found or set(found) - {SETTINGS, checkpoints.FOLDER}:
        raise UserError(
            f"{folder} holds {sorted(found)[0]} and no unfinished run of ours; move it away first."
        )
    other = _other(_read(folder / SETTINGS), request)
    if other:
        raise UserError(
            f"{folder} holds an unfinished run of another request ({other}); finish that by its own command, or delete "
            "the folder."
        )


def drop(folder: Path) -> None:
    """Remove the run that a folder holds; the settings last, so that a kill leaves what ``check_unfinished`` knows."""
    shutil.rmtree(folder / checkpoints.FOLDER, ignore_errors=True)
    (folder / SETTINGS).unlink(missing_ok=True)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("no object")
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file} cannot be read ({error}); delete its folder to start again.") from error
    return content


def _other(found: Any, wanted: dict[str, Any]) -> str:
    """Say what differs first; nothing where two requests are the same."""
    if not isinstance(found, dict):
        return "nothing is known of it"
    for key in wanted:
        if found.get(key) != wanted[key]:
            short = len(str(wanted[key])) <= 40
            return f"{key}={found.get(key)!r:.60} there, {wanted[key]!r} here" if short else f"another {key}"
    return ""
