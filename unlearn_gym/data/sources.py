"""A user's own images, whatever they lie in: folders, files, arrays, PIL images or data sets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from unlearn_gym.data.class_names import ClassNames, class_numbers, with_numbers
from unlearn_gym.data.labels import Labels, Part, read_labels
from unlearn_gym.data.readers import arrays, folder, parquet
from unlearn_gym.data.readers.pixels import PixelFormat, decode
from unlearn_gym.data.readers.rows import Rows, are_rows
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.errors import UserError
from unlearn_gym.storage.files import user_path

Source = Any
"""See ``load_images``."""

KINDS = (
    "an image or an image folder, a parquet file or folder, a .npy, .npz or .safetensors file, arrays, PIL images, "
    "or a data set"
)


def load_images(
    source: Source,
    *,
    channels: int,
    size: int | tuple[int, int],
    label: int | None = None,
    num_classes: int = 0,
    class_names: ClassNames | None = None,
    name: str | None = None,
) -> LabelledSet:
    """Load images with their labels from whatever the user has.

    Args:
        source: an image file or folder (class subfolders give labels), a parquet file or folder in the hub's
            layout, a .npy, .npz or .safetensors file, an array or tensor of images or a pair of images and
            labels, a ``LabelledSet``, PIL images, a ``torch.utils.data.Dataset`` of pairs (image, label), a
            ``Dataset`` of the ``datasets`` library, or a list of these, which is joined.
        channels: 1 for grey, 3 for RGB; the other kind is converted.
        size: height and width in pixels, or one number for both; other sizes are resized with a warning.
        label: label of every image, whatever the source says.
        num_classes: classes that the model knows; 0 when labels do not matter.
        class_names: which name has which number; see ``unlearn_gym.data.class_names``.
        name: what a message about the labels calls the source; by default the path or the type.

    Returns:
        float32 images (n, channels, height, width) in [-1, 1]; labels are 0 where there are none.

    Raises:
        UserError: one sentence on a missing path, an empty folder, an unreadable image, an array of a wrong
            shape or range, or labels that are missing or out of range.
    """
    height, width = (size, size) if isinstance(size, int) else size
    parts = read_parts(source, PixelFormat(channels, height, width), label)
    labels = [part.labels for part in parts if part.labels is not None]
    numbers = class_numbers(labels, (), num_classes, class_names)
    return numbered_set(parts, numbers, num_classes, name or source_name(source))


def read_parts(source: Source, form: PixelFormat, label: int | None = None) -> list[Part]:
    """Read images as ``load_images`` does, but leave the numbering of the classes open.

    Returns:
        One part a source, because each may name its classes.
    """
    parts = _read(source, form)
    if label is None:
        return parts
    return [Part(part.inputs, Labels(torch.full((len(part.inputs),), int(label)))) for part in parts]


def numbered_set(parts: Sequence[Part], numbers: dict[str, int], num_classes: int, name: str) -> LabelledSet:
    """Join what was read from the sources of one set, and number its classes.

    Args:
        parts: what ``read_parts`` returned.
        numbers: of the classes that have names.
        num_classes: classes that the model knows; 0 when labels do not matter.
        name: what an error message calls the set.

    Raises:
        UserError: for labels that are missing or out of range.
    """
    check_labelled(parts, num_classes, name)
    missing = torch.zeros(0, dtype=torch.int64)
    labels = [
        missing.new_zeros(len(part.inputs)) if part.labels is None else with_numbers(part.labels, numbers)
        for part in parts
    ]
    examples = LabelledSet(torch.cat([part.inputs for part in parts]), torch.cat(labels))
    low, high = int(examples.labels.min()), int(examples.labels.max())
    if num_classes and (low < 0 or high >= num_classes):
        raise UserError(f"{name} has labels from {low} to {high}; the model knows 0 to {num_classes - 1}.")
    return examples


def check_labelled(parts: Sequence[Part], num_classes: int, name: str) -> None:
    """Refuse images without labels for a model that has classes, before their names are looked at.

    Raises:
        UserError: naming the set.
    """
    if num_classes and any(part.labels is None for part in parts):
        raise UserError(
            f"{name} has no labels and the model has {num_classes} classes; sort the images into class "
            "folders, save labels with them, or give one label for all."
        )


def source_name(source: Source) -> str:
    """Say in a message what was given: a path as it is, an object by its type."""
    return str(source) if isinstance(source, str | os.PathLike) else f"the given {type(source).__name__}"


def _read(source: Source, form: PixelFormat) -> list[Part]:
    name = source_name(source)
    if isinstance(source, LabelledSet):
        return [arrays.read_array(source.inputs, source.labels, form, name, signed=True)]
    if isinstance(source, Tensor | np.ndarray):
        return [arrays.read_array(source, None, form, name)]
    if isinstance(source, str | os.PathLike):
        return [_read_path(user_path(source), form)]
    if isinstance(source, Image.Image):
        return [Part(decode([(source, name)], form, name))]
    if are_rows(source):
        rows = Rows(source, name)
        return [_read_rows(rows, form, name, rows.class_names)]
    if isinstance(source, Sequence) and len(source) > 0:
        return _read_list(source, form, name)
    raise UserError(f"Images cannot be read from {name}; give {KINDS}.")


def _read_list(source: Sequence[Any], form: PixelFormat, name: str) -> list[Part]:
    if _is_pair(source):
        return [
            Part(part.inputs, read_labels(source[1], len(part.inputs), name))
            for part in _read(source[0], form)
        ]
    if all(map(_is_image, source)):
        return [Part(decode(_named(source, name), form, name))]
    if all(isinstance(item, tuple) and len(item) == 2 and _is_label(item[1]) for item in source):
        return [_read_rows(Rows(source, name), form, name, ())]
    return [part for item in source for part in _read(item, form)]


def _is_pair(source: Sequence[Any]) -> bool:
    """Whether a sequence is (images, labels): its second half cannot be images."""
    if len(source) != 2 or isinstance(source[0], tuple | str | os.PathLike | Image.Image):
        return False
    second = source[1]
    if isinstance(second, Tensor | np.ndarray):
        return second.ndim == 1 or tuple(second.shape[1:]) == (1,)
    return isinstance(second, Sequence) and len(second) > 0 and all(map(_is_label, second))


def _is_label(value: Any) -> bool:
    number = isinstance(value, int | float | np.integer | np.floating)
    word = isinstance(value, str) and not Path(value).suffix
    return number or word or (isinstance(value, Tensor | np.ndarray) and value.ndim == 0)


def _is_image(value: Any) -> bool:
    path = isinstance(value, str | os.PathLike) and Path(value).suffix.lower() in folder.SUFFIXES
    return path or isinstance(value, Image.Image)


def _named(images: Iterable[Any], name: str) -> Iterable[tuple[Path | bytes | Image.Image, str]]:
    """Give each image the name that an error message uses."""
    for number, image in enumerate(images):
        if isinstance(image, dict):  # the ``datasets`` library's Image(decode=False)
            image = image.get("bytes") or image.get("path")
        if isinstance(image, str | os.PathLike):
            yield _existing(user_path(image)), str(image)
        else:
            yield image, f"image {number} of {name}"


def _read_rows(rows: Rows, form: PixelFormat, name: str, names: tuple[str, ...]) -> Part:
    images, labels = map(list, zip(*rows, strict=True))
    if all(_is_image(image) or isinstance(image, dict | bytes) for image in images):
        inputs = decode(_named(images, name), form, name)
    else:
        inputs = arrays.read_array(_stacked(images, name), None, form, name).inputs
    if all(label is None for label in labels):
        return Part(inputs)
    return Part(inputs, read_labels(labels, len(inputs), name, names))


def _stacked(images: Sequence[Any], name: str) -> Tensor:
    """Return single images as one tensor of four dimensions."""
    tensors = [arrays.as_tensor(image, f"image {number} of {name}") for number, image in enumerate(images)]
    shapes = {tuple(tensor.shape) for tensor in tensors}
    if len(shapes) > 1 or len({tensor.dtype for tensor in tensors}) > 1:
        first, second = sorted(shapes)[:2] if len(shapes) > 1 else (shapes.pop(), "another type")
        raise UserError(
            f"{name} has arrays of shape {first} and {second}; resize them to one, or give PIL images."
        )
    stack = torch.stack(tensors)
    return stack.unsqueeze(1) if stack.ndim == 3 else stack


def _existing(path: Path) -> Path:
    if not path.exists():
        raise UserError(f"There is no {path}; give {KINDS}.")
    return path


def _read_path(path: Path, form: PixelFormat) -> Part:
    _existing(path)
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
    if path.suffix.lower() in folder.SUFFIXES:
        return Part(decode([(path, str(path))], form, str(path)))
    raise UserError(f"{path} is of no known kind; give {KINDS}.")
