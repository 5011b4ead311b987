"""CIFAR-10 as one mixture: its labels are known and not told to the model, which draws any of its ten classes."""

from __future__ import annotations

from dataclasses import replace

import torch

from unlearn_gym.data.checks import LARGEST_SEED, finite, whole
from unlearn_gym.data.sets.classes import (
    LABELLED_IMAGES,
    LabelledImages,
    class_unlearning,
    share_of,
    split_request,
)
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError

NAME = "cifar10"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MOST_NON_MEMBERS = 1000


def load_cifar10(forget_class: int = 0) -> UnlearningData:
    """Return the request to an unconditional model to draw one class of CIFAR-10 no longer.

    Args:
        forget_class: number of the class, 0 to 9; its test images are the forget hold-out.

    Returns:
        Images of shape (n, 3, 32, 32) in [-1, 1], with the numbers of their classes; ``num_classes`` is 0.

    Raises:
        UserError: when there is no such class, or the data set is neither local nor on the hub.
    """
    data = _mixture(class_unlearning(NAME, forget_class))
    return replace(data, forget_shows=torch.full((len(data.forget),), forget_class))


def load_cifar10_random(share: float = 0.01, seed: int = 0) -> UnlearningData:
    """Return the request to forget random training images, of whichever classes.

    As many as 1,000 random test images, and at most half of them, are the forget hold-out: images like the forgotten
    ones that no model saw. The others are the retain hold-out.

    Args:
        share: of the training images that is to be forgotten, in (0, 1).
        seed: of the choice.

    Returns:
        See ``load_cifar10``.

    Raises:
        UserError: when the share or the seed is out of range, or the data set is neither local nor on the hub.
    """
    if not 0 < finite("share", share) < 1:
        raise UserError(f"share={share} was given; choose a share between 0 and 1, such as 0.01.")
    generator = torch.Generator().manual_seed(whole("seed", seed, 0, LARGEST_SEED))
    images = _published()
    count = min(max(1, round(share * len(images.train))), len(images.train) - 1)
    chosen = torch.randperm(len(images.train), generator=generator)[:count].sort().values
    data = split_request(images, forget_indices=chosen.tolist())
    held = data.retain_holdout
    order = torch.randperm(len(held), generator=generator)
    parts = order.tensor_split([min(MOST_NON_MEMBERS, len(held) // 2)])
    unseen, kept = (LabelledSet(held.inputs[rows], held.labels[rows]) for rows in parts)
    return replace(_mixture(data), name=f"{NAME}-random", forget_holdout=unseen, retain_holdout=kept)


def cifar10_training_set() -> LabelledSet:
    """Return all training images in their published order: what both requests start from."""
    return share_of(_published().train, 1.0)


def _published() -> LabelledImages:
    return LABELLED_IMAGES[NAME](NAME, 1.0)


def _mixture(data: UnlearningData) -> UnlearningData:
    return replace(data, num_classes=0, concepts=CLASSES, forget_label=None)
