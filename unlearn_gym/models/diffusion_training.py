"""Train a small class-conditional DDPM (Ho et al. 2020), the same from the same seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import mse_loss
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.models.diffusion import DiffusionModel, build_unet, default_scheduler
from unlearn_gym.models.threads import one_thread, seeded_weights


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
    title: str = "diffusion model",
    position: int = 0,
) -> DiffusionModel:
    """Train a diffusion model from scratch on the CPU, on one thread, with a progress bar on stderr.

    Args:
        data: square images (n, channels, size, size) in [-1, 1] with their labels.
        num_classes: class labels, or 0 for an unconditional model.
        recipe: architecture and training settings.
        title: stands before the progress bar.
        position: line of the bar, where several processes show one each.
    """
    channels, size = data.inputs.shape[1:3]
    with seeded_weights(recipe.seed):
        unet = build_unet(
            size, channels, num_classes, recipe.widths, recipe.layers_per_block, recipe.norm_groups
        )
    model = DiffusionModel(unet, default_scheduler())
    bar = tqdm(
        range(recipe.steps), desc=f"training the {title}", position=position, unit="step", mininterval=0.5
    )
    with one_thread():
        _optimize(model, data, num_classes, recipe, bar)
    return model


def _optimize(
    model: DiffusionModel, data: LabelledSet, num_classes: int, recipe: DiffusionRecipe, bar: tqdm
) -> None:
    unet = model.unet.train()
    generator = torch.Generator().manual_seed(recipe.seed)
    optimizer = torch.optim.Adam(unet.parameters(), lr=recipe.learning_rate, fused=True)
    decay = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: (1 + math.cos(math.pi * step / recipe.steps)) / 2
    )
    average = AveragedModel(unet, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema))
    for _ in bar:
        rows = torch.randint(len(data), (recipe.batch_size,), generator=generator)
        labels = data.labels[rows] if num_classes else None
        loss = _loss(model, data.inputs[rows], labels, generator)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(unet.parameters(), recipe.grad_clip)
        optimizer.step()
        decay.step()
        average.update_parameters(unet)
    unet.load_state_dict(average.module.state_dict())
    unet.eval()


def _loss(model: DiffusionModel, images: Tensor, labels: Tensor | None, generator: torch.Generator) -> Tensor:
    """Noise-prediction error of DDPM, with timesteps spread evenly over the batch to calm the gradient."""
    noise = torch.randn(images.shape, generator=generator)
    spread = (torch.arange(len(images)) + torch.rand(len(images), generator=generator)) / len(images)
    steps = (spread * model.scheduler.config["num_train_timesteps"]).long()
    noisy = model.scheduler.add_noise(images, noise, steps)
    return mse_loss(model.unet(noisy, steps, class_labels=labels).sample, noise)
