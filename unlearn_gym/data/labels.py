"""Class labels as users have them: whole numbers, or names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.errors import UserError


@dataclass(frozen=True)
class Labels:
    """The labels of one source, before sources agree on the numbers of the classes.

    Attributes:
        numbers: int64 of shape (n,): the network's numbers, or places in ``names`` where there are names.
        names: names of the source's classes; empty where only numbers are known.
        ordered: whether the source says that a name's place is the network's number (the ``ClassLabel`` of a
            data set does; the names of folders do not).
    """

    numbers: Tensor
    names: tuple[str, ...] = ()
    ordered: bool = False

    def used(self) -> set[str]:
        """Return the names that must have a number: all folders, but only those in use of an ordered list."""
        if not self.ordered:
            return set(self.names)
        return {self.names[number] for number in self.numbers.unique().tolist()}


@dataclass(frozen=True)
class Part:
    """What was read from one source.

    Attributes:
        inputs: of shape (n, ...).
        labels: one an input, or None where the source has none.
    """

    inputs: Tensor
    labels: Labels | None = None

    def as_set(self) -> LabelledSet:
        """Return the examples with the source's own numbers, or 0 where it has no labels."""
        if self.labels is None:
            return LabelledSet(self.inputs, torch.zeros(len(self.inputs), dtype=torch.int64))
        return LabelledSet(self.inputs, self.labels.numbers)


def read_labels(
    values: Any, count: int, source: str, names: tuple[str, ...] = (), *, ordered: bool = True
) -> Labels:
    """Return labels from an array, a tensor or a list of whole numbers or names.

    Args:
        values: of shape (count,) or (count, 1).
        count: number of inputs.
        source: what an error message calls where they are from.
        names: what the numbers mean, if the source says so.
        ordered: see ``Labels``.

    Raises:
        UserError: for labels that are missing, fractions, truth values, one-hot, or too large for int64.
    """
    array = _as_array(values, source)
    kind = f"{array.dtype} labels of shape {array.shape}"
    if array.shape == (count, 1):
        array = array[:, 0]
    if array.ndim == 2 and len(array) == count:
        raise UserError(
            f"{source} has {kind}; give one number an input, such as labels.argmax(1) of one-hot rows."
        )
    if array.shape != (count,):
        raise UserError(f"{source} has {kind} for {count} inputs; give one label per input.")
    if array.dtype.kind in "UT":
        found, places = np.unique(array, return_inverse=True)
        return Labels(torch.from_numpy(places.astype(np.int64)), tuple(found.tolist()))
    if array.dtype.kind not in "iu":
        raise UserError(f"{source} has {kind}; give {count} whole numbers (integers) or names.")
    if array.dtype.kind == "u" and int(array.max(initial=0)) > np.iinfo(np.int64).max:
        raise UserError(f"{source} has a label {array.max()} beyond int64; give the network's class numbers.")
    numbers = torch.from_numpy(array.astype(np.int64))
    if names and not 0 <= int(numbers.min()) <= int(numbers.max()) < len(names):
        raise UserError(
            f"{source} names {len(names)} classes and has labels from {int(numbers.min())} to "
            f"{int(numbers.max())}; give labels from 0 to {len(names) - 1}."
        )
    return Labels(numbers, names, ordered)


def _as_array(values: Any, source: str) -> np.ndarray:
    try:
        if isinstance(values, Tensor):
            values = values.detach().cpu()
            values = (
                values.float() if values.is_floating_point() and values.dtype != torch.float64 else values
            )
        array = np.asarray(values)
        if array.dtype == object and all(isinstance(value, str) for value in array.flat):
            array = array.astype(str)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise UserError(
            f"{source} has labels that are no array ({error}); give one number per input."
        ) from error
    if array.dtype == object:
        raise UserError(
            f"{source} has labels that are not whole numbers of 64 bits, or are missing; give one per input."
        )
    return array
