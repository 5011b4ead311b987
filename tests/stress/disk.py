"""What lies on the disk, and wires across it: kill or fail a process at one of its file operations."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
OPERATIONS = frozenset({"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink"})
CREATING = frozenset({"open", "os.mkdir"})
"""What a full disk refuses; a read-only one refuses all operations."""


def snapshot(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder; folders and links count too."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"link to {path.readlink()}"
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
    return found


def changes(before: dict[str, str], after: dict[str, str]) -> str:
    """Say in words what differs, '' if nothing does."""
    words = {
        "gone": [name for name in before if name not in after],
        "new": [name for name in after if name not in before],
        "changed": [name for name in before if name in after and after[name] != before[name]],
    }
    return "; ".join(f"{word}: {', '.join(names[:4])}" for word, names in words.items() if names)


class Wire:
    """Counts the file operations of a process below a folder, and does something from the n-th on.

    Args:
        folder: operations elsewhere do not count.
        at: number of the operation, from 1; 0 only counts.
        act: called with the event's name and the path before the operation is made.
    """

    def __init__(self, folder: Path, at: int = 0, act: Callable[[str, str], None] | None = None) -> None:
        self._folder, self._at, self._act = str(folder), at, act
        self._shared = mmap.mmap(-1, 8)  # a fork counts into the same memory

    @property
    def count(self) -> int:
        """Operations so far."""
        return int.from_bytes(self._shared[:8], "little")

    def lay(self) -> None:
        """Lay the wire in this process, for good."""
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in OPERATIONS or not isinstance(arguments[0], str | bytes | os.PathLike):
            return
        if event == "open" and not (arguments[2] or 0) & WRITING:
            return
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if not path.startswith(self._folder):
            return
        self._shared[:8] = (self.count + 1).to_bytes(8, "little")
        if self._act and self._at and self.count >= self._at:
            self._act(event, path)


def die(event: str, path: str) -> None:
    """Kill this process without a chance to clean up."""
    os.kill(os.getpid(), signal.SIGKILL)


def full(event: str, path: str) -> None:
    """Fail as a full disk does."""
    if event in CREATING:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def forbidden(event: str, path: str) -> None:
    """Fail as a folder of someone else does."""
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
