"""The store of trained weights: content-addressed, checksummed, made once however many processes ask."""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from unlearn_gym.errors import UserError
from unlearn_gym.storage.cache import CACHE_VARIABLE, MODELS, cache_dir, models_in_use
from unlearn_gym.storage.checksums import MANIFEST, checksums
from unlearn_gym.storage.files import atomic_directory, write_json

SHIPPED = Path(__file__).parent / "shipped"
"""Models that come with the package, in folders of the cache's names and layout."""


def ensure(kind: str, spec: dict[str, Any], make: Callable[[Path], None]) -> Path:
    """Return the folder of the model that ``spec`` determines, making it first where it is not there.

    A model that comes with the package is found before the cache is looked at; a damaged one is left alone,
    with a warning. A file lock lets one process make a model while the others wait. An entry of the cache whose
    files do not match the checksums of its manifest is moved aside with a warning and made again.

    Args:
        kind: a word for the folder's name, such as ``"digits-original"``.
        spec: everything that determines the model, as JSON values.
        make: writes the model into the empty folder that it is given.

    Raises:
        UserError: when the cache folder cannot be written.
    """
    shipped = SHIPPED / _name(kind, spec)
    if _intact(shipped):
        return shipped
    if shipped.exists():
        warnings.warn(f"The files in {shipped} do not match their checksums and are not used.", stacklevel=2)
    folder = _folder(kind, spec)
    models_in_use.add(folder)
    if _intact(folder):
        return folder
    _make_writable(folder.parent)
    with FileLock(folder.with_name(folder.name + ".lock")):
        if not _intact(folder):
            _move_aside(folder)
            _make(folder, spec, make)
    return folder


def ensure_trained(
    kind: str, spec: dict[str, Any], train: Callable[[Path, Path], None], way: str = ""
) -> Path:
    """Return the same folder for a model whose training keeps its state in a file, which goes when the model is safe.

    Args:
        kind: see ``ensure``.
        spec: see ``ensure``.
        train: writes the model into the empty folder that it is given, its state into the file given second.
        way: word for a way of training that another one cannot go on with, such as ``"bfloat16"``.
    """
    checkpoint = training_file(f"{kind}-{way}" if way else kind, spec)
    folder = ensure(kind, spec, lambda folder: train(folder, checkpoint))
    checkpoint.unlink(missing_ok=True)
    return folder


def find(kind: str, spec: dict[str, Any]) -> Path | None:
    """Return the folder where ``ensure`` would find the model, whole, without making it; None if nowhere."""
    folders = (SHIPPED / _name(kind, spec), _folder(kind, spec))
    return next((folder for folder in folders if _intact(folder)), None)


def shipped(kind: str) -> Path:
    """Return the folder of the one model of a kind that comes with the package, whatever data are at hand here.

    Raises:
        UserError: when its files are not there or damaged.
    """
    found = [folder for folder in SHIPPED.glob(f"{kind}-*") if _intact(folder)]
    if len(found) != 1:
        raise UserError(f"{SHIPPED} has {len(found)} whole folders {kind}-…; install the package again.")
    return found[0]


def training_file(kind: str, spec: dict[str, Any]) -> Path:
    """Return where the state of a model's unfinished training is kept; the model's own folder is not there yet."""
    return cache_dir() / "training" / f"{_name(kind, spec)}.safetensors"


def spec_key(spec: dict[str, Any]) -> str:
    """Return the SHA-256 of the canonical JSON of ``spec``."""
    canonical = json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _folder(kind: str, spec: dict[str, Any]) -> Path:
    return cache_dir() / MODELS / _name(kind, spec)


def _name(kind: str, spec: dict[str, Any]) -> str:
    return f"{kind}-{spec_key(spec)[:16]}"


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(
            f"The model cache {cache_dir()} cannot be written; set {CACHE_VARIABLE} to a folder of yours."
        ) from error


def _make(folder: Path, spec: dict[str, Any], make: Callable[[Path], None]) -> None:
    with atomic_directory(folder) as temporary:
        make(temporary)
        write_json(temporary / MANIFEST, {"spec": spec, "sha256": checksums(temporary)})


def _intact(folder: Path) -> bool:
    try:
        return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["sha256"] == checksums(folder)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False


def _move_aside(folder: Path) -> None:
    if not folder.exists():
        return
    number = sum(1 for _ in folder.parent.glob(f"{folder.name}.damaged-*"))
    aside = folder.with_name(f"{folder.name}.damaged-{number}")
    folder.rename(aside)
    warnings.warn(
        f"The cached model {folder.name} does not match its checksums; "
        f"it was moved to {aside} and is made again.",
        stacklevel=3,
    )
