"""How soon an unlearned diffusion model learns again what it forgot, and what rounding its weights brings back.

Both numbers mean something only beside those of a model that never knew: a model retrained without the forget set
relearns it, too.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from typing import TypeVar

import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from torch import Generator, Tensor, nn

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.metrics.subsets import distinct, evenly_spaced

UPDATES = (1, 2, 5, 10, 20, 50)
"""After how many updates of fine-tuning the model is looked at, evenly spaced on a log scale."""

SOURCES = ("mixed", "retain", "forget")
"""What is fine-tuned on: half of each minibatch from the known forget images, none of it, all of it."""

KNOWN = 10
"""Forget images that the attacker has; they are training images."""

BATCH_SIZE, LEARNING_RATE = 32, 2e-4

Network = TypeVar("Network", bound=nn.Module)


def relearn(
    model: UNet2DModel,
    scheduler: DDPMScheduler,
    retain: LabelledSet,
    forget: LabelledSet,
    source: str,
    generator: Generator,
) -> Iterator[tuple[int, UNet2DModel]]:
    """Fine-tune a copy with the ordinary denoising loss and a new Adam; yield (updates made, the copy).

    Args:
        model: left as it is.
        scheduler: its noise schedule.
        retain: images to keep.
        forget: images that were to be forgotten; ``KNOWN`` different ones are used.
        source: one of ``SOURCES``.
        generator: of minibatches, timesteps and noise, on the CPU.
    """
    device = next(model.parameters()).device
    copied = copy.deepcopy(model).requires_grad_(True)
    different = distinct(forget.inputs.cpu())
    known = different[evenly_spaced(len(different), KNOWN)]
    own = LabelledSet(forget.inputs[known], forget.labels[known])
    counts = {
        "mixed": (BATCH_SIZE // 2, BATCH_SIZE // 2),
        "retain": (BATCH_SIZE, 0),
        "forget": (0, BATCH_SIZE),
    }
    optimizer = torch.optim.Adam(copied.parameters(), lr=LEARNING_RATE)
    for step in range(1, max(UPDATES) + 1):
        parts = [_pick(side, n, generator) for side, n in zip((retain, own), counts[source], strict=True)]
        images, labels = (torch.cat(each).to(device) for each in zip(*parts, strict=True))
        timesteps = torch.randint(len(scheduler.alphas_cumprod), (len(images),), generator=generator).to(
            device
        )
        noise = torch.randn(images.shape, generator=generator).to(images)
        noisy = scheduler.add_noise(images, noise, timesteps)
        conditions = labels if copied.config["num_class_embeds"] else None
        with torch.enable_grad():
            error = copied(noisy, timesteps, class_labels=conditions).sample - noise
            optimizer.zero_grad()
            error.square().mean().backward()
        optimizer.step()
        if step in UPDATES:
            yield step, copied


def _pick(part: LabelledSet, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
    rows = torch.randint(len(part), (count,), generator=generator)
    return part.inputs[rows], part.labels[rows]


def relearn_auc(rates: Mapping[int, float], before: float) -> float:
    """Return the mean of the concept rates after each of ``UPDATES``, as shares of the rate before unlearning.

    Args:
        rates: updates of fine-tuning → concept rate then.
        before: concept rate of the original model.

    Returns:
        0 (stays forgotten) to about 1; NaN if the original model did not show the concept.
    """
    return sum(rates[n] for n in UPDATES) / len(UPDATES) / before if before > 0 else math.nan


def relearn_steps(rates: Mapping[int, float], before: float) -> float:
    """Return the first of ``UPDATES`` after which at least half of the original rate is back; infinity if none."""
    return float(next((n for n in UPDATES if rates[n] >= before / 2), math.inf)) if before > 0 else math.nan


@torch.no_grad()
def rounded(model: Network, bits: int) -> Network:
    """Return a copy whose weights are rounded to a grid of 2^bits − 1 values, one grid a tensor.

    w ← s·round(w/s) with s = max|w|/(2^{bits − 1} − 1).
    """
    copied = copy.deepcopy(model)
    for weight in copied.parameters():
        step = weight.abs().max() / (2 ** (bits - 1) - 1)
        if step > 0:
            weight.copy_(step * (weight / step).round())
    return copied
