"""Train a classifier with SGD and cosine annealing; a killed training goes on from its last whole epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from unlearn_gym.data.augment import augment
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.models.mixed import FULL, passed
from unlearn_gym.models.networks import make_network
from unlearn_gym.models.threads import repeatable
from unlearn_gym.models.training_file import TrainingFile


@dataclass(frozen=True)
class SupervisedRecipe:
    """Everything but the data that determines a trained classifier; the defaults are the benchmark's.

    Attributes:
        network: a name in ``NETWORKS``.
        epochs: passes over the data.
        batch_size: images a step; the last batch of an epoch may be smaller.
        learning_rate: SGD's at the start, annealed to 0 along a cosine, epoch by epoch.
        momentum: SGD's.
        weight_decay: SGD's.
        pad: largest random shift in pixels.
        mirror: whether images are mirrored at random.
        seed: of the weights, the batches and the augmentation.
    """

    network: str
    epochs: int = 80
    batch_size: int = 128
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    pad: int = 4
    mirror: bool = True
    seed: int = 42


@torch.enable_grad()
def train_classifier(
    data: LabelledSet,
    num_classes: int,
    recipe: SupervisedRecipe,
    *,
    checkpoint: Path,
    device: torch.device,
    precision: str = FULL,
    title: str = "classifier",
    position: int = 0,
) -> nn.Module:
    """Train a classifier by cross-entropy, with a progress bar on stderr; returned in eval mode on the CPU.

    After each epoch weights, momentum and random state are written to ``checkpoint``, whole or not at all;
    where that file exists, training goes on after the epoch it holds, to the same weights as without the break.

    Args:
        data: images (n, channels, height, width) in [-1, 1], labels 0 … num_classes − 1.
        num_classes: number of logits.
        recipe: architecture and training settings.
        checkpoint: a .safetensors file; the caller removes it when the model is safe.
        device: where to compute; on the CPU one thread is used: the result does not depend on the cores.
        precision: of the passes, one of ``models.mixed.PRECISIONS``.
        title: stands before the progress bar.
        position: line of the bar, where several processes show one each.
    """
    model = make_network(recipe.network, data.inputs.shape[1], num_classes, recipe.seed).to(device).train()
    optimizer = torch.optim.SGD(
        model.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay
    )
    generator = Generator().manual_seed(recipe.seed)
    inputs, labels = data.inputs.to(device), data.labels.to(device)
    state = TrainingFile(checkpoint, {"model": model}, optimizer, generator)
    first = state.resume()
    steps = math.ceil(len(data) / recipe.batch_size)
    bar = tqdm(
        total=recipe.epochs * steps,
        initial=first * steps,
        desc=f"training the {title}",
        position=position,
        unit="step",
        mininterval=0.5,
    )
    network = passed(model, precision)
    with repeatable(), bar:
        for epoch in range(first, recipe.epochs):
            rate = recipe.learning_rate * (1 + math.cos(math.pi * epoch / recipe.epochs)) / 2
            for group in optimizer.param_groups:
                group["lr"] = rate
            for rows in torch.randperm(len(data), generator=generator).split(recipe.batch_size):
                _step(network, optimizer, inputs, labels, rows.to(device), recipe, generator)
                bar.update()
            state.save(epoch + 1)
    return model.cpu().eval()


def _step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    inputs: Tensor,
    labels: Tensor,
    rows: Tensor,
    recipe: SupervisedRecipe,
    generator: Generator,
) -> None:
    images = augment(inputs[rows], generator, pad=recipe.pad, mirror=recipe.mirror)
    if len(rows) == 1:  # BatchNorm has no statistics of a single value
        images, rows = images.repeat(2, 1, 1, 1), rows.repeat(2)
    optimizer.zero_grad()
    cross_entropy(model(images), labels[rows]).backward()
    optimizer.step()
