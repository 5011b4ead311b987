"""Train a class-conditional VAE, the same from the same seed; a killed training goes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.models.preparation import CPU
from unlearn_gym.models.threads import repeatable, seeded_weights
from unlearn_gym.models.training_file import TrainingFile
from unlearn_gym.models.vae.bounds import elbo_error
from unlearn_gym.models.vae.network import VAE

SAVE_EVERY = 1000
"""Steps between two saved states of a training."""


@dataclass(frozen=True)
class VAERecipe:
    """Everything but the data that determines a trained VAE.

    Attributes:
        hidden: widths of the encoder's layers; the decoder has them in reverse.
        latent: dimension of the code.
        steps: optimizer steps.
        batch_size: images a step.
        learning_rate: Adam's in the first step, and
        last_learning_rate: in the last one, with the same factor from each step to the next.
        seed: of the weights, the batches and the codes.
    """

    hidden: tuple[int, ...] = (256, 128)
    latent: int = 8
    steps: int = 4000
    batch_size: int = 128
    learning_rate: float = 1e-3
    last_learning_rate: float = 1e-3
    seed: int = 0


@torch.enable_grad()
def train_vae(
    data: LabelledSet,
    num_classes: int,
    recipe: VAERecipe,
    *,
    checkpoint: Path,
    device: torch.device = CPU,
    title: str = "VAE",
    position: int = 0,
) -> VAE:
    """Train a VAE from scratch on its ELBO, with a progress bar on stderr; returned in eval mode on the CPU.

    Args:
        data: images (n, channels, height, width) in [-1, 1] with their labels.
        num_classes: class labels.
        recipe: sizes and training settings.
        checkpoint: a .safetensors file for the state of an unfinished training; see ``TrainingFile.steps``.
        device: where to compute; the random numbers are the CPU's on every device.
        title: stands before the progress bar.
        position: line of the bar, where several processes show one each.
    """
    with seeded_weights(recipe.seed):
        model = VAE(data.inputs.shape[1:], num_classes, recipe.hidden, recipe.latent)
    model = model.to(device).train()
    generator = torch.Generator().manual_seed(recipe.seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, fused=True)
    state = TrainingFile(checkpoint, {"model": model}, optimizer, generator)
    with repeatable():
        for step in state.steps(recipe.steps, SAVE_EVERY, title, position):
            optimizer.param_groups[0]["lr"] = _rate(recipe, step)
            rows = torch.randint(len(data), (recipe.batch_size,), generator=generator)
            noise = torch.randn((len(rows), recipe.latent), generator=generator).to(device)
            images = data.inputs[rows].to(device)
            optimizer.zero_grad()
            elbo_error(model(images, data.labels[rows].to(device), noise), images).mean().backward()
            optimizer.step()
    return model.cpu().eval()


def _rate(recipe: VAERecipe, step: int) -> float:
    done = step / max(recipe.steps - 1, 1)
    return recipe.learning_rate * (recipe.last_learning_rate / recipe.learning_rate) ** done
