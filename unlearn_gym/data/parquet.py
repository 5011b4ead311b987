"""Images in the parquet layout of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from unlearn_gym.data.pixels import PixelFormat, decode
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.errors import UserError

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "fine_label")


def parquet_files(folder: Path) -> list[Path]:
    """Return the parquet files of a folder and the folders in it, in order."""
    return sorted(folder.rglob("*.parquet"))


def read_parquet(
    files: list[Path], form: PixelFormat, choose: Callable[[Tensor], Tensor] | None = None
) -> tuple[LabelledSet, bool]:
    """Read images (struct of encoded ``bytes`` and ``path``) and integer labels from parquet files.

    Args:
        files: read in this order.
        form: of the decoded images.
        choose: from all labels (n,) to the increasing numbers of the images wanted; only these are decoded.

    Returns:
        The images, and whether the files have labels (else they are 0).

    Raises:
        UserError: when a file is unreadable or empty, or lacks an image column of that kind.
    """
    columns, parts, labelled = zip(*(_read(file) for file in files), strict=True)
    labels = torch.cat(parts)
    wanted = torch.arange(len(labels)) if choose is None else choose(labels)
    inputs, first = [], 0
    for file, images in zip(files, columns, strict=True):
        rows = wanted[(wanted >= first) & (wanted < first + len(images))] - first
        if len(rows):
            inputs.append(decode(_encoded(images, rows.tolist(), file), form, str(file)))
        first += len(images)
    return LabelledSet(torch.cat(inputs), labels[wanted]), all(labelled)


def _read(file: Path) -> tuple[pa.ChunkedArray, Tensor, bool]:
    """Return the encoded images of one file, their labels, and whether it has any."""
    try:
        names = pq.read_schema(file).names
        table = pq.read_table(file, columns=[n for n in names if n in IMAGE_COLUMNS + LABEL_COLUMNS])
    except (OSError, pa.ArrowException) as error:
        raise UserError(f"{file} is not a readable parquet file; give one in the hub's layout.") from error
    images = next((table[name] for name in IMAGE_COLUMNS if name in table.column_names), None)
    if images is None or not pa.types.is_struct(images.type) or images.type.get_field_index("bytes") < 0:
        raise UserError(
            f"{file} has the columns {', '.join(names)}; it needs 'image' or 'img' as a struct with 'bytes'."
        )
    if len(images) == 0:
        raise UserError(f"{file} has no rows; give a file with at least one image.")
    labels = next((table[name] for name in LABEL_COLUMNS if name in table.column_names), None)
    values = [0] * len(images) if labels is None else labels.to_pylist()
    if not all(isinstance(value, int) for value in values):
        raise UserError(f"{file} has labels that are not whole numbers; give integer classes without gaps.")
    return images, torch.tensor(values, dtype=torch.int64), labels is not None


def _encoded(images: pa.ChunkedArray, rows: list[int], file: Path) -> Iterator[tuple[bytes, str]]:
    wanted = images.take(pa.array(rows, pa.int64()))
    encoded = (one for chunk in wanted.chunks for one in chunk.field("bytes"))
    for row, one in zip(rows, encoded, strict=True):
        yield one.as_py() or b"", f"row {row} of {file}"
