"""VGG-16 with BatchNorm (Simonyan & Zisserman 2015, arXiv 1409.1556, table 1, column D), fitted to 32×32.

The layout is that of the public CIFAR models of chenyaofo/pytorch-cifar-models, which state 15.30 M
parameters for 100 classes: 13 convolutions, and hidden linear layers of 512 in place of ImageNet's 4096.
"""

from __future__ import annotations

from torch import Tensor, nn

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Feature maps and convolutions of each stage; a 2×2 max pooling follows each."""

HIDDEN = 512


class VGG16BN(nn.Module):
    """Thirteen 3×3 convolutions with BatchNorm and three linear layers.

    There is no dropout between the linear layers: it would draw from the global generator at every step, and
    BatchNorm regularises already.

    Args:
        channels: colour channels.
        num_classes: number of logits.
    """

    def __init__(self, channels: int = 3, num_classes: int = 100) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = channels
        for width, convolutions in STAGES:
            for _ in range(convolutions):
                layers += [nn.Conv2d(inputs, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                inputs = width
            layers.append(nn.MaxPool2d(2))
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Sequential(
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, num_classes),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, shape (n, num_classes), of images of at least 32×32 pixels."""
        return self.head(self.body(images))
