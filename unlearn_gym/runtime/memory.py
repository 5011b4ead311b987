"""What a process that computes for hours tells the C library and Python's collector; no number depends on it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterator

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's options, from its ``malloc.h``."""
KEPT, LARGEST_OF_OLD = 2**30, 2**25
"""Bytes from which freed memory goes back to the system; older versions of glibc allow less for one piece."""


def keep_freed_memory() -> bool:
    """Let this process use freed memory again instead of handing it back, and say whether the C library can do so.

    The tensors of an update and of a sampling step are freed and needed again at once. What was handed back comes again
    page by page, each empty: a fifth of the time of sampling. The process's peak stays the same, but it stays there.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:  # no glibc
        return False
    # Setting one of the two stops glibc from adapting the other, so that the second needs the first.
    large = mallopt(MMAP_THRESHOLD, KEPT) or mallopt(MMAP_THRESHOLD, LARGEST_OF_OLD)
    return bool(large and mallopt(TRIM_THRESHOLD, KEPT))


@contextlib.contextmanager
def settled_objects() -> Iterator[None]:
    """Leave what exists now out of Python's garbage collections while the body runs.

    Each update makes objects enough for a collection now and then, which otherwise looks at all modules, classes and
    data again: 0.2 s a time in a process that loaded torch and Stable-Baselines3.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
