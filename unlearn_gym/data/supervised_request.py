"""A request to a user's own classifier or regression, from their own arrays, images or data sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unlearn_gym.data.class_names import ClassNames
from unlearn_gym.data.labels import Part, read_labels
from unlearn_gym.data.overlap import warn_of_overlap
from unlearn_gym.data.readers.arrays import as_tensor
from unlearn_gym.data.readers.pixels import PixelFormat
from unlearn_gym.data.readers.rows import Rows, are_rows
from unlearn_gym.data.request import joined_request
from unlearn_gym.data.sources import read_parts
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError


@dataclass(frozen=True)
class Examples:
    """One set of a request, before it is known whether its targets are classes.

    Attributes:
        name: what an error message calls it.
        inputs: float32 (n, ...).
        whole: whether the inputs were given as whole numbers.
        targets: one an input, of any kind; None for images, whose labels are in ``parts``.
        names: of the classes, where a data set says them.
        parts: what was read of images, else empty.
    """

    name: str
    inputs: Tensor
    whole: bool = False
    targets: Any = None
    names: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()

    def labelled(self) -> tuple[Part, ...]:
        """Return the set with its targets read as classes."""
        if self.parts:
            return self.parts
        return (Part(self.inputs, read_labels(self.targets, len(self.inputs), self.name, self.names)),)

    def regressed(self) -> LabelledSet:
        """Return the set with its targets read as numbers, float32 (n, outputs)."""
        if self.parts:
            raise UserError(f"{self.name} has images, which have labels and no targets; give num_classes=.")
        values = as_tensor(self.targets, f"{self.name}'s targets")
        values = values.float() if values.dtype != torch.float64 else values
        if not bool(torch.isfinite(values).all()):
            raise UserError(f"{self.name} has targets that are not finite; leave those examples out.")
        return LabelledSet(self.inputs, (values[:, None] if values.ndim == 1 else values).float())


def supervised_request(
    retain: Any,
    forget: Any,
    *,
    num_classes: int,
    image_shape: Sequence[int] | None = None,
    label: int | None = None,
    class_names: ClassNames | None = None,
) -> UnlearningData:
    """Return the request to forget ``forget`` and keep ``retain``.

    Args:
        retain: a pair (inputs, labels or targets) of arrays, a ``LabelledSet``, a data set of such pairs, or, with
            ``image_shape``, what ``load_images`` takes.
        forget: likewise.
        num_classes: number of classes, or 0 for a regression with float targets.
        image_shape: (channels, height, width) that images are brought to.
        label: label of all forget images, where their source names none.
        class_names: which name has which number; see ``unlearn_gym.data.class_names``.

    Raises:
        UserError: if a set is empty or unreadable, or its labels do not fit.
    """
    return request_of(
        read_examples(retain, "retain_data", image_shape),
        read_examples(forget, "forget_data", image_shape, label),
        num_classes,
        class_names,
    )


def read_examples(
    source: Any, name: str, image_shape: Sequence[int] | None = None, label: int | None = None
) -> Examples:
    """Read one set; see ``supervised_request``."""
    if image_shape is not None:
        parts = tuple(read_parts(source, _form(image_shape), label))
        return Examples(name, torch.cat([part.inputs for part in parts]), parts=parts)
    if isinstance(source, LabelledSet):
        source = (source.inputs, source.labels)
    if are_rows(source):
        rows = Rows(source, name)
        found, targets = map(list, zip(*rows, strict=True))
        inputs, names = _stacked(found, name), rows.class_names
    else:
        if not isinstance(source, Sequence) or isinstance(source, str) or len(source) != 2:
            raise UserError(
                f"{name} is no pair (inputs, labels) of arrays and no data set; give one, or image_shape=(channels, "
                "height, width) with images."
            )
        inputs, targets, names = as_tensor(source[0], f"{name}'s inputs"), source[1], ()
    if not inputs.ndim or not len(inputs) or inputs.is_complex() or not bool(torch.isfinite(inputs).all()):
        raise UserError(f"{name} is empty or has inputs that are not finite; give at least one example.")
    if not hasattr(targets, "__len__") or len(targets) != len(inputs):
        given = len(targets) if hasattr(targets, "__len__") else "no"
        raise UserError(f"{name} has {len(inputs)} inputs and {given} labels; give one label per input.")
    whole = not inputs.is_floating_point() and inputs.dtype != torch.bool
    return Examples(name, inputs.float(), whole, targets, names)


def request_of(
    retain: Examples, forget: Examples, num_classes: int, class_names: ClassNames | None = None
) -> UnlearningData:
    """Return the request, its targets read as classes or as numbers; see ``supervised_request``."""
    if retain.inputs.shape[1:] != forget.inputs.shape[1:]:
        shapes = f"{tuple(retain.inputs.shape[1:])} and forget inputs {tuple(forget.inputs.shape[1:])}"
        raise UserError(f"Retain inputs have shape {shapes}; give both the same shape.")
    if num_classes:
        return joined_request(retain.labelled(), forget.labelled(), num_classes, class_names)
    if class_names is not None:
        raise UserError("class_names was given for a regression; leave it out, or give num_classes=.")
    kept, gone = retain.regressed(), forget.regressed()
    if kept.labels.shape[1:] != gone.labels.shape[1:]:
        shapes = f"{tuple(kept.labels.shape[1:])} and {tuple(gone.labels.shape[1:])}"
        raise UserError(f"Targets of retain_data and forget_data have shapes {shapes}; give both the same.")
    rows, forgotten = (
        torch.cat([part.inputs.flatten(1), part.labels.flatten(1)], 1) for part in (kept, gone)
    )
    warn_of_overlap(rows, forgotten, "examples")
    nothing = LabelledSet(kept.inputs[:0], kept.labels[:0])
    return UnlearningData("user data", kept, gone, nothing, nothing)


def inferred_classes(examples: Examples, outputs: Sequence[int]) -> int:
    """Return the number of classes that labels and outputs speak of, 0 for a regression.

    Args:
        examples: the retain set.
        outputs: shape of the network's outputs for two examples.

    Raises:
        UserError: where both readings are possible, or none.
    """
    width = outputs[1] if len(outputs) == 2 else 1
    if examples.parts:
        if len(outputs) == 2 and width > 1:
            return width
        raise UserError(f"The model returns shape {tuple(outputs)} for images; give num_classes=.")
    values = examples.targets
    if all(isinstance(value, str) for value in values):
        return width if width > 1 else 2
    targets = as_tensor(values, f"{examples.name}'s labels")
    numbers = targets.double()
    one_hot = targets.ndim == 2 and targets.shape[1] > 1 and bool(
        ((numbers == 0) | (numbers == 1)).all() & (numbers.sum(1) == 1).all()
    )  # fmt: skip
    if one_hot:
        raise UserError(
            f"{examples.name} has one-hot labels; give labels.argmax(1) for a classifier, or num_classes=0 for a "
            "regression."
        )
    column = targets.ndim == 1 or (targets.ndim == 2 and targets.shape[1] == 1)
    if targets.is_floating_point() or not column:
        if column and width > 1:
            raise UserError(
                f"{examples.name} has {targets.dtype} labels and the model returns {width} outputs; give whole numbers "
                "(integers) for a classifier."
            )
        return 0
    if width > 1:
        return width
    if bool(((targets == 0) | (targets == 1)).all()):
        raise UserError(
            "The model returns one number and the labels are 0 and 1; give num_classes=2 for a classifier with one "
            "logit, or num_classes=0 for a regression."
        )
    return 0


def _form(image_shape: Sequence[int]) -> PixelFormat:
    numbers = list(image_shape) if isinstance(image_shape, Sequence) else []
    if len(numbers) != 3 or not all(type(number) is int and number > 0 for number in numbers):
        raise UserError(
            f"image_shape={image_shape!r} was given; give (channels, height, width), such as (3, 32, 32)."
        )
    return PixelFormat(numbers[0], numbers[1], numbers[2])


def _stacked(inputs: Sequence[Any], name: str) -> Tensor:
    try:
        return torch.stack([as_tensor(value, f"{name}[{number}]") for number, value in enumerate(inputs)])
    except UserError as error:
        raise UserError(f"{error} For images give image_shape=(channels, height, width).") from error
    except RuntimeError as error:
        raise UserError(f"{name} has inputs of different shapes or types; bring them to one.") from error
