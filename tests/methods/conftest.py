"""A tiny classification problem: three Gaussian classes in the plane, the first to be forgotten."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

Batch = tuple[Tensor, Tensor]


@pytest.fixture
def batches() -> tuple[Batch, Batch]:
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[2.0, 0.0], [-1.0, 1.7], [-1.0, -1.7]])
    labels = torch.arange(3).repeat_interleave(40)
    points = centres[labels] + 0.5 * torch.randn(120, 2, generator=generator)
    return (points[40:], labels[40:]), (points[:40], labels[:40])


@pytest.fixture
def model(batches) -> nn.Module:
    """Trained on all three classes."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    points, labels = (torch.cat(pair) for pair in zip(*batches, strict=True))
    for _ in range(60):
        optimizer.zero_grad()
        cross_entropy(net(points), labels).backward()
        optimizer.step()
    return net
