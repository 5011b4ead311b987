"""Where trained models are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from unlearn_gym.storage.files import user_path

CACHE_VARIABLE = "UNLEARN_GYM_CACHE"
MODELS = "models"
"""Folder of the cache that holds the trained models, each in a folder whose name says what determines it."""
models_in_use: set[Path] = set()
"""Those that this process asked for: what a machine that takes over its work has to have."""


def cache_dir() -> Path:
    """Return the cache folder: ``UNLEARN_GYM_CACHE`` if set, else the platform's user cache.

    The folder may not exist yet; whoever writes there makes it.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    return user_path(chosen) if chosen else Path(platformdirs.user_cache_dir("unlearn_gym"))
