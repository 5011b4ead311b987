"""One process at a time in a run folder; the lock is the operating system's and ends with its process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from unlearn_gym.errors import UserError

LOCK = ".lock"


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made where it is missing; it is removed again if nothing was put into it.

    A file ``.lock`` lies in the folder meanwhile. The one that a killed process leaves behind locks nothing.

    Raises:
        UserError: when another process holds the folder, or it cannot be written.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise UserError(
                f"Another process is at work in {folder}; wait until it has finished, stop it, or choose "
                "another folder."
            ) from error
        except (OSError, NotImplementedError) as error:  # the latter where a drive knows no locks
            raise _unwritable(folder, error) from error
        try:
            yield
        finally:
            with contextlib.suppress(
                OSError
            ):  # while it is held: then no other process holds what is removed
                (folder / LOCK).unlink()
            lock.release()
    finally:
        with contextlib.suppress(OSError):  # not empty: it was used
            for path in made:
                path.rmdir()


def _unwritable(folder: Path, error: Exception) -> UserError:
    reason = getattr(error, "strerror", None) or error
    return UserError(f"{folder} cannot be used as a folder ({reason}); give one that can be written.")
