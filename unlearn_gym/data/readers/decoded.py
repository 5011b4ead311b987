"""Decoded pixels of the named data sets, kept in the cache folder: reading 70,000 PNGs anew takes four seconds.

The folder ``data`` of the cache may be deleted at any time. Nothing here is an error: an entry that is damaged is
made anew, and where the folder cannot be written the images are decoded each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import PIL
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from unlearn_gym.data.readers.pixels import PixelFormat
from unlearn_gym.storage.cache import cache_dir
from unlearn_gym.storage.files import atomic_write

FORMAT = 1  # raise it when the same file is decoded to other pixels
WORTH = 2000
"""Fewer images are decoded each time: that takes a tenth of a second."""
FOLDER = "data"
PIXELS, CHECKSUM = "pixels", "sha256"


def kept_pixels(
    file: Path, rows: Tensor, form: PixelFormat, decode: Callable[[], tuple[Tensor, bool]]
) -> Tensor:
    """Return pixels from the cache folder, or decode them and keep them there.

    An entry belongs to the content of the file, wherever it lies, and to the rows and the form wanted.

    Args:
        file: the file that holds the encoded images.
        rows: int64 numbers (n,) of the images wanted.
        form: of the decoded images.
        decode: returns their pixels and whether any was resized; resized ones are not kept, because whoever reads
            them is warned each time.

    Returns:
        uint8 of shape (n, channels, height, width).
    """
    if len(rows) < WORTH:
        return decode()[0]
    entry = cache_dir() / FOLDER / f"{_key(file, rows, form)}.safetensors"
    found = _read(entry, (len(rows), form.channels, form.height, form.width))
    if found is not None:
        return found
    pixels, resized = decode()
    if not resized:
        _write(entry, pixels)
    return pixels


def _key(file: Path, rows: Tensor, form: PixelFormat) -> str:
    with file.open("rb") as opened:
        content = hashlib.file_digest(opened, "sha256").hexdigest()
    size = [form.channels, form.height, form.width, *([True] if form.exact else [])]
    parts = [FORMAT, PIL.__version__, content, _checksum(rows), size]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _checksum(values: Tensor) -> str:
    return hashlib.sha256(values.contiguous().numpy().data).hexdigest()


def _read(entry: Path, shape: tuple[int, ...]) -> Tensor | None:
    """Return the pixels of an entry, or None where there is none or it is not whole."""
    try:
        with safe_open(entry, framework="pt") as stored:
            pixels, checksum = stored.get_tensor(PIXELS), stored.metadata()[CHECKSUM]
    except (OSError, SafetensorError, KeyError, TypeError):
        return None
    whole = pixels.dtype == torch.uint8 and tuple(pixels.shape) == shape and _checksum(pixels) == checksum
    return pixels if whole else None


def _write(entry: Path, pixels: Tensor) -> None:
    pixels = pixels.contiguous()
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    with contextlib.suppress(OSError, SafetensorError), atomic_write(entry) as temporary:
        save_file({PIXELS: pixels}, temporary, {CHECKSUM: _checksum(pixels)})
