"""A classifier that comes with the package as the judge of what samples show."""

from __future__ import annotations

import math

import torch
from safetensors.torch import load_file
from torch import Tensor

from unlearn_gym.models.diffusion.concepts import SURE, WEIGHTS, Judge
from unlearn_gym.models.networks.resnet20 import ResNet20
from unlearn_gym.models.store import shipped
from unlearn_gym.models.threads import seeded_weights

LEAST = 0.5
"""Probability that the likeliest class must have; below it an image is called "neither"."""


class ClassJudge(Judge):
    """A network of classes that knows no "neither": that is said where no class has half of the probability.

    The largest probability is the usual first test for what a classifier was not taught (Hendrycks, Gimpel 2017,
    arXiv 1610.02136), and a weak one: it is often large on wrecked images, too. So a low "neither" proves nothing.

    Args:
        network: maps images in [-1, 1] to logits of classes.
    """

    def __init__(self, network: ResNet20) -> None:
        super().__init__()
        self.network = network

    def features(self, images: Tensor) -> Tensor:
        """See ``Judge.features``."""
        return self.network.features(images)

    def classify(self, features: Tensor) -> Tensor:
        """See ``Judge.classify``; the classes' logits are log probabilities, and "neither" has all of it or nothing."""
        classes = self.network.head(features).log_softmax(1)
        sure = classes.amax(1, keepdim=True) >= math.log(LEAST)  # not so where it is not a number
        known = classes.nan_to_num(nan=0.0, neginf=-SURE)
        return torch.cat([known, torch.where(sure, -SURE, SURE).to(known)], 1)


def shipped_judge(kind: str = "resnet20-cifar10-original", classes: int = 10) -> ClassJudge:
    """Return a ResNet-20 of the package as a judge, in eval mode on the CPU, whatever data are at hand.

    Args:
        kind: name of its folder without the key.
        classes: that it knows.
    """
    with seeded_weights(0):
        network = ResNet20(3, classes)
    network.load_state_dict(load_file(shipped(kind) / WEIGHTS))
    return ClassJudge(network).eval()
