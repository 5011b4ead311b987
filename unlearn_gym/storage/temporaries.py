"""Temporary files and folders: each is locked by its process, so that what a killed one left can be told and removed.

The lock is the operating system's (``flock``) and ends with its process. Where there is none (Windows, some network
drives), nothing is taken for a leftover.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_ours: set[tuple[int, int]] = set()
"""Device and inode of the temporaries that this process holds; their names are known to nobody else."""

_RANDOM = r"\.tmp-[a-z0-9_]{8}"  # as tempfile writes it


def prefix(name: str) -> str:
    """Return how the temporary names of a target called ``name`` begin."""
    return f".{name}.tmp-"


def is_temporary(path: Path) -> bool:
    """Tell by its name whether a file or folder is one of ours."""
    return re.fullmatch(rf"\..+{_RANDOM}(\.[^.]*)?", path.name) is not None


@contextlib.contextmanager
def temporary_file(folder: Path, stem: str, suffix: str) -> Iterator[Path]:
    """Give an empty file in ``folder`` and remove it at the end; leftovers of the same name are removed first."""
    sweep(folder, stem, suffix)

    def make() -> str:
        handle, name = tempfile.mkstemp(prefix=prefix(stem), suffix=suffix, dir=folder)
        os.close(handle)
        return name

    with _held(make) as temporary:
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def temporary_folder(folder: Path, name: str) -> Iterator[Path]:
    """Give an empty folder in ``folder`` and remove it at the end; leftovers of the same name are removed first."""
    sweep(folder, name)
    with _held(lambda: tempfile.mkdtemp(prefix=prefix(name), dir=folder)) as temporary:
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def sweep(folder: Path, name: str | None = None, suffix: str = "") -> None:
    """Remove what killed processes left in ``folder``: all of it, or that of the target ``name`` + ``suffix``."""
    ours = None if name is None else re.compile(re.escape(f".{name}") + _RANDOM + re.escape(suffix))
    for path in folder.iterdir():
        if ours.fullmatch(path.name) if ours else is_temporary(path):
            _remove_if_dead(path)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for other processes and threads that hold a file or folder, and hold it; where there are locks.

    A temporary of this process is held already: whoever writes into it need not wait for itself.
    """
    handle = None if _identity(path) in _ours else _lock(path, wait=True)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


@contextlib.contextmanager
def _held(make: Callable[[], str]) -> Iterator[Path]:
    handle: int | None = None
    try:
        while True:
            path = Path(make())
            handle = _lock(path, wait=True)
            if _is_at(path, handle):
                break
            if handle is not None:  # taken for a leftover and removed before it was locked
                os.close(handle)
                handle = None
        identity = _identity(path)
        _ours.add(identity)
        try:
            yield path
        finally:
            _ours.discard(identity)
    finally:
        if handle is not None:
            os.close(handle)


def _identity(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_dev, found.st_ino


def _is_at(path: Path, handle: int | None) -> bool:
    """Tell whether there is something at ``path``, and it is what the handle, if any, holds."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    return handle is None or os.path.samestat(os.fstat(handle), found)


def _remove_if_dead(path: Path) -> None:
    handle = _lock(path, wait=False)
    if handle is None:
        return
    try:
        with contextlib.suppress(OSError):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    finally:
        os.close(handle)


def _lock(path: Path, wait: bool) -> int | None:
    """Return an open handle that holds the lock, or None where it is held by others or there are no locks."""
    if fcntl is None:
        return None
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(handle)
        return None
    return handle
