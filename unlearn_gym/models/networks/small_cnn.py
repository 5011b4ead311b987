"""A small convolutional network with BatchNorm for the 8×8 digits."""

from __future__ import annotations

from torch import Tensor, nn


def _convolution(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]


class SmallCNN(nn.Module):
    """Three convolutions, global average pooling, one linear layer; 32,050 parameters for the digits.

    Args:
        channels: colour channels.
        num_classes: number of logits.
        width: feature maps of the first layer, doubled where the resolution is halved.
    """

    def __init__(self, channels: int = 1, num_classes: int = 10, width: int = 24) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(channels, width, stride=1),
            *_convolution(width, 2 * width, stride=2),
            *_convolution(2 * width, 2 * width, stride=1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(2 * width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, shape (n, num_classes), of images (n, channels, height, width)."""
        return self.head(self.body(images))
