"""A deletion request from the user's own files or arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from unlearn_gym.data.sources import load_images
from unlearn_gym.data.split import LabelledSet, UnlearningData


def user_request(config: Mapping[str, Any], retain: Any, forget: Any) -> UnlearningData:
    """Return the request to forget ``forget`` and keep ``retain``, in the image format of a UNet.

    Args:
        config: the UNet's configuration (``in_channels``, ``sample_size``, ``num_class_embeds``).
        retain: what ``load_images`` takes; for a class-conditional network it needs labels.
        forget: likewise.

    Raises:
        UserError: if a set is empty or unreadable, or its labels do not fit the network.
    """
    classes = config["num_class_embeds"] or 0
    form = {"channels": config["in_channels"], "size": config["sample_size"], "num_classes": classes}
    parts = [
        load_images(source, name=name, **form)
        for name, source in (("retain_data", retain), ("forget_data", forget))
    ]
    nothing = LabelledSet(parts[0].inputs[:0], torch.empty(0, dtype=torch.int64))
    return UnlearningData("user data", parts[0], parts[1], nothing, nothing, num_classes=classes)
