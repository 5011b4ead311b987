"""MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381, table 2), fitted to 28×28 and 32×32 images.

The first convolution and the first widening stage keep the resolution, so that three halvings
remain (32 → 4). That changes no parameter count: 2,236,682 for 3 channels and 10 classes, which is
torchvision's 3,504,872 for 1,000 classes with the last layer exchanged, and the 2.24 M of the public CIFAR
models of chenyaofo/pytorch-cifar-models.
"""

from __future__ import annotations

from torch import Tensor, nn

STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion t, feature maps c, repeats n and stride s of each stage."""

STEM, LAST = 32, 1280


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU6(inplace=True)]


class InvertedResidual(nn.Module):
    """Widen by 1×1, filter each map by 3×3, narrow linearly by 1×1; added to the input where shapes agree.

    Args:
        inputs: feature maps that come in.
        outputs: feature maps that go out.
        stride: of the 3×3 filter.
        expansion: widening factor.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            *(_convolution(inputs, wide, 1) if expansion > 1 else []),
            *_convolution(wide, wide, 3, stride, groups=wide),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, height, width) to (n, outputs, height/stride, width/stride)."""
        return x + self.body(x) if self.residual else self.body(x)


class MobileNetV2(nn.Module):
    """Seventeen inverted residual blocks between two plain convolutions, average pooling, one linear layer.

    There is no dropout before the linear layer: it would draw from the global generator at every step.

    Args:
        channels: colour channels.
        num_classes: number of logits.
    """

    def __init__(self, channels: int = 1, num_classes: int = 10) -> None:
        super().__init__()
        layers, inputs = _convolution(channels, STEM, 3), STEM
        for expansion, width, repeats, stride in STAGES:
            for repeat in range(repeats):
                layers.append(InvertedResidual(inputs, width, stride if repeat == 0 else 1, expansion))
                inputs = width
        layers += [*_convolution(inputs, LAST, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(LAST, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, shape (n, num_classes), of images (n, channels, height, width)."""
        return self.head(self.body(images))
