"""The images of a request, refused in one sentence where they do not fit the network, and what is held out of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from unlearn_gym.applying.settings import Sources
from unlearn_gym.data.class_names import class_numbers
from unlearn_gym.data.labels import Part
from unlearn_gym.data.overlap import overlap
from unlearn_gym.data.readers.folder import image_files
from unlearn_gym.data.readers.pixels import PixelFormat
from unlearn_gym.data.request import joined_request
from unlearn_gym.data.sources import numbered_set, read_parts
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError
from unlearn_gym.storage.files import user_path

HELD_OUT = 0.05
"""Share of the images to keep that no update sees, so that the damage is measured on others than those that mend it."""
MOST_HELD_OUT = 500
FEWEST = 2


def read_request(sources: Sources, form: PixelFormat, num_classes: int, seed: int) -> UnlearningData:
    """Return the request, with ``HELD_OUT`` of the retain images held out and the non-members as ``forget_holdout``.

    Args:
        sources: what was given.
        form: of the network's images.
        num_classes: classes that it knows; 0 for none.
        seed: of the choice of what is held out.

    Raises:
        UserError: for images that cannot be read or do not fit, labels that are missing, an empty set, or images
            that are on both sides.
    """
    retain, forget = read_parts(sources.retain, form), read_parts(sources.forget, form)
    _refuse_overlap(retain, forget, sources.forget)
    data = joined_request(retain, forget, num_classes, sources.class_names)
    if len(data.retain) < FEWEST:
        raise UserError(
            f"{_name(sources.retain)} has one image; give more to keep, a part of which is held out."
        )
    order = torch.randperm(len(data.retain), generator=torch.Generator().manual_seed(seed))
    count = min(max(round(HELD_OUT * len(order)), 1), MOST_HELD_OUT)
    held_out, kept = (
        LabelledSet(data.retain.inputs[rows], data.retain.labels[rows])
        for rows in (order[:count].sort().values, order[count:].sort().values)
    )
    data = replace(data, retain=kept, retain_holdout=held_out)
    if sources.non_members is None:
        return data
    return replace(data, forget_holdout=_non_members(sources.non_members, form, data))


def _non_members(source: Any, form: PixelFormat, data: UnlearningData) -> LabelledSet:
    """Read images that the model never saw; those without labels have the one of the forget images."""
    parts = read_parts(source, form)
    own = data.forget.labels.unique()
    if data.num_classes and len(own) == 1 and any(part.labels is None for part in parts):
        parts = read_parts(source, form, int(own))
    labels = [part.labels for part in parts if part.labels is not None]
    numbers = class_numbers(labels, (), data.num_classes, data.class_names or None)
    found = numbered_set(parts, numbers, data.num_classes, _name(source))
    for known, side in ((data.retain, "kept"), (data.retain_holdout, "kept"), (data.forget, "forgotten")):
        if overlap(known.inputs, found.inputs):
            raise UserError(
                f"Images of {_name(source)} are among those to be {side}, so the model saw them; give images like "
                "those to forget that were not in its training, or leave non_members out."
            )
    return found


def _refuse_overlap(retain: Sequence[Part], forget: Sequence[Part], source: Any) -> None:
    kept = torch.cat([part.inputs for part in retain])
    gone = torch.cat([part.inputs for part in forget])
    both = overlap(kept, gone)
    if both:
        first = next(row for row in range(len(gone)) if overlap(kept, gone[row : row + 1]))
        raise UserError(
            f"{both} of the {len(gone)} images to forget are among those to keep too, {_place(source, first)} for "
            "one; take them out of the images to keep."
        )


def _place(source: Any, row: int) -> str:
    """Say which image of a source stands at a row."""
    if isinstance(source, str | os.PathLike) and user_path(source).is_dir():
        files = image_files(user_path(source))
        if row < len(files):
            return str(files[row])
    return f"number {row}"


def _name(source: Any) -> str:
    return str(source) if isinstance(source, str | os.PathLike) else "the given set"
