"""Names for examples, networks and other objects that change when anything in them changes."""

from __future__ import annotations

import hashlib
import inspect
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unlearn_gym.data.split import LabelledSet

LIBRARIES = ("torch", "diffusers", "transformers")
"""Packages whose classes are known by their names."""
PROCESS = secrets.token_hex(8)
"""Tells this process from all others."""


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
    """Return what JSON can say of an object, so that another content is another text: a ``default`` of ``json.dumps``.

    Arrays, tensors and networks are known by their numbers, networks also by the source of their classes, pipelines and
    schedulers of diffusers by their parts and configuration, data classes by their fields. An object that is none of
    these cannot be told from others like it: its text is of this process alone.
    """
    match value:
        case np.generic() | np.ndarray() if value.dtype == object:
            return value.tolist()
        case np.generic() | np.ndarray():
            return f"{value.dtype.str}{value.shape} {hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()}"
        case Tensor():
            return of_tensors([("", value)])
        case nn.Module():
            return [computed_by(value), of_tensors(value.state_dict().items())]
        case PurePath() | torch.dtype() | torch.device():
            return str(value)
    if isinstance(getattr(value, "components", None), Mapping):
        return [type(value).__name__, dict(value.components)]
    if (config := configuration(value)) is not None:
        return [type(value).__name__, config]
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, {field.name: getattr(value, field.name) for field in fields(value)}]
    return f"{object.__repr__(value)} of {PROCESS}"


class Contents:
    """``content_of`` that reads every object once: for many texts that are made while nothing changes."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, Any]] = {}

    def __call__(self, value: Any) -> Any:
        """Return the content of an object; it is held, so that no other one gets its number."""
        if id(value) not in self._known:
            self._known[id(value)] = value, content_of(value)
        return self._known[id(value)][1]


def computed_by(network: nn.Module) -> list[Any]:
    """Return what a network computes with its weights: its layers, its configuration, and the source of own classes."""
    kinds = {type(module) for module in network.modules()}
    own = sorted(
        filter(None, (_source(kind) for kind in kinds if kind.__module__.split(".")[0] not in LIBRARIES))
    )
    return [str(network), configuration(network), own]


def configuration(value: Any) -> dict[str, Any] | None:
    """Return the configuration of an object of diffusers, without where and by which version it was made; else None."""
    config = getattr(value, "config", None)
    if not isinstance(config, Mapping):
        return None
    return {key: each for key, each in config.items() if not key.startswith("_")}


def _source(kind: type) -> str:
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):  # typed into a console
        return ""
