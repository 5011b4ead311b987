"""Train a small class-conditional DDPM (Ho et al. 2020), the same from the same seed; a killed one goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import mse_loss
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.models.mixed import FULL
from unlearn_gym.models.threads import repeatable, seeded_weights
from unlearn_gym.models.training_file import TrainingFile

if TYPE_CHECKING:
    from unlearn_gym.models.diffusion.model import DiffusionModel

CPU = torch.device("cpu")
SAVE_EVERY = 250
"""Steps between two saved states of a training."""


@dataclass(frozen=True)
class DiffusionRecipe:
    """Everything but the data that determines a trained diffusion model.

    Attributes:
        widths: feature maps at each resolution.
        layers_per_block: residual layers at each resolution.
        norm_groups: groups of the group norms.
        steps: optimizer steps.
        batch_size: images a step.
        learning_rate: Adam's, decayed to 0 along a cosine.
        ema: decay of the weights' moving average that is kept, or 0 to keep the last weights.
        grad_clip: largest L2 norm of a gradient.
        seed: of the weights, the batches and the noise.
    """

    widths: tuple[int, ...] = (16, 32)
    layers_per_block: int = 1
    norm_groups: int = 8
    steps: int = 3000
    batch_size: int = 64
    learning_rate: float = 2e-3
    ema: float = 0.99
    grad_clip: float = 1.0
    seed: int = 0


@torch.enable_grad()
def train_ddpm(
    data: LabelledSet,
    num_classes: int,
    recipe: DiffusionRecipe,
    *,
    checkpoint: Path,
    device: torch.device = CPU,
    precision: str = FULL,
    title: str = "diffusion model",
    position: int = 0,
) -> DiffusionModel:
    """Train a diffusion model from scratch, with a progress bar on stderr; returned in eval mode on the CPU.

    Every ``SAVE_EVERY`` steps the whole state is written to ``checkpoint``; where that file exists, training
    goes on after the step it holds, to the same weights as without the break. The random numbers are the CPU's
    on every device.

    Args:
        data: square images (n, channels, size, size) in [-1, 1] with their labels.
        num_classes: class labels, or 0 for an unconditional model.
        recipe: architecture and training settings.
        checkpoint: a .safetensors file; the caller removes it when the model is safe.
        device: where to compute; on the CPU one thread is used: the result does not depend on the cores.
        precision: of the passes, one of ``models.mixed.PRECISIONS``; weights and updates are in float32.
        title: stands before the progress bar.
        position: line of the bar, where several processes show one each.
    """
    from unlearn_gym.models.diffusion.model import DiffusionModel, build_unet, default_scheduler

    channels, size = data.inputs.shape[1:3]
    with seeded_weights(recipe.seed):
        unet = build_unet(
            size, channels, num_classes, recipe.widths, recipe.layers_per_block, recipe.norm_groups
        )
    model = DiffusionModel(unet.to(device).train(), default_scheduler())
    generator = torch.Generator().manual_seed(recipe.seed)
    optimizer = torch.optim.Adam(unet.parameters(), lr=recipe.learning_rate, fused=True)
    average = AveragedModel(unet, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema))
    state = TrainingFile(checkpoint, {"model": unet, "average": average}, optimizer, generator)
    with repeatable():
        for step in state.steps(recipe.steps, SAVE_EVERY, title, position):
            optimizer.param_groups[0]["lr"] = _rate(recipe, step)
            rows = torch.randint(len(data), (recipe.batch_size,), generator=generator)
            labels = data.labels[rows].to(device) if num_classes else None
            loss = _loss(model, data.inputs[rows], labels, generator, precision)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(unet.parameters(), recipe.grad_clip)
            optimizer.step()
            average.update_parameters(unet)
    unet.load_state_dict(average.module.state_dict())
    unet.cpu().eval()
    return model


def _rate(recipe: DiffusionRecipe, step: int) -> float:
    return recipe.learning_rate * (1 + math.cos(math.pi * step / recipe.steps)) / 2


def _loss(
    model: DiffusionModel,
    images: Tensor,
    labels: Tensor | None,
    generator: torch.Generator,
    precision: str = FULL,
) -> Tensor:
    """Noise-prediction error of DDPM, with timesteps spread evenly over the batch to calm the gradient."""
    noise = torch.randn(images.shape, generator=generator)
    spread = (torch.arange(len(images)) + torch.rand(len(images), generator=generator)) / len(images)
    steps = (spread * model.scheduler.config["num_train_timesteps"]).long()
    device = next(model.unet.parameters()).device
    noisy = model.scheduler.add_noise(images, noise, steps).to(device)
    steps, noise = steps.to(device), noise.to(device)
    with torch.autocast(device.type, torch.bfloat16, enabled=precision != FULL, cache_enabled=False):
        predicted = model.unet(noisy, steps, class_labels=labels).sample
    return mse_loss(predicted.float(), noise)
