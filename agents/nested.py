"""Nested states (dictionaries, lists, tensors, arrays, numbers) as JSON beside safetensors: no pickle.

JSON has no tuples, integer keys, NaN or arrays; each is written as a dictionary with one marked key.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from unlearn_gym.errors import UserError

_TENSOR, _ARRAY, _SCALAR, _TUPLE, _ITEMS, _FLOAT = (
    "$tensor",
    "$array",
    "$scalar",
    "$tuple",
    "$items",
    "$float",
)


def save(folder: Path, name: str, state: Any) -> None:
    """Write ``state`` as ``name.json`` and ``name.safetensors`` into an existing folder.

    Raises:
        TypeError: when the state holds an object that is none of the kinds above.
    """
    tensors: dict[str, torch.Tensor] = {}
    tree = _encode(state, tensors)
    (folder / f"{name}.json").write_text(json.dumps(tree, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    save_file(tensors, folder / f"{name}.safetensors")


def load(folder: Path, name: str) -> Any:
    """Read what ``save`` wrote.

    Raises:
        UserError: when one of the two files is missing or damaged.
    """
    try:
        tree = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        return _decode(tree, load_file(folder / f"{name}.safetensors"))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise UserError(
            f"{folder} does not hold a whole {name}.json with its {name}.safetensors ({error}); "
            "save it again, and copy the folder as a whole."
        ) from error


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
