"""Files and folders that are written whole or not at all: into a temporary neighbour, then renamed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` on success, remove it on failure.

    The temporary name keeps the suffix of ``path``, because writers choose their format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}.tmp-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_directory(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder beside ``path``; put it in the place of ``path`` on success, else remove it.

    A folder that stood there before is replaced.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f"{temporary_prefix(path)}", dir=path.parent))
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _sync(file)
        temporary.chmod(0o777 & ~_umask())
        _replace_directory(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def temporary_prefix(path: Path) -> str:
    """Return how the names of the temporary folders of ``path`` begin."""
    return f".{path.name}.tmp-"


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` to ``path`` in UTF-8."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, obj: Any) -> None:
    """Write ``obj`` to ``path`` as indented JSON; NaN and infinity are errors, as JSON has neither.

    Raises:
        ValueError: when ``obj`` holds a number that is not finite.
        TypeError: when ``obj`` holds something that JSON cannot say.
    """
    write_text(path, json.dumps(obj, indent=2, allow_nan=False) + "\n")


def _replace_directory(source: Path, target: Path) -> None:
    if not target.exists():
        source.replace(target)
        return
    old = Path(tempfile.mkdtemp(prefix=temporary_prefix(target), dir=target.parent))
    target.replace(old / target.name)
    source.replace(target)
    shutil.rmtree(old, ignore_errors=True)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
