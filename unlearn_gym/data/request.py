"""A deletion request from the user's own files or arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from unlearn_gym.data.class_names import ClassNames, class_numbers, names_in_order
from unlearn_gym.data.labels import Part
from unlearn_gym.data.overlap import warn_of_overlap
from unlearn_gym.data.readers.pixels import PixelFormat
from unlearn_gym.data.sources import check_labelled, numbered_set, read_parts
from unlearn_gym.data.split import LabelledSet, UnlearningData


def user_request(
    config: Mapping[str, Any], retain: Any, forget: Any, class_names: ClassNames | None = None
) -> UnlearningData:
    """Return the request to forget ``forget`` and keep ``retain``, in the image format of a UNet.

    Args:
        config: the UNet's configuration (``in_channels``, ``sample_size``, ``num_class_embeds``).
        retain: what ``load_images`` takes; for a class-conditional network it needs labels.
        forget: likewise.
        class_names: which name has which number, where that does not follow from the data.

    Raises:
        UserError: if a set is empty or unreadable, or its labels do not fit the network.
    """
    size = config["sample_size"]
    height, width = (size, size) if isinstance(size, int) else size
    form = PixelFormat(config["in_channels"], height, width)
    return joined_request(
        read_parts(retain, form), read_parts(forget, form), config["num_class_embeds"] or 0, class_names
    )


def joined_request(
    retain: Sequence[Part], forget: Sequence[Part], num_classes: int, class_names: ClassNames | None
) -> UnlearningData:
    """Number the classes of both sets by one rule, and warn of examples that are in both.

    Args:
        retain: what was read of the retain set.
        forget: what was read of the forget set.
        num_classes: classes that the network knows, or 0 when labels do not matter.
        class_names: see ``unlearn_gym.data.class_names``.

    Raises:
        UserError: if labels are missing or do not fit the network.
    """
    for parts, name in ((retain, "retain_data"), (forget, "forget_data")):
        check_labelled(parts, num_classes, name)
    sides = [[part.labels for part in side if part.labels is not None] for side in (retain, forget)]
    numbers = class_numbers(sides[0], sides[1], num_classes, class_names)
    kept = numbered_set(retain, numbers, num_classes, "retain_data")
    gone = numbered_set(forget, numbers, num_classes, "forget_data")
    warn_of_overlap(kept.inputs, gone.inputs)
    nothing = LabelledSet(kept.inputs[:0], torch.empty(0, dtype=torch.int64))
    names = names_in_order(numbers, num_classes)
    return UnlearningData("user data", kept, gone, nothing, nothing, num_classes, names)
