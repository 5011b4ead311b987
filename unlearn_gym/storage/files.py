"""Files and folders that are written whole or not at all, whatever kills the process and whenever.

A file, or a folder that is new, is written under a temporary name beside its place and renamed. A folder that is
there already stays in place: its new files lie whole in ``PENDING`` inside it before the first is moved over an old
one, and whoever reads or writes the folder next (``settle``) moves those that a kill left there.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from unlearn_gym.errors import UserError
from unlearn_gym.storage.temporaries import is_temporary, locked, temporary_file, temporary_folder

PENDING = ".unlearn_gym-complete"
"""Folder inside a folder that is being replaced: files that are whole and not yet moved to their places."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})
"""What the system says when there is no room, or none may be taken."""
NUMBER = re.compile(r"(?:os error|errno =) (\d+)")
"""How safetensors and HDF5 tell the system's number: in the text of an error that has no ``errno``."""
LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""Files that desktops leave in folders."""


class WriteError(UserError, OSError):
    """A file or folder could not be written; the message says which, why and what to do."""


def user_path(path: str | os.PathLike[str]) -> Path:
    """Return ``path`` with ``~`` as the home folder.

    Raises:
        UserError: when there is no such user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise UserError(f"{path} cannot be read ({error}); write the folder out.") from error


@contextlib.contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` on success, remove it on failure.

    The temporary name keeps the suffix of ``path``, because writers choose their format by it. A link is followed.

    Raises:
        WriteError: when ``path`` is a folder, or there is no room or no permission; what was there is untouched.
    """
    target = Path(os.path.realpath(user_path(path)))
    with contextlib.ExitStack() as stack:
        with _explained(path):
            if target.is_dir():
                raise WriteError(f"{path} is a folder; give the name of a file.")
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = stack.enter_context(temporary_file(target.parent, target.stem, target.suffix))
        with _explained(path, only_full=True):
            yield temporary
        with _explained(path):
            _sync(temporary)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(target)


@contextlib.contextmanager
def atomic_directory(path: str | Path) -> Iterator[Path]:
    """Give a temporary folder; on success make it ``path``, or move its files over those of the folder ``path``.

    A kill leaves the old files or the new ones, once ``settle`` was called. The folder itself stays the same one,
    so it may be a link, a mount point or the working directory. Files that others put there are never touched.

    Raises:
        WriteError: when ``path`` is a file, there is no room or no permission, or the folder holds anything besides
            the files that are to be replaced; what was there is untouched.
    """
    target = Path(os.path.abspath(user_path(path)))
    with contextlib.ExitStack() as stack:
        with _explained(path):
            if os.path.lexists(target) and not target.is_dir():
                raise WriteError(f"{path} is a file or a broken link; give the name of a folder.")
            if target.is_dir():
                settle(target)
                place, name = target, "new"  # inside: the folder around it may not be ours to write
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                place, name = target.parent, target.name
            temporary = stack.enter_context(temporary_folder(place, name))
        with _explained(path, only_full=True):
            yield temporary
        with _explained(path):
            for file in temporary.rglob("*"):
                if not file.is_dir():
                    _sync(file)
            temporary.chmod(0o777 & ~_umask())
            _put(temporary, target)


def settle(folder: Path) -> None:
    """Finish the replacement of ``folder`` that a kill broke off, if there was one.

    Raises:
        WriteError: when the folder cannot be written.
    """
    if (folder / PENDING).is_dir():
        with _explained(folder), locked(folder):
            _move_pending(folder)


def refuse_foreign(folder: Path, ours: Collection[str], what: str) -> None:
    """Refuse a folder that holds anything but our own.

    Args:
        folder: it may be missing.
        ours: names, with ``/`` below the folder, of what may lie there; a folder among them, if it is to be
            searched, is named with the names of its files.
        what: what is about to be written, for the message.

    Raises:
        WriteError: naming what else lies there.
    """
    foreign = list(_foreign(folder, frozenset(ours)))
    if foreign:
        listed = ", ".join(sorted(foreign)[:3]) + (", …" if len(foreign) > 3 else "")
        raise WriteError(
            f"{folder} holds {listed}, no part of {what}; give a new folder, or move that away first."
        )


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


def is_full(error: BaseException | None) -> bool:
    """Tell whether an error says that there was no room on the disk, or that it is read-only."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in FULL
    told = NUMBER.search(str(error)) if isinstance(error, (SafetensorError, OSError, RuntimeError)) else None
    return told is not None and int(told.group(1)) in FULL


def _put(source: Path, target: Path) -> None:
    if not target.exists():
        try:
            source.rename(target)
            return
        except OSError:
            if not target.is_dir():  # else another process has just made it
                raise
    with locked(target):
        _move_pending(target)
        names = {path.relative_to(source).as_posix() for path in source.rglob("*")}
        refuse_foreign(target, names, "what is to be saved")
        source.rename(target / PENDING)
        _move_pending(target)


def _move_pending(target: Path) -> None:
    pending = target / PENDING
    for file in sorted(path for path in pending.rglob("*") if not path.is_dir()):
        place = target / file.relative_to(pending)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.replace(place)
    if pending.exists():
        shutil.rmtree(pending)


def _foreign(folder: Path, ours: frozenset[str], below: str = "") -> Iterator[str]:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        name = below + path.name
        if path.name in LITTER or is_temporary(path) or path.name == PENDING:
            continue
        inside = any(own.startswith(f"{name}/") for own in ours)
        is_folder = path.is_dir() and not path.is_symlink()
        if inside and is_folder:
            yield from _foreign(path, ours, f"{name}/")
        elif inside or is_folder or name not in ours:
            yield name


@contextlib.contextmanager
def _explained(path: str | Path, only_full: bool = False) -> Iterator[None]:
    """Turn an error of the system into one sentence about ``path``; or only that there is no room."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        full = is_full(error)
        of_files = not isinstance(error, RuntimeError) and not only_full
        if isinstance(error, UserError) or not (full or of_files):
            raise
        raise WriteError(
            f"{path} cannot be written ({getattr(error, 'strerror', None) or error}); "
            + ("free some space or choose another place" if full else "give a path that can be written")
            + "; what was there before is as it was."
        ) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
