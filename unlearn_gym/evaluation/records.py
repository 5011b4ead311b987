"""What is kept of a finished run: one JSON file, with its pictures beside it, found again by a digest."""

from __future__ import annotations

import hashlib
import json
import math
import re
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unlearn_gym.data.fingerprint import content_of
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.run import Run
from unlearn_gym.evaluation.sources import code_digest
from unlearn_gym.storage.bundles import named
from unlearn_gym.storage.files import atomic_write, write_json

FORMAT = 4


@dataclass
class Record:
    """One row's result at one seed.

    Attributes:
        name: the agent, or "before" or "retrained".
        seed: of the run, its samples and its probes.
        values: metric → number; NaN where it could not be computed.
        run: the steps; None for the references.
        pictures: title → images, uint8 of shape (n, height, width, channels).
        classes: metric → class → number, where the evaluator measures class by class.
        trials: share → number of independent samples that it was counted on.
        details: title → key → number, such as the curve of which a metric is the mean.
    """

    name: str
    seed: int
    values: dict[str, float]
    run: Run | None = None
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    classes: dict[str, dict[str, float]] = field(default_factory=dict)
    trials: dict[str, int] = field(default_factory=dict)
    details: dict[str, dict[str, float]] = field(default_factory=dict)


def digest(settings: dict[str, Any], content: Callable[[Any], Any] = content_of) -> str:
    """Return 16 hexadecimal digits for settings, and for the code that runs are made with.

    Args:
        settings: what JSON can say, and objects.
        content: what JSON can say of these.
    """
    text = json.dumps([FORMAT, code_digest(), settings], sort_keys=True, default=content)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's files (names and contents, in order)."""
    result = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            result.update(str(file.relative_to(path) if path.is_dir() else file.name).encode())
            result.update(file.read_bytes())
    return result.hexdigest()


def stamps(env_kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return name, size and time of every file that a keyword names, so that a changed model is run anew."""
    files = sorted(
        file
        for path in named(env_kwargs)
        for file in (path.rglob("*") if path.is_dir() else [path])
        if file.is_file()
    )
    found = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return {"files": found} if found else {}


def record_path(folder: Path, name: str, seed: int, key: str) -> Path:
    """Return where the record of an agent and a seed is kept."""
    return folder / f"{slug(name)}-seed{seed}-{key}.json"


def slug(name: str) -> str:
    """Return a name that every file system takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "agent"


def save_record(record: Record, path: Path) -> None:
    """Write the pictures, then the JSON, each whole or not at all: the JSON says that the run is done.

    The JSON holds the checksums of itself and of the pictures, so that damage is noticed.
    """
    archive = path.with_suffix(".npz")
    if record.pictures:
        with atomic_write(archive) as temporary:
            np.savez_compressed(temporary, **record.pictures)  # type: ignore[arg-type]
    content = {
        "name": record.name,
        "seed": record.seed,
        "values": _to_json(record.values),
        "run": None if record.run is None else asdict(record.run),
        "classes": {metric: _to_json(values) for metric, values in record.classes.items()},
        "trials": record.trials,
        "details": {title: _to_json(values) for title, values in record.details.items()},
        "pictures": file_digest(archive) if record.pictures else None,
    }
    write_json(path, content | {"sha256": _checksum(content)})


def load_record(path: Path) -> Record:
    """Read what ``save_record`` wrote.

    Raises:
        UserError: when the JSON or the pictures beside it are not what was written.
    """
    archive = path.with_suffix(".npz")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        whole = content.pop("sha256") == _checksum(content)
        if not whole or (content["pictures"] and file_digest(archive) != content["pictures"]):
            raise ValueError("other checksums")
    except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"The record {path} is damaged; delete it, and the same evaluation makes it again."
        ) from error
    pictures: dict[str, np.ndarray] = {}
    if content["pictures"]:
        with np.load(archive, allow_pickle=False) as opened:
            pictures = {title: opened[title] for title in opened.files}
    classes = {metric: _from_json(found) for metric, found in content["classes"].items()}
    run = None if content["run"] is None else Run(**content["run"])
    details = {title: _from_json(found) for title, found in content["details"].items()}
    values, trials = _from_json(content["values"]), content["trials"]
    return Record(content["name"], content["seed"], values, run, pictures, classes, trials, details)


def is_kept(path: Path) -> bool:
    """Say whether there is a whole record; of a damaged one, which is to be made again, warn."""
    if not path.exists():
        return False
    try:
        load_record(path)
    except UserError:
        warnings.warn(f"The record {path} is damaged; this run is made again.", stacklevel=3)
        return False
    return True


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _to_json(values: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _from_json(values: dict[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in values.items()}
