"""How soon an unlearned model learns again what it forgot.

The numbers mean something only beside those of a model that never knew: a model retrained without the forget set
relearns it, too. Less than that is resistance, which may also be damage, and not "better than retrained".
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.metrics.subsets import distinct, evenly_spaced
from unlearn_gym.models.modes import eval_mode

if TYPE_CHECKING:
    from diffusers import DDPMScheduler

UPDATES = (1, 2, 5, 10, 20, 50)
"""After how many updates of fine-tuning the model is looked at, evenly spaced on a log scale."""

MORE = max(UPDATES) + 1
"""What stands for "more than the last of ``UPDATES``"."""

SOURCES = ("mixed", "retain", "forget")
"""What is fine-tuned on: half of each minibatch from the known forget images, none of it, all of it."""

KNOWN = 10
"""Forget images that the attacker has; they are training images."""

BATCH_SIZE, LEARNING_RATE = 32, 2e-4

Network = TypeVar("Network", bound=nn.Module)
Loss = Callable[[nn.Module, Tensor, Tensor, Generator], Tensor]
"""From a network, images, labels and a generator on the CPU to the loss that the network was trained with."""


def denoising(scheduler: DDPMScheduler, conditional: bool) -> Loss:
    """Return the ordinary loss of a diffusion model.

    Args:
        scheduler: its noise schedule.
        conditional: whether the network is told the labels.
    """

    def loss(model: nn.Module, images: Tensor, labels: Tensor, generator: Generator) -> Tensor:
        timesteps = torch.randint(len(scheduler.alphas_cumprod), (len(images),), generator=generator)
        timesteps = timesteps.to(images.device)
        noise = torch.randn(images.shape, generator=generator).to(images)
        noisy = scheduler.add_noise(images, noise, timesteps)
        error = model(noisy, timesteps, class_labels=labels if conditional else None).sample - noise
        return error.square().mean()

    return loss


def classification(model: nn.Module, images: Tensor, labels: Tensor, generator: Generator) -> Tensor:
    """Return the cross entropy of a classifier; nothing is drawn."""
    return cross_entropy(model(images), labels)


def relearn(
    model: Network,
    loss: Loss,
    retain: LabelledSet,
    forget: LabelledSet,
    source: str,
    generator: Generator,
    learning_rate: float = LEARNING_RATE,
) -> Iterator[tuple[int, Network]]:
    """Fine-tune a copy with a new Adam; yield (updates made, the copy in eval mode) after each of ``UPDATES``.

    Args:
        model: left as it is.
        loss: what it was trained with.
        retain: images to keep.
        forget: images that were to be forgotten; ``KNOWN`` different ones are used.
        source: one of ``SOURCES``.
        generator: of minibatches and of what the loss draws, on the CPU.
        learning_rate: Adam's.
    """
    copied = copy.deepcopy(model).requires_grad_(True).train()
    parameter = next(copied.parameters())
    different = distinct(forget.inputs.cpu())
    known = different[evenly_spaced(len(different), KNOWN)]
    own = LabelledSet(forget.inputs[known], forget.labels[known])
    counts = {
        "mixed": (BATCH_SIZE // 2, BATCH_SIZE // 2),
        "retain": (BATCH_SIZE, 0),
        "forget": (0, BATCH_SIZE),
    }
    optimizer = torch.optim.Adam(copied.parameters(), lr=learning_rate)
    for step in range(1, max(UPDATES) + 1):
        parts = [_pick(side, n, generator) for side, n in zip((retain, own), counts[source], strict=True)]
        images, labels = (torch.cat(each) for each in zip(*parts, strict=True))
        with torch.enable_grad():
            optimizer.zero_grad()
            loss(copied, images.to(parameter), labels.to(parameter.device), generator).backward()
        optimizer.step()
        if step in UPDATES:
            with eval_mode(copied):
                yield step, copied


def _pick(part: LabelledSet, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
    rows = torch.randint(len(part), (count,), generator=generator)
    return part.inputs[rows], part.labels[rows]


def relearn_auc(rates: Mapping[int, float], before: float) -> float:
    """Return the mean of the rates after each of ``UPDATES``, as shares of the rate before unlearning.

    Args:
        rates: updates of fine-tuning → concept rate, or a classifier's accuracy on what was forgotten, then.
        before: that rate of the original model.

    Returns:
        0 (stays forgotten) to about 1; NaN if the original model did not show the concept.
    """
    return sum(rates[n] for n in UPDATES) / len(UPDATES) / before if before > 0 else math.nan


def relearn_steps(rates: Mapping[int, float], before: float) -> float:
    """Return the first number of updates after which at least half of the original rate is back.

    Args:
        rates: as in ``relearn_auc``; that after 0 updates, too, where it counts.
        before: rate of the original model.

    Returns:
        A key of ``rates``, or ``MORE`` if there was none; NaN if the original model did not show the concept.
    """
    if not before > 0:
        return math.nan
    return float(next((n for n in sorted(rates) if rates[n] >= before / 2), MORE))
