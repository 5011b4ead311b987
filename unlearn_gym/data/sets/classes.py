"""Class unlearning: forget one class, or a list of training images, of a labelled image data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from numbers import Integral
from pathlib import Path

import torch
from torch import Tensor

from unlearn_gym.data.readers.hub import find_splits
from unlearn_gym.data.readers.parquet import read_pixels
from unlearn_gym.data.readers.pixels import PixelFormat, scale_bytes
from unlearn_gym.data.sets.digits import digit_images, stratified_holdout
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError

DIGITS_HOLDOUT = 0.3
SHARE_SEED = 0


@dataclass(frozen=True)
class LabelledImages:
    """A data set as it was published; images are float32 in [-1, 1], or uint8, which are scaled when selected.

    Attributes:
        name: short name.
        train: training images.
        test: test images.
        num_classes: number of labels.
        names: of the classes, in the order of their numbers; empty where the files do not say.
    """

    name: str
    train: LabelledSet
    test: LabelledSet
    num_classes: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class HubImages:
    """Form of a data set of the hub; see ``unlearn_gym.data.readers.hub``.

    Attributes:
        channels: 1 (grey) or 3 (RGB).
        size: height and width in pixels.
        num_classes: number of labels.
    """

    channels: int
    size: int
    num_classes: int

    def read(self, name: str, fraction: float) -> LabelledImages:
        """Read both splits, and keep in memory what was read last."""
        files = [tuple((file, *_stamp(file)) for file in found) for found in find_splits(name).values()]
        return _read(name, self, fraction, *files)


File = tuple[Path, int, int]
"""A file with its size and time of change: another content is read anew."""


def _stamp(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=1)
def _read(
    name: str, images: HubImages, fraction: float, train: tuple[File, ...], test: tuple[File, ...]
) -> LabelledImages:
    form = PixelFormat(images.channels, images.size, images.size)
    sets = []
    for split, files in (("train", train), ("test", test)):
        found = read_pixels(
            [file for file, *_ in files], form, lambda labels: share_rows(labels, fraction), keep=True
        )
        if found.labels is None:
            raise UserError(f"The {split} split of {name!r} has no labels; it needs 'label' or 'fine_label'.")
        sets.append(found.as_set())
        known = found.labels.names if found.labels.ordered else ()
    names = known if len(known) == images.num_classes else ()
    return LabelledImages(name, sets[0], sets[1], images.num_classes, names)


def _digits(name: str, fraction: float) -> LabelledImages:
    """Scikit-learn's 8×8 digits, 30 % of each class held out as test images."""
    digits = digit_images()
    held = stratified_holdout(digits.labels, DIGITS_HOLDOUT)
    train, test = (share_of(_select(digits, part), fraction) for part in (~held, held))
    return LabelledImages(name, train, test, 10)


LABELLED_IMAGES: dict[str, Callable[[str, float], LabelledImages]] = {
    "digits": _digits,
    "mnist": HubImages(1, 28, 10).read,
    "fashion_mnist": HubImages(1, 28, 10).read,
    "cifar10": HubImages(3, 32, 10).read,
    "cifar100": HubImages(3, 32, 100).read,
}
"""Name → function of the name, and of the share of each class wanted, that reads the data set."""


def class_unlearning(
    name: str, forget_class: int = 0, forget_indices: Sequence[int] | None = None, fraction: float = 1.0
) -> UnlearningData:
    """Return the request to forget one class, or single training images, of a named data set.

    Args:
        name: one of ``LABELLED_IMAGES``.
        forget_class: label to forget; its test images are the forget hold-out.
        forget_indices: numbers of training images (after ``fraction`` was applied) to forget instead; then
            nothing like them is held out, and all test images are the retain hold-out.
        fraction: share of each class, in training and test images, that is used at all, in (0, 1].

    Raises:
        UserError: for an unknown name, a class or an index that is not in the data, or a share out of range.
    """
    if name not in LABELLED_IMAGES:
        raise UserError(f"There is no data set {name!r}; choose one of {', '.join(sorted(LABELLED_IMAGES))}.")
    if not isinstance(fraction, int | float) or isinstance(fraction, bool) or not 0 < fraction <= 1:
        raise UserError(f"fraction={fraction!r} was given; choose a share above 0 and up to 1.")
    return split_request(LABELLED_IMAGES[name](name, fraction), forget_class, forget_indices)


