"""Python files of the user, imported from where they lie, and what their code raises, in one sentence."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from unlearn_gym.errors import UserError
from unlearn_gym.stopping import may_be_a_signal

PREFIX = "unlearn_gym_user_"
"""How the names of modules begin that ``import_file`` made."""


def import_file(path: Path) -> ModuleType:
    """Import a Python file under a name of its own, so that two files of one name do not meet.

    Raises:
        UserError: when there is no such file, or importing it fails.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}; give the path of a Python file.")
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"{PREFIX}{path.stem}_{digest}"
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise UserError(f"{path} is not a Python file; give one that ends in .py.")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses and pickle look their module up
    try:
        specification.loader.exec_module(module)
    except BaseException as error:  # a foreign file raises anything
        del sys.modules[name]
        if may_be_a_signal(error):
            raise
        line = f", line {place.lineno}" if (place := _place(error)) else ""
        raise UserError(f"{path}{line} cannot be imported ({_cause(error)}); fix the file.") from error
    return module


@contextlib.contextmanager
def blamed(what: str) -> Iterator[None]:
    """Turn what a user's file raises in the body into one sentence; all other exceptions pass.

    Args:
        what: what the sentence says has failed.

    Raises:
        UserError: naming file, line and cause.
    """
    try:
        yield
    except UserError:
        raise
    except BaseException as error:  # a foreign file raises anything
        place = _place(error)
        if place is None or may_be_a_signal(error):
            raise
        where = f"{place.filename}, line {place.lineno}, in {place.name}"
        raise UserError(f"{what} failed: {where} raised {_cause(error)}; fix the file.") from error


def _place(error: BaseException) -> traceback.FrameSummary | None:
    """Return the innermost frame of a traceback that is in a user's file."""
    frames = [
        (frame.f_code, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__", "")).startswith(PREFIX)
    ]
    if not frames:
        return None
    code, line = frames[-1]
    return traceback.FrameSummary(code.co_filename, line, code.co_name, lookup_line=False)


def _cause(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
