"""Keywords of environments that arrive as strings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from unlearn_gym.errors import UserError

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16}


def as_dtype(name: str | torch.dtype) -> torch.dtype:
    """Return the floating-point type called ``name``, or the type itself."""
    if isinstance(name, torch.dtype) and name in DTYPES.values():
        return name
    if not isinstance(name, str) or name not in DTYPES:
        raise UserError(f"dtype={name!r} is not known; choose one of {', '.join(DTYPES)}.")
    return DTYPES[name]


def as_keywords(name: str, given: Any) -> dict[str, Any]:
    """Return keywords that arrive as a mapping or None."""
    if given is not None and not (isinstance(given, Mapping) and all(isinstance(key, str) for key in given)):
        raise UserError(f"{name}={given!r} was given; give a dictionary of keywords, or None.")
    return dict(given or {})


def as_device(name: str | torch.device) -> torch.device:
    """Return the device called ``name``, if this machine has it and it can compute (``meta`` cannot)."""
    try:
        torch.ones(1, device=name).sum().item()
        return torch.device(name)
    except (RuntimeError, AssertionError, TypeError) as error:  # NotImplementedError is a RuntimeError
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"device={name!r} cannot be used here ({reason}); try cpu.") from error
