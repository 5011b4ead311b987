"""A name for a set of examples that changes when anything in it changes."""

from __future__ import annotations

import hashlib

from unlearn_gym.data.split import LabelledSet


def fingerprint(examples: LabelledSet) -> str:
    """Return the SHA-256 of the shapes, types and bytes of inputs and labels, in their order."""
    digest = hashlib.sha256()
    for tensor in (examples.inputs, examples.labels):
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
