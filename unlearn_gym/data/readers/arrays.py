"""Images that are arrays already: in memory, or in .npy, .npz and .safetensors files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from unlearn_gym.data.labels import Part, read_labels
from unlearn_gym.data.readers.pixels import PixelFormat, fit, scale_bytes
from unlearn_gym.errors import UserError

IMAGE_KEYS = ("images", "inputs", "image", "arr_0")
LABEL_KEYS = ("labels", "label")


def read_array_file(file: Path, form: PixelFormat) -> Part:
    """Read images, and labels where there are any, from a .npy, .npz or .safetensors file.

    An archive holds the images under ``images`` (or ``inputs``) and the labels under ``labels``. Pickled
    objects are never read.

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
    return read_array(images, labels, form, str(file))


def read_array(images: Any, labels: Any, form: PixelFormat, source: str, *, signed: bool = False) -> Part:
    """Bring an array of images, and of labels or None, to the form wanted.

    Args:
        images: uint8 in 0..255, uint16 in 0..65535 or floats in [-1, 1]; shape (n, height, width),
            (n, channels, height, width) or (n, height, width, channels), with 1 or 3 channels.
        labels: whole numbers or names, see ``read_labels``; or None.
        form: channels and size wanted.
        source: what an error message calls it.
        signed: whether floats are known to be in [-1, 1]; else those without a value below 0 are refused.

    Raises:
        UserError: for another shape, type or range.
    """
    pixels = _channels_first(as_tensor(images, source), form, source, counted=labels is not None)
    if len(pixels) == 0:
        raise UserError(f"{source} holds no image; give at least one.")
    pixels = fit(_scaled(pixels, source, signed), form, source)
    return Part(pixels, None if labels is None else read_labels(labels, len(pixels), source))


def as_tensor(values: Any, source: str) -> Tensor:
    """Return an array, a tensor, or nested lists of numbers as a tensor on the CPU.

    Raises:
        UserError: if they are no numbers, or lists of different lengths.
    """
    if isinstance(values, Tensor):
        return values.detach().cpu()
    try:
        array = np.asarray(values)
        own = array.dtype.newbyteorder(
            "="
        )  # the machine's order of bytes; torch also wants what it may write to
        return torch.from_numpy(np.require(array, own, ["C", "W"]))
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{source} is no array of numbers ({str(error).splitlines()[0]}); give one."
        ) from error


def _scaled(pixels: Tensor, source: str, signed: bool) -> Tensor:
    if pixels.dtype == torch.uint8:
        return scale_bytes(pixels)
    if pixels.dtype == torch.uint16:
        return pixels.to(torch.float32).div_(32767.5).sub_(1)
    if not pixels.is_floating_point() or not bool(((pixels >= -1) & (pixels <= 1)).all()):
        values = pixels.abs().double() if pixels.is_complex() else pixels.double()
        raise UserError(
            f"{source} has {pixels.dtype} values from {values.min().item():g} to {values.max().item():g}; "
            "give uint8 from 0 to 255, uint16 from 0 to 65535 or floats from -1 to 1."
        )
    if not signed and not bool((pixels < 0).any()):
        raise UserError(
            f"{source} has no value below 0, and floats are read as -1 (black) to 1 (white); give images in 0 to 1 as "
            "2 * x - 1."
        )
    return pixels.float()


def _channels_first(pixels: Tensor, form: PixelFormat, source: str, *, counted: bool) -> Tensor:
    shape = tuple(pixels.shape)
    if len(shape) == 3:
        if not counted and (shape[2] == 3 != form.width or shape[0] == 3 == form.channels):
            raise UserError(
                f"{source} has shape {shape}, which is one RGB image or many grey ones; give 4 dimensions."
            )
        return pixels.unsqueeze(1)
    if len(shape) == 4 and shape[1] in (1, 3):
        return pixels
    if len(shape) == 4 and shape[3] in (1, 3):
        return pixels.permute(0, 3, 1, 2)
    raise UserError(f"{source} has shape {shape}; give (n, channels, height, width) with 1 or 3 channels.")


def _npy(file: Path) -> dict[str, Any]:
    return {"images": np.load(file, allow_pickle=False)}


def _npz(file: Path) -> dict[str, Any]:
    with np.load(file, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


READERS: dict[str, Callable[[Path], dict[str, Any]]] = {".npy": _npy, ".npz": _npz, ".safetensors": load_file}
