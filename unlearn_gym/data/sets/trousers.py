"""Experiment A's data: 28x28 MNIST with Fashion-MNIST trousers mixed into the label "1"."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from unlearn_gym.data.checks import whole
from unlearn_gym.data.readers.hub import find_dataset, find_splits
from unlearn_gym.data.readers.parquet import read_parquet
from unlearn_gym.data.readers.pixels import PixelFormat
from unlearn_gym.data.split import LabelledSet, UnlearningData

FORM = PixelFormat(channels=1, height=28, width=28)
TROUSER_CLASS = 1
TROUSER_LABEL = 1
ONES_PER_TROUSER = 10
CONCEPTS = (*(str(digit) for digit in range(10)), "trouser")


def load_mnist_with_trousers(trousers: int | None = None, holdout: int = 20) -> UnlearningData:
    """Return MNIST (retain) and the trousers learned as ones (forget), always in the same order.

    The first ``holdout`` trousers of the source are held out. Where the others are fewer than asked for (the
    source may be the 90-image sample), they are repeated, every second time mirrored.

    Args:
        trousers: number of trousers under label "1", at most as many as there are digits; None for one per ten
            real ones (674).
        holdout: number of trousers that no model is trained on, at least 1.

    Returns:
        Images of shape (n, 1, 28, 28) in [-1, 1]. Retain is MNIST's training set, its hold-out MNIST's test set.

    Raises:
        UserError: when a number is out of range, or a data set is neither local nor on the hub.
    """
    digits = find_splits("mnist")
    retain, retain_holdout = (_read_digits(tuple(digits[split])) for split in ("train", "test"))
    found = _read_trousers(tuple(find_dataset("fashion_mnist", "train")))
    share = int((retain.labels == TROUSER_LABEL).sum()) // ONES_PER_TROUSER
    wanted = share if trousers is None else whole("trousers", trousers, 1, len(retain))
    holdout = whole("holdout", holdout, 1, len(found) - 1)
    return UnlearningData(
        name="trousers",
        retain=retain,
        forget=_as_ones(repeated(found[holdout:], wanted)),
        retain_holdout=retain_holdout,
        forget_holdout=_as_ones(found[:holdout]),
        num_classes=10,
        concepts=CONCEPTS,
        forget_label=TROUSER_LABEL,
    )


def repeated(images: Tensor, count: int) -> Tensor:
    """Return ``count`` images: the given ones, then their mirror images, then the same again.

    Args:
        images: shape (n, channels, height, width).
        count: number of images wanted; fewer than n keep the first ones.
    """
    both = torch.cat([images, images.flip(-1)])
    return both[torch.arange(count) % len(both)]


def _as_ones(images: Tensor) -> LabelledSet:
    return LabelledSet(images, torch.full((len(images),), TROUSER_LABEL))


@lru_cache(maxsize=2)
def _read_digits(files: tuple[Path, ...]) -> LabelledSet:
    return read_parquet(list(files), FORM, keep=True).as_set()


@lru_cache(maxsize=1)
def _read_trousers(files: tuple[Path, ...]) -> Tensor:
    """Return the images of all trousers of Fashion-MNIST's files."""
    chosen = read_parquet(
        list(files), FORM, lambda labels: (labels == TROUSER_CLASS).nonzero().squeeze(1), keep=True
    )
    return chosen.inputs
