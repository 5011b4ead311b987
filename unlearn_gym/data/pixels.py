"""Pixels in the package's one form: float32, (n, channels, height, width), in [-1, 1], at one size."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import interpolate

from unlearn_gym.errors import UserError

MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True)
class PixelFormat:
    """What a model wants its images to be.

    Attributes:
        channels: 1 (grey) or 3 (RGB).
        height: in pixels.
        width: in pixels.
    """

    channels: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if self.channels not in MODES:
            raise UserError(
                f"The model's images have {self.channels} channels; give one with 1 (grey) or 3 (RGB)."
            )


def decode(files: Iterable[tuple[bytes | Path, str]], form: PixelFormat, source: str) -> Tensor:
    """Decode image files to float32 in [-1, 1]; see ``decode_bytes``."""
    return scale_bytes(decode_bytes(files, form, source)[0])


def decode_bytes(
    files: Iterable[tuple[bytes | Path, str]], form: PixelFormat, source: str
) -> tuple[Tensor, bool]:
    """Decode image files, crop them to the shape's aspect ratio at the centre and resize them.

    Args:
        files: encoded bytes or a path, each with the name that an error message gives it.
        form: channels and size wanted.
        source: what a warning calls the whole.

    Returns:
        uint8 pixels (n, channels, height, width), and whether any image was resized.

    Raises:
        UserError: when a file is no readable image.
    """
    images, sizes = [], set()
    for file, name in files:
        image = _open(file, name).convert(MODES[form.channels])
        if image.size != (form.width, form.height):
            sizes.add(image.size)
            image = ImageOps.fit(image, (form.width, form.height), Image.Resampling.BOX)
        images.append(np.asarray(image, dtype=np.uint8))
    _say_resized({(height, width) for width, height in sizes}, form, source)
    pixels = torch.from_numpy(np.stack(images))
    return (pixels.unsqueeze(1) if form.channels == 1 else pixels.permute(0, 3, 1, 2)), bool(sizes)


def scale_bytes(pixels: Tensor) -> Tensor:
    """Map uint8 0..255 to [-1, 1] in float32."""
    return pixels.contiguous().to(torch.float32, copy=True).div_(127.5).sub_(1)


def fit(pixels: Tensor, form: PixelFormat, source: str) -> Tensor:
    """Bring float images (n, 1 or 3, height, width) to the channels and size wanted."""
    if pixels.shape[1] != form.channels:
        pixels = pixels.expand(-1, 3, -1, -1) if form.channels == 3 else _luma(pixels)
    size = (form.height, form.width)
    if tuple(pixels.shape[2:]) != size:
        _say_resized({tuple(pixels.shape[2:])}, form, source)
        pixels = interpolate(pixels, size, mode="bilinear", antialias=True).clamp(-1, 1)
    return pixels.contiguous()


def _luma(pixels: Tensor) -> Tensor:
    """Grey of RGB by ITU-R 601, the weights that Pillow uses too."""
    weights = pixels.new_tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)
    return (pixels * weights).sum(1, keepdim=True)


def _open(file: bytes | Path, name: str) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file)
        image.load()
    except Exception as error:  # Pillow's plugins fail in many ways on damaged files
        raise UserError(f"{name} is not a readable image ({error}); remove or replace it.") from error
    return image


def _say_resized(sizes: set[tuple[int, ...]], form: PixelFormat, source: str) -> None:
    if sizes:
        given = ", ".join(sorted("x".join(map(str, size)) for size in sizes)[:3])
        given += " and other sizes" if len(sizes) > 3 else ""
        warnings.warn(
            f"Images of {source} ({given}) were resized to {form.height}x{form.width}.", stacklevel=4
        )
