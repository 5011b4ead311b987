"""Files and folders on their way to another machine: read whole, known by their content, written whole."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from unlearn_gym.errors import UserError
from unlearn_gym.storage.cache import cache_dir
from unlearn_gym.storage.files import atomic_directory, user_path

Contents = dict[str, bytes]
"""Name with ``/`` below the folder → what the file holds; of a single file, its own name."""
HANDED = "handed"
"""Folder of the cache that holds what came from other machines, each in a folder of its key."""


def named(keywords: Mapping[str, Any]) -> list[Path]:
    """Return what keywords name of the disk: values that may as well be words, where there is such a file or folder."""
    texts = [str(value) for value in keywords.values() if isinstance(value, str | os.PathLike)]
    return [path for text in texts if text and (path := user_path(text)).exists()]


def pack(path: Path) -> Contents:
    """Read a file, or all files of a folder."""
    if path.is_file():
        return {path.name: path.read_bytes()}
    files = sorted(file for file in path.rglob("*") if file.is_file())
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in files}


def key_of(contents: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of names and contents."""
    found = hashlib.sha256()
    for name, content in sorted(contents.items()):
        found.update(f"{name}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()


def unpack(contents: Mapping[str, bytes], folder: Path) -> None:
    """Write what ``pack`` read of a folder, whole or not at all; see ``atomic_directory``."""
    with atomic_directory(folder) as temporary:
        for name, content in contents.items():
            file = temporary / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def unpack_once(contents: Mapping[str, bytes], folder: Path) -> None:
    """Write a folder unless it is there; one process of a machine writes while the others wait."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(folder.name + ".lock")):
        if not folder.exists():
            unpack(contents, folder)


def show(contents: Mapping[str, bytes], key: str, place: Path, *, single: bool) -> None:
    """Let a path name what came from another machine: a link into the cache, which only another such link may replace.

    Args:
        contents: of the file or folder.
        key: their ``key_of``.
        place: the path that is to name it.
        single: whether it is a file.

    Raises:
        UserError: when the place cannot be written, or holds something else of this machine.
    """
    if (place.exists() or place.is_symlink()) and not _ours(place):
        raise UserError(
            f"{place} is not the same here as on the machine that started this; start from a folder above it, and give "
            "its path from there."
        )
    kept = cache_dir() / HANDED / key
    unpack_once(contents, kept)
    link = place.with_name(f".{place.name}.link-{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(kept / place.name if single else kept)
        link.replace(place)
    except OSError as error:
        raise UserError(
            f"{place} cannot be written on this machine ({error.strerror}); start from a folder above it, and give its "
            "path from there."
        ) from error
    finally:
        link.unlink(missing_ok=True)


def _ours(place: Path) -> bool:
    return place.is_symlink() and (cache_dir() / HANDED).resolve() in Path(os.path.realpath(place)).parents
