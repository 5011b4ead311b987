"""SHA-256 of every file of a folder, kept in a manifest beside them, so that damage is noticed when it is read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

MANIFEST = "manifest.json"


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder but its manifest, by its name with ``/`` below the folder."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != MANIFEST)
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files
    }


def damaged(folder: Path) -> list[str] | None:
    """Return which files of a folder are missing or differ from its manifest; None where it has no manifest."""
    manifest = folder / MANIFEST
    if not manifest.exists():
        return None
    try:
        expected = json.loads(manifest.read_text(encoding="utf-8"))["sha256"]
        found = checksums(folder)
        return [name for name, checksum in expected.items() if found.get(name) != checksum]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [MANIFEST]
