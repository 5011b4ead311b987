"""The standard augmentation of small images: a random crop of the padded image, and a random mirror image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad as add_border

BLACK = -1.0


@dataclass(frozen=True)
class Moves:
    """What happens to n images.

    Attributes:
        offsets: row and column at which the padded image is cut, int64 of shape (2, n), or (2, 0) for none.
        turned: whether left and right are exchanged, bool of shape (n,), or (0,) for none.
    """

    offsets: Tensor
    turned: Tensor


def draw_moves(n: int, generator: Generator, *, pad: int, mirror: bool) -> Moves:
    """Draw what happens to ``n`` images, on the CPU; see ``augment``."""
    offsets = torch.randint(2 * pad + 1, (2, n if pad else 0), generator=generator)
    return Moves(offsets, torch.rand(n if mirror else 0, generator=generator) < 0.5)


def move(images: Tensor, moves: Moves, *, pad: int) -> Tensor:
    """Return the images moved and mirrored; see ``augment``."""
    n, _, height, width = images.shape
    if pad:
        offsets = moves.offsets.to(images.device)
        rows = offsets[0, :, None] + torch.arange(height, device=images.device)
        columns = offsets[1, :, None] + torch.arange(width, device=images.device)
        padded = add_border(images, (pad,) * 4, value=BLACK)
        numbers = torch.arange(n, device=images.device)[:, None, None]
        images = padded.permute(0, 2, 3, 1)[numbers, rows[:, :, None], columns[:, None, :]]
        images = images.permute(0, 3, 1, 2).contiguous()
    if len(moves.turned):
        turned = moves.turned.to(images.device)
        images = torch.where(turned[:, None, None, None], images.flip(-1), images)
    return images


def augment(images: Tensor, generator: Generator, *, pad: int, mirror: bool) -> Tensor:
    """Return each image moved by up to ``pad`` pixels (black moves in) and mirrored with probability ½.

    Args:
        images: (n, channels, height, width) in [-1, 1], on any device.
        generator: of the random numbers, on the CPU; the same images come out on every device.
        pad: 4 for CIFAR; 0 leaves the images where they are.
        mirror: whether left and right may be exchanged.
    """
    return move(images, draw_moves(len(images), generator, pad=pad, mirror=mirror), pad=pad)
