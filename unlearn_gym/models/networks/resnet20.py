"""ResNet-20 for CIFAR (He et al. 2016, arXiv 1512.03385, section 4.2): 0.27 M parameters (their table 6)."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

WIDTHS = (16, 32, 64)
BLOCKS = 3


class BasicBlock(nn.Module):
    """Two 3×3 convolutions around a parameter-free shortcut (the paper's option A).

    Where the width grows, the shortcut takes every second pixel and fills the new feature maps with zeros.

    Args:
        inputs: feature maps that come in.
        outputs: feature maps that go out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stride, self.new = (1, 0) if inputs == outputs else (2, outputs - inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, self.stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, height, width) to (n, outputs, height/stride, width/stride)."""
        shortcut = pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new))
        inner = self.norm2(self.conv2(relu(self.norm1(self.conv1(x)))))
        return relu(inner + shortcut)


class ResNet20(nn.Module):
    """6n + 2 layers with n = 3: a convolution, three stages of three blocks, pooling, one linear layer.

    Args:
        channels: colour channels.
        num_classes: number of logits.
    """

    def __init__(self, channels: int = 3, num_classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, WIDTHS[0], 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(WIDTHS[0])
        widths = [WIDTHS[0], *(width for width in WIDTHS for _ in range(BLOCKS))]
        pairs = itertools.pairwise(widths)
        self.blocks = nn.Sequential(*(BasicBlock(inputs, outputs) for inputs, outputs in pairs))
        self.head = nn.Linear(WIDTHS[-1], num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, shape (n, num_classes), of images (n, channels, height, width)."""
        return self.head(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """Return what the last layer sees of images (n, channels, height, width), shape (n, 64)."""
        hidden = self.blocks(relu(self.norm(self.stem(images))))
        return torch.mean(hidden, dim=(2, 3))
