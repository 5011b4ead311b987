"""Images that are arrays already: in memory, or in .npy, .npz and .safetensors files."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from unlearn_gym.data.pixels import PixelFormat, fit, scale_bytes
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.errors import UserError

IMAGE_KEYS = ("images", "inputs", "image", "arr_0")
LABEL_KEYS = ("labels", "label")


def read_array_file(file: Path, form: PixelFormat) -> tuple[LabelledSet, bool]:
    """Read images, and labels where there are any, from a .npy, .npz or .safetensors file.

    An archive holds the images under ``images`` (or ``inputs``) and the labels under ``labels``. Pickled
    objects are never read.

    Returns:
        The images, and whether the file has labels (else they are 0).

    Raises:
        UserError: when the file cannot be read or holds no images.
    """
    try:
        stored = READERS[file.suffix.lower()](file)
    except Exception as error:  # damaged and pickled files fail in many ways
        raise UserError(f"{file} is not a readable array file ({error}); save plain arrays.") from error
    images = next((stored[key] for key in IMAGE_KEYS if key in stored), None)
    if images is None:
        raise UserError(f"{file} holds {', '.join(stored) or 'nothing'}; save the images as 'images'.")
    labels = next((stored[key] for key in LABEL_KEYS if key in stored), None)
    return read_array(images, labels, form, str(file)), labels is not None


def read_array(images: Any, labels: Any, form: PixelFormat, source: str) -> LabelledSet:
    """Bring an array of images, and of labels or None, to the form wanted.

    Args:
        images: uint8 in 0..255 or floats in [-1, 1]; shape (n, height, width), (n, channels, height, width)
            or (n, height, width, channels), with 1 or 3 channels.
        labels: whole numbers of shape (n,), or None for 0 everywhere.
        form: channels and size wanted.
        source: what an error message calls it.

    Raises:
        UserError: for another shape, type or range.
    """
    pixels = _channels_first(torch.as_tensor(images).detach().cpu(), source)
    if len(pixels) == 0:
        raise UserError(f"{source} holds no image; give at least one.")
    if pixels.dtype == torch.uint8:
        pixels = scale_bytes(pixels)
    elif not pixels.is_floating_point() or not bool(((pixels >= -1) & (pixels <= 1)).all()):
        raise UserError(
            f"{source} has {pixels.dtype} values from {pixels.min().item():g} to {pixels.max().item():g}; "
            "give uint8 from 0 to 255 or floats from -1 to 1."
        )
    elif not bool((pixels < 0).any()):
        warnings.warn(
            f"{source} has no value below 0; floats are read as -1 (black) to 1 (white), so images in 0 to 1 "
            "must be given as 2 * x - 1.",
            stacklevel=4,
        )
    return LabelledSet(fit(pixels.float(), form, source), _labels(labels, len(pixels), source))


def _channels_first(pixels: Tensor, source: str) -> Tensor:
    shape = tuple(pixels.shape)
    if len(shape) == 3:
        return pixels.unsqueeze(1)
    if len(shape) == 4 and shape[1] in (1, 3):
        return pixels
    if len(shape) == 4 and shape[3] in (1, 3):
        return pixels.permute(0, 3, 1, 2)
    raise UserError(f"{source} has shape {shape}; give (n, channels, height, width) with 1 or 3 channels.")


def _labels(labels: Any, count: int, source: str) -> Tensor:
    if labels is None:
        return torch.zeros(count, dtype=torch.int64)
    values = torch.as_tensor(labels).detach().cpu()
    if values.is_floating_point() or values.dtype == torch.bool or values.shape != (count,):
        raise UserError(
            f"{source} has {values.dtype} labels of shape {tuple(values.shape)}; give {count} integers."
        )
    return values.to(torch.int64)


def _npy(file: Path) -> dict[str, Any]:
    return {"images": np.load(file, allow_pickle=False)}


def _npz(file: Path) -> dict[str, Any]:
    with np.load(file, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


READERS: dict[str, Callable[[Path], dict[str, Any]]] = {".npy": _npy, ".npz": _npz, ".safetensors": load_file}
