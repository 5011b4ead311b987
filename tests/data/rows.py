"""A small stand-in for the ``Dataset`` of the ``datasets`` library, with the parts that are read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class ClassLabel:
    names: list[str]


class Image:
    """The feature of a column of images."""


class Table:
    """Rows under named columns; ``with_format`` returns another table, as the library's does."""

    def __init__(self, columns, features=None, formatted="torch"):
        self._columns, self.features, self.formatted = columns, features or {}, formatted
        self.column_names = list(columns)

    def __len__(self):
        return len(next(iter(self._columns.values())))

    def __getitem__(self, row):
        if self.formatted == "torch":
            raise AssertionError("read in the user's format")
        return {name: values[row] for name, values in self._columns.items()}

    def with_format(self, kind):
        return Table(self._columns, self.features, kind)
