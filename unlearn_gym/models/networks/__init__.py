"""Classifiers by name. A new one is one file and one line in ``NETWORKS``."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from unlearn_gym.errors import UserError
from unlearn_gym.models.networks.mobilenetv2 import MobileNetV2
from unlearn_gym.models.networks.resnet20 import ResNet20
from unlearn_gym.models.networks.small_cnn import SmallCNN
from unlearn_gym.models.networks.vgg16bn import VGG16BN
from unlearn_gym.models.threads import seeded_weights

__all__ = ["NETWORKS", "VGG16BN", "MobileNetV2", "ResNet20", "SmallCNN", "make_network"]

NETWORKS: dict[str, Callable[[int, int], nn.Module]] = {
    "small_cnn": SmallCNN,
    "resnet20": ResNet20,
    "vgg16bn": VGG16BN,
    "mobilenetv2": MobileNetV2,
}
"""Name → class, called with the number of colour channels and of classes; it maps images to logits."""


def make_network(name: str, channels: int, num_classes: int, seed: int) -> nn.Module:
    """Return a freshly initialised network; the same from the same seed, on the CPU, in eval mode.

    Args:
        name: one of ``NETWORKS``.
        channels: colour channels of the images, 1 or 3.
        num_classes: number of logits.
        seed: of the weights.

    Raises:
        UserError: for an unknown name.
    """
    if name not in NETWORKS:
        raise UserError(f"There is no network {name!r}; choose one of {', '.join(sorted(NETWORKS))}.")
    with seeded_weights(seed):
        return NETWORKS[name](channels, num_classes).eval()
