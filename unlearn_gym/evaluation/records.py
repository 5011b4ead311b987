"""What is kept of a finished run: one JSON file, with its pictures beside it, found again by a digest."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from unlearn_gym.evaluation.run import Run
from unlearn_gym.evaluation.sources import code_digest
from unlearn_gym.storage.files import atomic_write, write_json

FORMAT = 3


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
    """

    name: str
    seed: int
    values: dict[str, float]
    run: Run | None = None
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    classes: dict[str, dict[str, float]] = field(default_factory=dict)


def digest(settings: dict[str, Any]) -> str:
    """Return 16 hexadecimal digits for anything JSON can say, and for the code that runs are made with."""
    text = json.dumps([FORMAT, code_digest(), settings], sort_keys=True, default=str)
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
    texts = [str(value) for value in env_kwargs.values() if isinstance(value, str | os.PathLike)]
    named = [Path(text).expanduser() for text in texts if text]
    files = sorted(
        file for path in named for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()
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
    """Write the pictures, then the JSON, each whole or not at all: the JSON says that the run is done."""
    if record.pictures:
        with atomic_write(path.with_suffix(".npz")) as temporary:
            np.savez_compressed(temporary, **record.pictures)  # type: ignore[arg-type]
    run = None if record.run is None else asdict(record.run)
    classes = {metric: _to_json(values) for metric, values in record.classes.items()}
    content = {"name": record.name, "seed": record.seed, "values": _to_json(record.values), "run": run}
    write_json(path, content | {"classes": classes})


def load_record(path: Path) -> Record:
    """Read what ``save_record`` wrote."""
    content = json.loads(path.read_text(encoding="utf-8"))
    values = _from_json(content["values"])
    classes = {metric: _from_json(found) for metric, found in content["classes"].items()}
    run = None if content["run"] is None else Run(**content["run"])
    pictures: dict[str, np.ndarray] = {}
    if path.with_suffix(".npz").exists():
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as archive:
            pictures = {title: archive[title] for title in archive.files}
    return Record(content["name"], content["seed"], values, run, pictures, classes)


def _to_json(values: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _from_json(values: dict[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in values.items()}
