"""Examples that are to be kept and to be forgotten at once."""

from __future__ import annotations

import hashlib
import warnings

from torch import Tensor


def overlap(retain: Tensor, forget: Tensor) -> int:
    """Return how many rows of ``forget`` are, number for number, also in ``retain``; both of shape (n, ...)."""
    kept = set(_digests(retain))
    return sum(digest in kept for digest in _digests(forget))


def warn_of_overlap(retain: Tensor, forget: Tensor, what: str = "images") -> None:
    """Warn of forget examples that are in the retain set too, and count them."""
    both = overlap(retain, forget)
    if both:
        warnings.warn(
            f"{both} of the {len(forget)} {what} of forget_data are in retain_data too, so they are kept and forgotten "
            "at once; take them out of retain_data.",
            stacklevel=4,
        )


def _digests(examples: Tensor) -> list[bytes]:
    rows = examples.detach().cpu().flatten(1).contiguous().numpy()
    return [hashlib.blake2b(row.data, digest_size=16).digest() for row in rows]
