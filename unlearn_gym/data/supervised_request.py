"""A request to a user's own classifier or regression, from their own arrays or image folders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from unlearn_gym.data.sources import load_images
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError


def supervised_request(
    retain: Any,
    forget: Any,
    *,
    num_classes: int,
    image_shape: Sequence[int] | None = None,
    label: int | None = None,
) -> UnlearningData:
    """Return the request to forget ``forget`` and keep ``retain``.

    Args:
        retain: a pair (inputs, labels or targets) of arrays, a ``LabelledSet``, or, with ``image_shape``,
        what
            ``load_images`` takes.
        forget: likewise.
        num_classes: number of classes, or 0 for a regression with float targets.
        image_shape: (channels, height, width) that images are brought to.
        label: label of all forget images, where their source names none.

    Raises:
        UserError: if a set is empty or unreadable, or its labels do not fit.
    """
    sets = [
        _read(source, name, num_classes, image_shape, given)
        for source, name, given in ((retain, "retain_data", None), (forget, "forget_data", label))
    ]
    nothing = LabelledSet(sets[0].inputs[:0], sets[0].labels[:0])
    return UnlearningData("user data", sets[0], sets[1], nothing, nothing, num_classes)


def _read(
    source: Any, name: str, num_classes: int, image_shape: Sequence[int] | None, label: int | None
) -> LabelledSet:
    if image_shape is not None:
        channels, height, width = image_shape
        return load_images(
            source, channels=channels, size=(height, width), label=label, num_classes=num_classes
        )
    if isinstance(source, LabelledSet):
        source = (source.inputs, source.labels)
    if not isinstance(source, Sequence) or isinstance(source, str) or len(source) != 2:
        raise UserError(
            f"{name} is no pair (inputs, labels) of arrays; give one, or image_shape=(channels, height, "
            "width) with an image folder, parquet or array file."
        )
    try:
        inputs, labels = (torch.as_tensor(part).detach().cpu() for part in source)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(f"{name} holds no arrays of numbers ({error}); give inputs and labels.") from error
    if not len(inputs) or not bool(torch.isfinite(inputs).all()):
        raise UserError(f"{name} is empty or has inputs that are not finite; give at least one example.")
    return LabelledSet(inputs.float(), _labels(labels, name, num_classes))


def _labels(labels: torch.Tensor, name: str, num_classes: int) -> torch.Tensor:
    if not num_classes:
        if not bool(torch.isfinite(labels).all()):
            raise UserError(f"{name} has targets that are not finite; leave those examples out.")
        return (labels[:, None] if labels.ndim == 1 else labels).float()
    if labels.is_floating_point() or labels.ndim != 1:
        raise UserError(
            f"{name} has {labels.dtype} labels of shape {tuple(labels.shape)}; give integers (n,)."
        )
    if not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise UserError(
            f"{name} has labels from {int(labels.min())} to {int(labels.max())}; give 0 to {num_classes - 1}."
        )
    return labels.long()
