"""A small CNN that says what an image shows, or that it shows nothing known; its features serve FID and KID."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample
from tqdm import tqdm

from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.outliers import draw_outliers
from unlearn_gym.models.threads import one_thread, seeded_weights
from unlearn_gym.storage.files import write_json

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
SURE = 100.0
"""Logit of what is certain."""


@dataclass(frozen=True)
class ConceptRecipe:
    """Everything but the data that determines a concept classifier.

    Attributes:
        width: feature maps of the first layer.
        features: dimension of the penultimate layer.
        steps: optimizer steps.
        batch_size: images a step.
        learning_rate: AdamW's, decayed to 0 along a cosine.
        shift: largest random shift, as a share of the image's width.
        angle: largest random rotation in degrees.
        noise: largest standard deviation of the noise added to the pixels.
        outliers: images a step that show no concept, made of further training images (``outliers``).
        seed: of the weights, the batches and the augmentation.
    """

    width: int = 32
    features: int = 64
    steps: int = 1200
    batch_size: int = 64
    learning_rate: float = 3e-3
    shift: float = 0.1
    angle: float = 10.0
    noise: float = 0.1
    outliers: int = 32
    seed: int = 0


class Judge(nn.Module, ABC):
    """Says what images (n, channels, height, width) in [-1, 1] show; the last output is none of the data's concepts."""

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """Return the penultimate layer, shape (n, features)."""

    @abstractmethod
    def classify(self, features: Tensor) -> Tensor:
        """Return the logits, shape (n, concepts and neither); features that are not finite say "neither"."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, shape (n, concepts and neither)."""
        return self.classify(self.features(images))


class ConceptClassifier(Judge):
    """Three convolutions and two linear layers, from images (n, channels, height, width) to concepts.

    The last output is none of the data's concepts: "neither". Pixels that are not finite are neither, too.

    Args:
        channels: colour channels.
        concepts: number of outputs: the data's concepts and "neither".
        width: feature maps of the first layer.
        features: dimension of the penultimate layer.
    """

    def __init__(self, channels: int, concepts: int, width: int = 32, features: int = 64) -> None:
        super().__init__()
        self.config = {"channels": channels, "concepts": concepts, "width": width, "features": features}
        self.body = nn.Sequential(
            *_convolution(channels, width, stride=1),
            *_convolution(width, 2 * width, stride=2),
            *_convolution(2 * width, 2 * width, stride=1),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(2 * width * 16, features),
            nn.ReLU(),
        )
        self.head = nn.Linear(features, concepts)

    def features(self, images: Tensor) -> Tensor:
        """See ``Judge.features``."""
        return self.body(images)

    def classify(self, features: Tensor) -> Tensor:
        """See ``Judge.classify``."""
        logits = self.head(features)
        broken = ~logits.isfinite().all(1, keepdim=True)
        neither = torch.zeros_like(logits)
        neither[:, -1] = SURE
        return torch.where(broken, neither, logits)

    def save(self, folder: Path) -> None:
        """Write the weights and the sizes into an existing folder."""
        save_file(self.state_dict(), folder / WEIGHTS)
        write_json(folder / CONFIG, self.config)

    @classmethod
    def load(cls, folder: Path) -> ConceptClassifier:
        """Read what ``save`` wrote; the network is in eval mode."""
        model = cls(**json.loads((folder / CONFIG).read_text(encoding="utf-8")))
        model.load_state_dict(load_file(folder / WEIGHTS))
        return model.eval()


def concept_set(data: UnlearningData) -> LabelledSet:
    """Return retain and forget examples labelled by what they show: retain examples their class.

    Forget examples show what ``data.forget_shows`` says, or else the one concept after the classes.

    Raises:
        UserError: when the data name other concepts than these.
    """
    shown = data.shown_by_forget
    if len(data.concepts) != (known := int(shown.max()) + 1):
        raise UserError(
            f"{data.name!r} names {len(data.concepts)} concepts for {data.num_classes} classes and what is to be "
            f"forgotten; name {known}."
        )
    return LabelledSet(
        torch.cat([data.retain.inputs, data.forget.inputs]), torch.cat([data.retain.labels, shown])
    )


@torch.enable_grad()
def train_concepts(examples: LabelledSet, concepts: int, recipe: ConceptRecipe) -> ConceptClassifier:
    """Train a classifier on the CPU, on one thread, with a progress bar on stderr; returned in eval mode.

    Args:
        examples: images and the number of the concept that each shows.
        concepts: number of concepts; "neither" comes after them.
        recipe: how.
    """
    with seeded_weights(recipe.seed):
        model = ConceptClassifier(examples.inputs.shape[1], concepts + 1, recipe.width, recipe.features)
    generator = torch.Generator().manual_seed(recipe.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate)
    decay = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: (1 + math.cos(math.pi * step / recipe.steps)) / 2
    )
    shown = recipe.batch_size
    with one_thread():
        for _ in tqdm(
            range(recipe.steps), desc="training the concept classifier", unit="step", mininterval=0.5
        ):
            rows = torch.randint(len(examples), (shown + recipe.outliers,), generator=generator)
            labels = examples.labels[rows].clone()
            labels[shown:] = concepts
            # outliers are moved and get noise like the others, so that neither gives them away
            images = _moved(examples.inputs[rows], recipe, generator)
            images[shown:] = draw_outliers(images[shown:], generator)
            optimizer.zero_grad()
            cross_entropy(model(_noisy(images, recipe, generator)), labels).backward()
            optimizer.step()
            decay.step()
    return model.eval()


def _convolution(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


def _moved(images: Tensor, recipe: ConceptRecipe, generator: torch.Generator) -> Tensor:
    """Rotate and shift each image a little (black moves in)."""
    n = len(images)
    angle = math.radians(recipe.angle) * (2 * torch.rand(n, generator=generator) - 1)
    shift = 2 * recipe.shift * (2 * torch.rand(n, 2, generator=generator) - 1)
    cos, sin = angle.cos(), angle.sin()
    theta = torch.stack(
        [torch.stack([cos, -sin, shift[:, 0]], 1), torch.stack([sin, cos, shift[:, 1]], 1)], 1
    )
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    return grid_sample(images + 1, grid, align_corners=False) - 1


def _noisy(images: Tensor, recipe: ConceptRecipe, generator: torch.Generator) -> Tensor:
    """Add noise, of another level to each image."""
    level = recipe.noise * torch.rand(len(images), 1, 1, 1, generator=generator)
    return images + level * torch.randn(images.shape, generator=generator)
