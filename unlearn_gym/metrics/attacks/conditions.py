"""What a diffusion model shows when it is told something else than its labels: an attacker who changes no weight.

Labels reach the network as vectors. The condition attack looks for the vector under which the network denoises the
forgotten images best (AdvUnlearn, arXiv 2405.15234, has a text's tokens in its place); the overlap query asks half-way
between the forget label and each other one.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor, nn

from unlearn_gym.metrics.attacks.relearning import Loss

if TYPE_CHECKING:
    from diffusers import UNet2DModel

CONDITIONS = {"condition": "attack", "overlap": "overlap"}
"""Kind of attack → what the names of its metrics begin with."""

RADII = (0.25, 1.0, math.inf)
"""How far the vector may move, in units of the distance to the nearest other label's."""

STEPS, BATCH_SIZE, LEARNING_RATE = 200, 32, 1e-2


def unreachable(model: UNet2DModel, label: int | None) -> str:
    """Return why a network's labels cannot be attacked, as a part of a sentence; "" if they can.

    Args:
        model: the network.
        label: what the images to forget are labelled with, or None for no label of their own.
    """
    from diffusers.models.embeddings import TimestepEmbedding

    classes, embedding = model.config["num_class_embeds"], model.class_embedding
    if embedding is None or not classes:
        return "the network is told no labels"
    if not isinstance(embedding, nn.Embedding | TimestepEmbedding):
        return f"the vectors of its labels are inside a {type(embedding).__name__} and cannot be reached"
    if classes < 2:
        return "the network has one label, and moves are measured by the distance to another"
    return "" if label is not None else "the images to forget have no label of their own"


@torch.no_grad()
def label_vectors(model: UNet2DModel, image: Tensor) -> Tensor:
    """Return what the network makes of each of its labels, (labels, d).

    Args:
        model: conditional.
        image: any one image that it takes, (channels, height, width).
    """
    labels = torch.arange(model.config["num_class_embeds"], device=image.device)
    seen: list[Tensor] = []
    assert model.class_embedding is not None
    hook = model.class_embedding.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    try:
        model(image.expand(len(labels), *image.shape), 0, class_labels=labels)
    finally:
        hook.remove()
    return seen[0]


def told(model: UNet2DModel, change: Callable[[Tensor], Tensor]) -> UNet2DModel:
    """Return a frozen copy in eval mode whose label vectors, (rows, d), are changed on their way in."""
    copied = copy.deepcopy(model).requires_grad_(False).eval()
    assert copied.class_embedding is not None
    copied.class_embedding.register_forward_hook(lambda _module, _inputs, output: change(output))
    return copied


def attacked(
    model: UNet2DModel, loss: Loss, images: Tensor, label: int, radius: float, generator: Generator
) -> UNet2DModel:
    """Return a copy that takes every label for the vector that was found: by Adam on it alone, from the label's own.

    Args:
        model: left as it is.
        loss: what it was trained with.
        images: forget training images.
        label: theirs.
        radius: one of ``RADII``; the vector is put back to this distance from its start after each step.
        generator: of minibatches and of what the loss draws, on the CPU.
    """
    parameter = next(model.parameters())
    vectors = label_vectors(model, images[0].to(parameter))
    start = vectors[label]
    others = torch.cat([vectors[:label], vectors[label + 1 :]])
    limit = radius * float((others - start).norm(dim=1).min()) if math.isfinite(radius) else math.inf
    vector = start.clone().requires_grad_()
    copied = told(model, lambda output: vector.expand_as(output))
    optimizer = torch.optim.Adam([vector], lr=LEARNING_RATE)
    for _ in range(STEPS):
        rows = torch.randint(len(images), (BATCH_SIZE,), generator=generator)
        labels = torch.full((BATCH_SIZE,), label, device=parameter.device)
        with torch.enable_grad():
            optimizer.zero_grad()
            loss(copied, images[rows].to(parameter), labels, generator).backward()
        optimizer.step()
        with torch.no_grad():
            move = vector - start
            length = float(move.norm())
            if length > limit:
                vector.copy_(start + move * (limit / length))
    vector.requires_grad_(False)
    return copied


def overlapped(model: UNet2DModel, image: Tensor, label: int) -> UNet2DModel:
    """Return a copy that takes each label for the vector half-way between its own and that of ``label``.

    Args:
        model: left as it is.
        image: any one image that it takes.
        label: of the images to forget.
    """
    own = label_vectors(model, image.to(next(model.parameters())))[label]
    return told(model, lambda output: (output + own) / 2)
