"""A user's own images, whatever they lie in: a folder, parquet files, an array file, or tensors in memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unlearn_gym.data import arrays, folder, parquet
from unlearn_gym.data.pixels import PixelFormat
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.errors import UserError

Source = str | os.PathLike[str] | LabelledSet | Tensor | np.ndarray | Sequence[Any]

KINDS = "an image folder, a parquet file or folder, a .npy, .npz or .safetensors file, or arrays"


def load_images(
    source: Source,
    *,
    channels: int,
    size: int | tuple[int, int],
    label: int | None = None,
    num_classes: int = 0,
    name: str | None = None,
) -> LabelledSet:
    """Load images with their labels from whatever the user has.

    Args:
        source: an image folder (class subfolders give labels), a parquet file or folder in the hub's layout,
            a .npy, .npz or .safetensors file, an array or tensor of images, a ``LabelledSet``, or a list of
            these, which is joined.
        channels: 1 for grey, 3 for RGB; the other kind is converted.
        size: height and width in pixels, or one number for both; other sizes are resized with a warning.
        label: label of every image, whatever the source says.
        num_classes: classes that the model knows; 0 when labels do not matter.
        name: what a message about the labels calls the source; by default the path or the type.

    Returns:
        float32 images (n, channels, height, width) in [-1, 1]; labels are 0 where there are none.

    Raises:
        UserError: one sentence on a missing path, an empty folder, an unreadable image, an array of a wrong
            shape or range, or labels that are missing or out of range.
    """
    height, width = (size, size) if isinstance(size, int) else size
    examples, labelled = _read(source, PixelFormat(channels, height, width))
    if label is not None:
        examples, labelled = LabelledSet(examples.inputs, torch.full((len(examples),), int(label))), True
    _check_labels(examples.labels, labelled, num_classes, name or _name(source))
    return examples


def _read(source: Source, form: PixelFormat) -> tuple[LabelledSet, bool]:
    if isinstance(source, LabelledSet):
        return arrays.read_array(source.inputs, source.labels, form, _name(source)), True
    if isinstance(source, Tensor | np.ndarray):
        return arrays.read_array(source, None, form, _name(source)), False
    if isinstance(source, str | os.PathLike):
        return _read_path(Path(source).expanduser(), form)
    if isinstance(source, Sequence) and len(source) > 0:
        parts, labelled = zip(*(_read(part, form) for part in source), strict=True)
        labels = torch.cat([part.labels for part in parts])
        return LabelledSet(torch.cat([part.inputs for part in parts]), labels), all(labelled)
    raise UserError(f"Images cannot be read from {_name(source)}; give {KINDS}.")


def _read_path(path: Path, form: PixelFormat) -> tuple[LabelledSet, bool]:
    if not path.exists():
        raise UserError(f"There is no {path}; give {KINDS}.")
    if path.is_dir():
        files = parquet.parquet_files(path)
        if files:
            return parquet.read_parquet(files, form)
        if folder.has_images(path):
            return folder.read_folder(path, form)
        suffixes = ", ".join(folder.SUFFIXES)
        raise UserError(f"The folder {path} has no images ({suffixes}) or parquet files; give one that has.")
    if path.suffix.lower() == ".parquet":
        return parquet.read_parquet([path], form)
    if path.suffix.lower() in arrays.READERS:
        return arrays.read_array_file(path, form)
    raise UserError(f"{path} is of no known kind; give {KINDS}.")


def _check_labels(labels: Tensor, labelled: bool, num_classes: int, name: str) -> None:
    if num_classes == 0:
        return
    if not labelled:
        raise UserError(
            f"{name} has no labels and the model has {num_classes} classes; sort the images into class "
            "folders, save labels with them, or give one label for all."
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= num_classes:
        raise UserError(f"{name} has labels from {low} to {high}; the model knows 0 to {num_classes - 1}.")


def _name(source: Source) -> str:
    """Say in a message what was given: a path as it is, an object by its type."""
    return str(source) if isinstance(source, str | os.PathLike) else f"the given {type(source).__name__}"
