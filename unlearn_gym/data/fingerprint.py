"""Names for examples, networks and other objects that change when anything in them changes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

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


def of_tensors(named: Iterable[tuple[str, Tensor]]) -> str:
    """Return the SHA-256 of the names, types, shapes and bytes of tensors, in their order."""
    digest = hashlib.sha256()
    for name, tensor in named:
        tensor = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def content_of(value: Any) -> Any:
    """Return what JSON can say of an object, so that another content is another text.

    It is a ``default`` of ``json.dumps``. Arrays, tensors and networks are known by their numbers, pipelines and
    schedulers of diffusers by their parts and configuration, and what is none of these by its ``str``.
    """
    match value:
        case np.generic():
            return value.item()
        case np.ndarray() if value.dtype != object:
            return f"{value.dtype.str}{value.shape} {hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()}"
        case Tensor():
            return of_tensors([("", value)])
        case nn.Module():
            return [str(value), of_tensors(value.state_dict().items()), getattr(value, "config", None)]
    for parts in ("components", "config"):
        if isinstance(getattr(value, parts, None), Mapping):
            return [type(value).__name__, dict(getattr(value, parts))]
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, dict(vars(value))]
    return str(value)
