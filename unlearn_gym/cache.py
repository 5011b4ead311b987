"""Where trained models are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from unlearn_gym.files import user_path

CACHE_VARIABLE = "UNLEARN_GYM_CACHE"


def cache_dir() -> Path:
    """Return the cache folder: ``UNLEARN_GYM_CACHE`` if set, else the platform's user cache.

    The folder may not exist yet; whoever writes there makes it.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    return user_path(chosen) if chosen else Path(platformdirs.user_cache_dir("unlearn_gym"))
