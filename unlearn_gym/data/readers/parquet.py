"""Images in the parquet layout of the Hugging Face hub."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from unlearn_gym.data.labels import Labels, Part, read_labels
from unlearn_gym.data.readers.decoded import kept_pixels
from unlearn_gym.data.readers.pixels import PixelFormat, decode_bytes, scale_bytes
from unlearn_gym.errors import UserError

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "labels", "fine_label")


def parquet_files(folder: Path) -> list[Path]:
    """Return the parquet files of a folder and the folders in it, in order."""
    return sorted(folder.rglob("*.parquet"))


def read_parquet(
    files: list[Path],
    form: PixelFormat,
    choose: Callable[[Tensor], Tensor] | None = None,
    *,
    keep: bool = False,
) -> Part:
    """Read images (struct of encoded ``bytes`` and ``path``) and labels from parquet files.

    Args:
        files: read in this order.
        form: of the decoded images.
        choose: from all labels (n,) to the increasing numbers of the images wanted; only these are decoded.
        keep: keep what was decoded in the cache folder, for public data; see ``unlearn_gym.data.readers.decoded``.

    Returns:
        The images, float32 in [-1, 1], and the labels where every file has them: whole numbers, with their names
        where the files were written from a ``ClassLabel``, or names.

    Raises:
        UserError: when a file is unreadable or empty, or lacks an image column of that kind.
    """
    found = read_pixels(files, form, choose, keep=keep)
    return Part(scale_bytes(found.inputs), found.labels)


def read_pixels(
    files: list[Path],
    form: PixelFormat,
    choose: Callable[[Tensor], Tensor] | None = None,
    *,
    keep: bool = False,
) -> Part:
    """Read images as ``read_parquet`` does, but leave them uint8 in 0..255: a quarter of the memory."""
    tables = [_read_columns(file) for file in files]
    labels = _labels(
        tables, str(files[0]) if len(files) == 1 else f"{files[0]} and {len(files) - 1} more files"
    )
    count = sum(table.rows for table in tables)
    if choose is None:
        wanted = torch.arange(count)
    else:
        wanted = choose(torch.zeros(count, dtype=torch.int64) if labels is None else labels.numbers)
    inputs, first = [], 0
    for table in tables:
        rows = wanted[(wanted >= first) & (wanted < first + table.rows)] - first
        if len(rows):
            inputs.append(_read_images(table.file, table.column, rows, form, keep))
        first += table.rows
    chosen = None if labels is None else replace(labels, numbers=labels.numbers[wanted])
    return Part(inputs[0] if len(inputs) == 1 else torch.cat(inputs), chosen)


@dataclass(frozen=True)
class Table:
    """What one file says about its images, before they are decoded.

    Attributes:
        file: where it lies.
        column: name of the column of images.
        rows: number of images.
        labels: one a row, or None.
        names: of the classes, in the order of their numbers; empty where the file does not say.
    """

    file: Path
    column: str
    rows: int
    labels: list[Any] | None
    names: tuple[str, ...]


def _read_columns(file: Path) -> Table:
    with _opened(file) as parquet:
        schema = parquet.schema_arrow
        column = next((name for name in IMAGE_COLUMNS if name in schema.names), None)
        if column is None or not _holds_bytes(schema.field(column).type):
            raise UserError(
                f"{file} has the columns {', '.join(schema.names)}; it needs 'image' or 'img' as a struct "
                "with 'bytes'."
            )
        count = parquet.metadata.num_rows
        if count == 0:
            raise UserError(f"{file} has no rows; give a file with at least one image.")
        name = next((name for name in LABEL_COLUMNS if name in schema.names), None)
        labels = None if name is None else parquet.read([name])[name].to_pylist()
    return Table(file, column, count, labels, _class_names(schema.metadata, name))


def _class_names(metadata: dict[bytes, bytes] | None, column: str | None) -> tuple[str, ...]:
    """Return the names of a ``ClassLabel``, which the ``datasets`` library writes into the schema."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return tuple(str(name) for name in features[column]["names"])
    except (KeyError, TypeError, ValueError):
        return ()


def _labels(tables: Sequence[Table], source: str) -> Labels | None:
    if any(table.labels is None for table in tables):
        return None
    if len({table.names for table in tables}) > 1:
        raise UserError(f"{source} name their classes differently; give them as several sources.")
    values = [label for table in tables for label in table.labels or ()]
    return read_labels(values, len(values), source, tables[0].names)


def _holds_bytes(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0


def _read_images(file: Path, column: str, rows: Tensor, form: PixelFormat, keep: bool) -> Tensor:
    """Return the pixels of some images of one file."""

    def decode() -> tuple[Tensor, bool]:
        with _opened(file) as parquet:
            images = parquet.read([column])[column]
        return decode_bytes(_encoded(images, rows.tolist(), file), form, str(file))

    return kept_pixels(file, rows, form, decode) if keep else decode()[0]


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(file) as parquet:
            yield parquet
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{file} is not a readable parquet file; give one in the hub's layout.") from error


def _encoded(images: pa.ChunkedArray, rows: list[int], file: Path) -> Iterator[tuple[bytes, str]]:
    encoded = pa.chunked_array([chunk.field("bytes") for chunk in images.chunks])
    for row in rows:  # one by one: PyArrow's take would import pandas, which takes half a second
        yield encoded[row].as_py() or b"", f"row {row} of {file}"
