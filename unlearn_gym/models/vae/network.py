"""A class-conditional variational autoencoder of grey images (Kingma & Welling 2014; Sohn et al. 2015)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import one_hot

from unlearn_gym.storage.files import atomic_directory, write_json

WEIGHTS = "model.safetensors"
CONFIG = "config.json"


@dataclass(frozen=True)
class Decoded:
    """What a pass through a VAE gives of n images.

    Attributes:
        logits: of the grey values under p(y | z, c), shape (n, D).
        mean: of the posterior q(z | y, c), shape (n, latent), and
        log_variance: log v of it.
    """

    logits: Tensor
    mean: Tensor
    log_variance: Tensor


class VAE(nn.Module):
    """Two perceptrons with ReLU: q(z | y, c) = N(μ, diag v), p(z) = N(0, I), p(y | z, c) Bernoulli for each pixel.

    The one-hot label c is appended to the grey values y in [0, 1] and to the code z.

    Args:
        shape: of an image, (channels, height, width); D numbers in all.
        num_classes: labels.
        hidden: widths of the encoder's layers; the decoder has them in reverse.
        latent: dimension of z.
    """

    def __init__(
        self, shape: Sequence[int], num_classes: int, hidden: Sequence[int] = (256, 128), latent: int = 8
    ) -> None:
        super().__init__()
        self.config = {
            "shape": list(shape),
            "num_classes": num_classes,
            "hidden": list(hidden),
            "latent": latent,
        }
        self.shape, self.num_classes, self.latent = tuple(shape), num_classes, latent
        self.pixels = math.prod(shape)
        self.encoder = _perceptron(self.pixels + num_classes, *hidden, 2 * latent)
        self.decoder = _perceptron(latent + num_classes, *reversed(hidden), self.pixels)

    def forward(
        self,
        images: Tensor,
        labels: Tensor,
        noise: Tensor,
        codes: Tensor | None = None,
        fixed: Tensor | None = None,
    ) -> Decoded:
        """Encode images, draw a code z = μ + √v·ξ of each, and decode it.

        Args:
            images: shape (n, channels, height, width) in [-1, 1].
            labels: int64 of shape (n,).
            noise: ξ, shape (n, latent).
            codes: decoded in the place of the image's own where ``fixed``, shape (n, latent).
            fixed: shape (n,).
        """
        mean, log_variance = self.encode(images, labels)
        own = mean + (log_variance / 2).exp() * noise
        if codes is not None and fixed is not None:
            own = torch.where(fixed.unsqueeze(1), codes, own)
        return Decoded(self.decode(own, labels), mean, log_variance)

    def encode(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return μ and log v of q(z | y, c), each (n, latent), for images in [-1, 1]."""
        mean, log_variance = self.encoder(self._with_label(grey_values(images), labels)).chunk(2, 1)
        return mean, log_variance

    def decode(self, codes: Tensor, labels: Tensor) -> Tensor:
        """Return the logits of the grey values, (n, D), for codes (n, latent)."""
        return self.decoder(self._with_label(codes, labels))

    @torch.no_grad()
    def sample(self, labels: Tensor, noise: Tensor) -> Tensor:
        """Return the decoder's means for codes z = ``noise`` of the prior; the encoder plays no part.

        Args:
            labels: int64 of shape (n,).
            noise: standard normal, shape (n, latent).

        Returns:
            Images in [-1, 1], shape (n, channels, height, width).
        """
        return self.as_images(self.decode(noise, labels).sigmoid())

    def as_images(self, grey: Tensor) -> Tensor:
        """Return images in [-1, 1] of grey values in [0, 1], (n, D)."""
        return (2 * grey - 1).unflatten(1, self.shape)

    def _with_label(self, values: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([values, one_hot(labels, self.num_classes).to(values)], 1)

    def save(self, folder: Path) -> None:
        """Write the weights, in float32, and the sizes into an existing folder."""
        weights = {name: w.detach().cpu().float().contiguous() for name, w in self.state_dict().items()}
        save_file(weights, folder / WEIGHTS)
        write_json(folder / CONFIG, self.config)

    def save_pretrained(self, path: str | Path) -> None:
        """Write a folder of ``model.safetensors`` and ``config.json``, whole or not at all."""
        with atomic_directory(path) as folder:
            self.save(folder)

    @classmethod
    def load(cls, folder: str | Path) -> VAE:
        """Read what ``save_pretrained`` or ``save`` wrote; the network is in eval mode."""
        model = cls(**json.loads((Path(folder) / CONFIG).read_text(encoding="utf-8")))
        model.load_state_dict(load_file(Path(folder) / WEIGHTS))
        return model.eval()


def grey_values(images: Tensor) -> Tensor:
    """Return y in [0, 1], shape (n, D), of images in [-1, 1]."""
    return (images.flatten(1) + 1) / 2


def _perceptron(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
