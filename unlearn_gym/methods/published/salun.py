"""SalUn: random labels for the forget set, learned by the salient weights only."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from unlearn_gym.errors import UserError
from unlearn_gym.methods.base import Batch, Batches, LossMethod
from unlearn_gym.methods.published.importance import loss_gradient
from unlearn_gym.models.modes import eval_mode


class SalUn(LossMethod):
    """CE on the forget set under random labels + CE on the retain set, through a mask of salient weights.

    Fan et al. 2024, "SalUn" (arXiv 2310.12508). Salient are the weights with the largest |∇ forget loss| at
    the original weights, the top half of all as in the paper's default; a random label is any but the true
    one, and both terms weigh the same. The gradients of all other weights are set to zero, so that Adam
    leaves them where they are.

    Args:
        share: share of the weights that may move.
    """

    def __init__(self, share: float = 0.5) -> None:
        if not 0 < share <= 1:
            raise UserError(
                f"salun was given share={share}; choose a share of the weights above 0 and up to 1."
            )
        self.share = share

    def _look(self, model: nn.Module, retain_batches: Batches, forget_batches: Batches) -> None:
        total = [torch.zeros_like(p) for p in model.parameters()]
        with eval_mode(model):
            for batch in forget_batches:
                torch._foreach_add_(total, loss_gradient(model, batch))
        self.mask = top_share([gradient.abs() for gradient in total], self.share)

    def loss(self, model: nn.Module, retain_batch: Batch, forget_batch: Batch) -> Tensor:
        """Return the sum of the two cross entropies."""
        images, labels = forget_batch
        logits = model(images)
        classes = logits.shape[1]
        offset = torch.randint(1, classes, labels.shape, device=labels.device)
        kept_images, kept_labels = retain_batch
        return cross_entropy(logits, (labels + offset) % classes) + cross_entropy(
            model(kept_images), kept_labels
        )

    def descend(self, loss: Tensor, model: nn.Module, optimizer: Optimizer) -> None:
        """Make one update of the salient weights."""
        optimizer.zero_grad()
        loss.backward()
        for parameter, mask in zip(model.parameters(), self.mask, strict=True):
            if parameter.grad is not None:
                parameter.grad.mul_(mask)
        optimizer.step()


def top_share(saliency: list[Tensor], share: float) -> list[Tensor]:
    """Return 1 where a number is among the largest ``share`` of all numbers of all tensors, else 0."""
    flat = torch.cat([tensor.flatten() for tensor in saliency])
    chosen = torch.zeros_like(flat)
    chosen[flat.topk(round(share * len(flat))).indices] = 1
    parts = chosen.split([tensor.numel() for tensor in saliency])
    return [part.view_as(tensor) for part, tensor in zip(parts, saliency, strict=True)]
