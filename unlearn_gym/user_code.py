"""Python files of the user, imported from where they lie."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from unlearn_gym.errors import UserError


def import_file(path: Path) -> ModuleType:
    """Import a Python file under a name of its own, so that two files of one name do not meet.

    Raises:
        UserError: when there is no such file, or importing it fails.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}; give the path of a Python file.")
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"unlearn_gym_user_{path.stem}_{digest}"
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise UserError(f"{path} is not a Python file; give one that ends in .py.")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # dataclasses and pickle look their module up
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UserError(
            f"{path} cannot be imported ({type(error).__name__}: {error}); fix the file."
        ) from error
    return module
