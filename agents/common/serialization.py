"""Nested states (dictionaries, lists, tensors, arrays, numbers) as JSON beside safetensors: no pickle.

A manifest with the checksums of both files lies beside them. JSON has no tuples, integer keys, NaN or arrays;
each is written as a dictionary with one marked key.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from unlearn_gym.errors import UserError
from unlearn_gym.storage.checksums import MANIFEST, checksums, damaged

_TENSOR, _ARRAY, _SCALAR, _TUPLE, _ITEMS, _FLOAT = (
    "$tensor",
    "$array",
    "$scalar",
    "$tuple",
    "$items",
    "$float",
)


def save(folder: Path, name: str, state: Any) -> None:
    """Write ``state`` as ``name.json`` and ``name.safetensors`` with their manifest into an existing folder.

    Raises:
        TypeError: when the state holds an object that is none of the kinds above.
    """
    tensors: dict[str, torch.Tensor] = {}
    tree = _encode(state, tensors)
    (folder / f"{name}.json").write_text(json.dumps(tree, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    save_file(tensors, folder / f"{name}.safetensors")
    manifest = {"sha256": checksums(folder)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def files(name: str) -> tuple[str, ...]:
    """Return the names of the files that ``save`` writes."""
    return f"{name}.json", f"{name}.safetensors", MANIFEST


def load(
    folder: Path, name: str, advice: str = "save it again, and copy the folder as a whole"
) -> dict[str, Any]:
    """Read what ``save`` wrote; a folder without a manifest, as early versions wrote it, with a warning.

    Args:
        folder: the folder.
        name: as in ``save``.
        advice: what to do where it is not whole.

    Raises:
        UserError: when a file is missing, damaged or not what its manifest says, or the state is no dictionary.
    """
    try:
        changed = damaged(folder)
        if changed:
            raise ValueError(f"{', '.join(changed)}: not as in {MANIFEST}")
        tree = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        stored = load_file(folder / f"{name}.safetensors")
        # as allocated: in the file they lie anywhere, and matrix products round by where their factors lie
        state = _decode(tree, {key: tensor.clone() for key, tensor in stored.items()})
        if not isinstance(state, dict):
            raise ValueError(f"{name}.json: not an object")
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        SafetensorError,
    ) as error:
        raise UserError(
            f"{folder} does not hold a whole {name}.json with its {name}.safetensors ({error}); {advice}."
        ) from error
    if changed is None:
        warnings.warn(
            f"{folder} has no {MANIFEST} to check its files by; saving it again writes one.", stacklevel=3
        )
    return state


def not_finite(state: Any, name: str = "") -> Iterator[str]:
    """Yield the places in a state, as ``a.b.0``, where a number is NaN or infinite."""
    if isinstance(state, dict):
        for key, value in state.items():
            yield from not_finite(value, f"{name}.{key}" if name else str(key))
    elif isinstance(state, (list, tuple)):
        for index, value in enumerate(state):
            yield from not_finite(value, f"{name}.{index}")
    elif isinstance(state, torch.Tensor):
        if not torch.isfinite(state).all():
            yield name
    elif isinstance(state, (float, np.ndarray, np.generic)) and not np.isfinite(state).all():
        yield name


def _encode(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        return {_TENSOR: _store(value.detach().cpu(), tensors)}
    if isinstance(value, np.ndarray):
        return {_ARRAY: _store(torch.from_numpy(np.array(value)), tensors)}
    if isinstance(value, np.generic):
        return {_SCALAR: _store(torch.from_numpy(np.array(value)), tensors)}
    if isinstance(value, dict):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _encode(item, tensors) for key, item in value.items()}
        return {_ITEMS: [[_encode(key, tensors), _encode(item, tensors)] for key, item in value.items()]}
    if isinstance(value, tuple):
        return {_TUPLE: [_encode(item, tensors) for item in value]}
    if isinstance(value, list):
        return [_encode(item, tensors) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: repr(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a {type(value).__name__} cannot be saved without pickle")


def _store(tensor: torch.Tensor, tensors: dict[str, torch.Tensor]) -> str:
    key = str(len(tensors))
    tensors[key] = tensor.clone().contiguous()
    return key


def _decode(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, list):
        return [_decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    mark: str
    content: Any
    mark, content = next(iter(value.items()), ("", None))
    readers = {
        _TENSOR: lambda: tensors[content],
        _ARRAY: lambda: tensors[content].numpy(),
        _SCALAR: lambda: tensors[content].numpy()[()],
        _TUPLE: lambda: tuple(_decode(item, tensors) for item in content),
        _ITEMS: lambda: {_decode(key, tensors): _decode(item, tensors) for key, item in content},
        _FLOAT: lambda: float(content),
    }
    if mark in readers:
        return readers[mark]()
    return {key: _decode(item, tensors) for key, item in value.items()}
