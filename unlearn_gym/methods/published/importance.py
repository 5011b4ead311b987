"""How much the loss of a set of examples depends on each weight."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unlearn_gym.methods.base import Batch, Batches


def loss_gradient(model: nn.Module, batch: Batch) -> list[Tensor]:
    """Return the gradient of the batch's mean cross entropy, one tensor a parameter."""
    images, labels = batch
    parameters = list(model.parameters())
    loss = cross_entropy(model(images), labels)
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


def squared_gradients(model: nn.Module, batches: Batches) -> tuple[list[Tensor], int]:
    """Return the sum over minibatches of the squared gradient of their mean loss, and their number."""
    total, count = [torch.zeros_like(p) for p in model.parameters()], 0
    for batch in batches:
        gradient = loss_gradient(model, batch)
        torch._foreach_addcmul_(total, gradient, gradient)
        count += 1
    return total, count
