"""A name for a set of examples that changes when anything in it changes."""

from __future__ import annotations

import hashlib

from unlearn_gym.data.split import LabelledSet


def fingerprint(*parts: LabelledSet) -> str:
    """Return the SHA-256 of the shapes, types and bytes of inputs and labels, in their order.

    Args:
        *parts: the set, or sets whose concatenation is named without being made.
    """
    digest = hashlib.sha256()
    for tensors in ([part.inputs for part in parts], [part.labels for part in parts]):
        arrays = [tensor.detach().cpu().contiguous().numpy() for tensor in tensors]
        shape = (sum(len(array) for array in arrays), *arrays[0].shape[1:])
        digest.update(f"{arrays[0].dtype.str}{shape}".encode())
        for array in arrays:
            digest.update(array.data)
    return digest.hexdigest()
