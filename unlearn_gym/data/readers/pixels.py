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
SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")
ORIENTATION = 0x0112
"""EXIF's tag."""
UNCLEAR = {
    "F": "has floating-point pixels, whose range is not known; save it with 8 or 16 bits, or give an array in [-1, 1]",
    "I": "has 32-bit pixels, whose range is not known; save it with 8 or 16 bits, or give an array in [-1, 1]",
    "LAB": "has the colours of CIELAB; save it as RGB",
}
"""What cannot be turned into grey or RGB without a guess."""


@dataclass(frozen=True)
class PixelFormat:
    """What a model wants its images to be.

    Attributes:
        channels: 1 (grey) or 3 (RGB).
        height: in pixels.
        width: in pixels.
        exact: whether images of another size, or of other channels, are refused rather than brought to these.
    """

    channels: int
    height: int
    width: int
    exact: bool = False

    def __post_init__(self) -> None:
        if self.channels not in MODES:
            raise UserError(
                f"The model's images have {self.channels} channels; give one with 1 (grey) or 3 (RGB)."
            )


def decode(files: Iterable[tuple[bytes | Path | Image.Image, str]], form: PixelFormat, source: str) -> Tensor:
    """Decode image files to float32 in [-1, 1]; see ``decode_bytes``."""
    return scale_bytes(decode_bytes(files, form, source)[0])


def decode_bytes(
    files: Iterable[tuple[bytes | Path | Image.Image, str]], form: PixelFormat, source: str
) -> tuple[Tensor, bool]:
    """Decode image files, crop them to the shape's aspect ratio at the centre and resize them.

    Images are turned upright as their EXIF orientation says; colour profiles are not applied.

    Args:
        files: encoded bytes, a path or an opened image, each with the name that an error message gives it.
        form: channels and size wanted.
        source: what a warning calls the whole.

    Returns:
        Pixels (n, channels, height, width) in 0..255, uint8, or float32 where one of the images has 16 bits; and
        whether any image was resized.

    Raises:
        UserError: when a file is no readable image, or cannot become grey or RGB without a guess.
    """
    images, sizes = [], set()
    for file, name in files:
        opened = _open(file, name)
        image = _converted(opened, form, name)
        if form.exact:
            _refuse_other(image.size, _is_coloured(opened, form), form, name)
        if image.size != (form.width, form.height):
            sizes.add(image.size)
            image = ImageOps.fit(image, (form.width, form.height), Image.Resampling.BOX)
        images.append(_channels_first(np.asarray(image), form))
    _say_resized({(height, width) for width, height in sizes}, form, source)
    return torch.from_numpy(np.stack(images)), bool(sizes)


def scale_bytes(pixels: Tensor) -> Tensor:
    """Map 0..255 to [-1, 1] in float32."""
    return pixels.contiguous().to(torch.float32, copy=True).div_(127.5).sub_(1)


def fit(pixels: Tensor, form: PixelFormat, source: str) -> Tensor:
    """Bring float images (n, 1 or 3, height, width) to the channels and size wanted."""
    if form.exact:
        _refuse_other((pixels.shape[3], pixels.shape[2]), pixels.shape[1] == 3, form, source)
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


def _open(file: bytes | Path | Image.Image, name: str) -> Image.Image:
    try:
        if isinstance(file, Image.Image):
            image = file
        else:
            image = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file)
        animated = getattr(image, "is_animated", False) and image.format != "MPO"  # a photo with its preview
        image.load()
    except Exception as error:  # Pillow's plugins fail in many ways on damaged files
        raise UserError(f"{name} is not a readable image ({error}); remove or replace it.") from error
    if animated:
        raise UserError(
            f"{name} has {getattr(image, 'n_frames', 2)} frames; give each as an image of its own."
        )
    return image


def _converted(image: Image.Image, form: PixelFormat, name: str) -> Image.Image:
    """Return the image upright, in 8-bit grey or RGB, or in floats of 0..255 where it has 16 bits of grey."""
    turned = image.getexif().get(ORIENTATION, 1) != 1
    upright = ImageOps.exif_transpose(image) if turned else image
    if image.mode in SIXTEEN_BITS or (image.mode == "I" and image.format == "PNG"):
        return Image.fromarray(np.asarray(upright).astype(np.float32) / 257)
    if image.mode in UNCLEAR:
        raise UserError(f"{name} {UNCLEAR[image.mode]}.")
    if "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        upright = upright.convert("RGBA")
        if upright.getchannel("A").getextrema() != (255, 255):
            raise UserError(
                f"{name} has transparent pixels; save it without transparency, on the background that the model was "
                "trained with."
            )
    return upright.convert(MODES[form.channels])


def _is_coloured(image: Image.Image, form: PixelFormat) -> bool:
    """Say whether an image has three channels; where grey is wanted, three equal ones are one."""
    if image.mode in ("1", "L", "LA", "La", "I", *SIXTEEN_BITS):
        return False
    red, green, blue = image.convert("RGB").split()
    return form.channels == 3 or not red.tobytes() == green.tobytes() == blue.tobytes()


def _refuse_other(size: tuple[int, int], coloured: bool, form: PixelFormat, name: str) -> None:
    """Refuse an image of another size (width, height) or of other channels than the format's."""
    kinds = {False: "grey", True: "coloured"}
    wanted = f"{form.width}x{form.height} pixels, {kinds[form.channels == 3]}"
    if size != (form.width, form.height) or coloured != (form.channels == 3):
        raise UserError(
            f"{name} is {size[0]}x{size[1]} pixels, {kinds[coloured]}, and the network's images are {wanted}; bring "
            "it to that as it was for the training."
        )


def _channels_first(pixels: np.ndarray, form: PixelFormat) -> np.ndarray:
    """Return pixels (channels, height, width) of (height, width) or (height, width, channels)."""
    if pixels.ndim == 2:
        return np.broadcast_to(pixels, (form.channels, *pixels.shape))
    return pixels.transpose(2, 0, 1)


def _say_resized(sizes: set[tuple[int, ...]], form: PixelFormat, source: str) -> None:
    if sizes:
        given = ", ".join(sorted("x".join(map(str, size)) for size in sizes)[:3])
        given += " and other sizes" if len(sizes) > 3 else ""
        warnings.warn(
            f"Images of {source} ({given}) were resized to {form.height}x{form.width}.", stacklevel=4
        )
