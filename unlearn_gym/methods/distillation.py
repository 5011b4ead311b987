"""What teachers need: copies that do not learn, fresh copies, and the distance to them."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax


def frozen_copy(model: nn.Module) -> nn.Module:
    """Return the model as it is now, in eval mode and without gradients."""
    return copy.deepcopy(model).eval().requires_grad_(False)


def random_copy(model: nn.Module) -> nn.Module:
    """Return a network of the same shape with PyTorch's default initial weights, frozen.

    The draws come from the global generator (see ``UnlearningMethod``).
    """
    fresh = copy.deepcopy(model)
    for module in fresh.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
    return fresh.eval().requires_grad_(False)


def divergence(
    teacher: nn.Module, student_logits: Tensor, images: Tensor, temperature: float = 1.0
) -> Tensor:
    """Return KL(teacher ‖ student) at a temperature, averaged over the images and times temperature²."""
    with torch.no_grad():
        target = log_softmax(teacher(images) / temperature, dim=1)
    own = log_softmax(student_logits / temperature, dim=1)
    return kl_div(own, target, reduction="batchmean", log_target=True) * temperature**2
