"""Images in the parquet layout of the Hugging Face hub."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from unlearn_gym.data.decoded import kept_pixels
from unlearn_gym.data.pixels import PixelFormat, decode_bytes, scale_bytes
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.errors import UserError

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "fine_label")


def parquet_files(folder: Path) -> list[Path]:
    """Return the parquet files of a folder and the folders in it, in order."""
    return sorted(folder.rglob("*.parquet"))


def read_parquet(
    files: list[Path],
    form: PixelFormat,
    choose: Callable[[Tensor], Tensor] | None = None,
    *,
    keep: bool = False,
) -> tuple[LabelledSet, bool]:
    """Read images (struct of encoded ``bytes`` and ``path``) and integer labels from parquet files.

    Args:
        files: read in this order.
        form: of the decoded images.
        choose: from all labels (n,) to the increasing numbers of the images wanted; only these are decoded.
        keep: keep what was decoded in the cache folder, for public data; see ``unlearn_gym.data.decoded``.

    Returns:
        The images, float32 in [-1, 1], and whether the files have labels (else they are 0).

    Raises:
        UserError: when a file is unreadable or empty, or lacks an image column of that kind.
    """
    found, labelled = read_pixels(files, form, choose, keep=keep)
    return LabelledSet(scale_bytes(found.inputs), found.labels), labelled


def read_pixels(
    files: list[Path],
    form: PixelFormat,
    choose: Callable[[Tensor], Tensor] | None = None,
    *,
    keep: bool = False,
) -> tuple[LabelledSet, bool]:
    """Read images as ``read_parquet`` does, but leave them uint8 in 0..255: a quarter of the memory."""
    columns, parts, labelled = zip(*(_read_labels(file) for file in files), strict=True)
    labels = torch.cat(parts)
    wanted = torch.arange(len(labels)) if choose is None else choose(labels)
    inputs, first = [], 0
    for file, column, part in zip(files, columns, parts, strict=True):
        rows = wanted[(wanted >= first) & (wanted < first + len(part))] - first
        if len(rows):
            inputs.append(_read_images(file, column, rows, form, keep))
        first += len(part)
    return LabelledSet(inputs[0] if len(inputs) == 1 else torch.cat(inputs), labels[wanted]), all(labelled)


def _read_labels(file: Path) -> tuple[str, Tensor, bool]:
    """Return the name of the image column of one file, the labels, and whether it has any."""
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
        values = [0] * count if name is None else parquet.read([name])[name].to_pylist()
    if not all(isinstance(value, int) for value in values):
        raise UserError(f"{file} has labels that are not whole numbers; give integer classes without gaps.")
    return column, torch.tensor(values, dtype=torch.int64), name is not None


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
