"""Examples one by one: a torch ``Dataset``, a ``Dataset`` of the ``datasets`` library, or a list of pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset, IterableDataset

from unlearn_gym.errors import UserError

IMAGE_COLUMNS = ("image", "img", "images", "pixel_values")
LABEL_COLUMNS = ("label", "labels", "fine_label")


class Rows:
    """The examples of a data set in its order, each read once, and the names of its classes.

    The ``datasets`` library is recognised by ``column_names``: it need not be installed. Its images are taken as
    they are stored, whatever format was set.

    Args:
        source: the data set, or a list of pairs (input, label).
        name: what an error message calls it.

    Raises:
        UserError: for streams, loaders, a dictionary of splits, an empty set, or a table without an image column.
    """

    def __init__(self, source: Any, name: str) -> None:
        self.name = name
        self._source = source
        self._columns: tuple[str, str | None] | None = None
        self._dtype: str | None = None
        if isinstance(source, DataLoader):
            raise UserError(f"{name} is a DataLoader; give the data set that it reads (its .dataset).")
        columns = getattr(source, "column_names", None)
        if isinstance(columns, dict):
            raise UserError(f"{name} has the splits {', '.join(columns)}; give one, such as data['train'].")
        if isinstance(source, IterableDataset) or not hasattr(source, "__len__"):
            raise UserError(f"{name} is a stream of unknown length; give a data set with a length.")
        if len(source) == 0:
            raise UserError(f"{name} has no example; give at least one.")
        if columns is not None:
            self._open_table(list(columns))

    def _open_table(self, columns: list[str]) -> None:
        image, label = (
            next((c for c in known if c in columns), None) for known in (IMAGE_COLUMNS, LABEL_COLUMNS)
        )
        if image is None:
            raise UserError(
                f"{self.name} has the columns {', '.join(columns)}; it needs one called 'image' or 'img'."
            )
        self._columns = (image, label)
        feature = (getattr(self._source, "features", None) or {}).get(image)
        encoded = type(feature).__name__ == "Image"
        self._dtype = None if encoded else _dtype(feature)
        if hasattr(self._source, "with_format"):
            self._source = self._source.with_format(None if encoded else "numpy")

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """Yield inputs with their labels, None for no label.

        Raises:
            UserError: when the data set itself fails.
        """
        for number in range(len(self._source)):
            try:
                row = self._source[number]
            except Exception as error:  # a user's own class fails in any way
                raise UserError(
                    f"{self.name}[{number}] cannot be read ({type(error).__name__}: {error})."
                ) from error
            yield self._pair(row, number)

    def _pair(self, row: Any, number: int) -> tuple[Any, Any]:
        if self._columns is not None:
            image, column = self._columns
            value = row[image] if self._dtype is None else np.asarray(row[image], self._dtype)
            return value, row[column] if column else None
        if isinstance(row, dict):
            found, label = (
                next((row[key] for key in known if key in row), None)
                for known in (IMAGE_COLUMNS, LABEL_COLUMNS)
            )
            if found is None:
                raise UserError(
                    f"{self.name}[{number}] has the keys {', '.join(map(str, row))}; it needs one called 'image'."
                )
            return found, label
        if isinstance(row, tuple | list):
            if len(row) > 2 or not row:
                raise UserError(f"{self.name}[{number}] has {len(row)} parts; give pairs (input, label).")
            return row[0], row[1] if len(row) == 2 else None
        return row, None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of their numbers, where the data set says them, else ()."""
        if self._columns is not None:
            features = getattr(self._source, "features", None) or {}
            names = getattr(features.get(self._columns[1]), "names", None)
        else:
            source = self._source
            while hasattr(source, "indices") and hasattr(source, "dataset"):  # torch's Subset
                source = source.dataset
            changed = getattr(source, "target_transform", None) is not None
            names = None if changed else getattr(source, "classes", None)
        known = (
            isinstance(names, Sequence)
            and not isinstance(names, str)
            and all(isinstance(n, str) for n in names)
        )
        return tuple(names) if known and names else ()


def _dtype(feature: Any) -> str | None:
    """Return the type in which a table stores its numbers; its formats hand them out in others."""
    while hasattr(feature, "feature"):  # a list of what is in it
        feature = feature.feature
    kind = getattr(feature, "dtype", None)
    return kind if kind in ("uint8", "uint16", "float16", "float32", "float64") else None


def are_rows(source: Any) -> bool:
    """Say whether something hands out its examples one by one."""
    return isinstance(source, Dataset | DataLoader) or hasattr(source, "column_names")