def split_request(
    images: LabelledImages, forget_class: int = 0, forget_indices: Sequence[int] | None = None
) -> UnlearningData:
    """Split a data set into retain and forget set; see ``class_unlearning``."""
    for part, split in ((images.train, "training"), (images.test, "test")):
        _check_labels(part.labels, images.num_classes, f"The {split} set of {images.name!r}")
    if forget_indices is None:
        wanted = torch.tensor(forget_class if _whole(forget_class) else -1)
        chosen, held = images.train.labels == wanted, images.test.labels == wanted
        if not bool(chosen.any()):
            present = ", ".join(str(int(label)) for label in images.train.labels.unique())
            raise UserError(
                f"forget_class={forget_class!r} is not in {images.name!r}; choose one of {present}."
            )
    else:
        chosen = _mask(forget_indices, len(images.train))
        held = torch.zeros(len(images.test), dtype=torch.bool)
    return UnlearningData(
        name=images.name,
        retain=_select(images.train, ~chosen),
        forget=_select(images.train, chosen),
        retain_holdout=_select(images.test, ~held),
        forget_holdout=_select(images.test, held),
        num_classes=images.num_classes,
        concepts=images.names or tuple(map(str, range(images.num_classes))),
        forget_label=int(forget_class) if forget_indices is None else None,
    )


def share_of(examples: LabelledSet, fraction: float) -> LabelledSet:
    """Return the same random ``fraction`` of each class (at least one image), in the original order."""
    return _select(examples, share_rows(examples.labels, fraction))


def share_rows(labels: Tensor, fraction: float) -> Tensor:
    """Return the numbers of the examples that ``share_of`` keeps, in increasing order."""
    if fraction == 1:
        return torch.arange(len(labels))
    generator = torch.Generator().manual_seed(SHARE_SEED)
    rows = [torch.empty(0, dtype=torch.int64)]
    for label in labels.unique():
        members = (labels == label).nonzero().squeeze(1)
        order = torch.randperm(len(members), generator=generator)
        rows.append(members[order[: max(1, round(fraction * len(members)))]])
    return torch.cat(rows).sort().values


def _select(examples: LabelledSet, rows: Tensor) -> LabelledSet:
    """Return some of the images; bytes are scaled after the selection, because large new memory is what takes time."""
    chosen = examples.inputs[rows]
    return LabelledSet(scale_bytes(chosen) if chosen.dtype == torch.uint8 else chosen, examples.labels[rows])


def _mask(indices: Sequence[int], size: int) -> Tensor:
    if not isinstance(indices, Iterable) or isinstance(indices, str) or not len(list(indices)):
        raise UserError(
            f"forget_indices={indices!r} is empty or no list; give the numbers of the training images to forget."
        )
    wrong = [index for index in indices if not _whole(index) or not 0 <= index < size]
    if wrong:
        raise UserError(f"forget_indices has {wrong[0]!r}; there are training images 0 to {size - 1}.")
    mask = torch.zeros(size, dtype=torch.bool)
    mask[torch.as_tensor(list(indices), dtype=torch.int64)] = True
    return mask


def _whole(number: object) -> bool:
    """Whether something is an integer, of Python or NumPy, and no truth value."""
    return isinstance(number, Integral) and not isinstance(number, bool)


def _check_labels(labels: Tensor, num_classes: int, what: str) -> None:
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise UserError(
            f"{what} has labels from {int(labels.min())} to {int(labels.max())}; give 0 to {num_classes - 1}."
        )
