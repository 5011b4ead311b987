"""SCRUB: away from the teacher on the forget set, close to it on the retain set."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from unlearn_gym.errors import UserError
from unlearn_gym.methods.base import Batch, Batches, LossMethod
from unlearn_gym.methods.distillation import divergence, frozen_copy


class Scrub(LossMethod):
    """Max-steps −KL(teacher ‖ student) on the forget set, min-steps α·KL + γ·CE on the retain set.

    Kurmanji et al. 2023, "Towards Unbounded Machine Unlearning" (arXiv 2302.09880); α = 0.01, γ = 0.99, T = 4
    with the factor T² and two epochs with max-steps are from the paper's appendix and its public code. There
    an epoch of max-steps comes before one of min-steps; here every step gets both minibatches, and in the
    first two epochs makes a max-step and then a min-step, each one optimizer update. Max-steps have no bound: the
    hundreds of them in two long epochs can wreck a network beyond what min-steps repair (docs/class_unlearning.md).

    Args:
        alpha: weight of the teacher in min-steps.
        gamma: weight of the labels in min-steps.
        temperature: of teacher and student, T.
        max_epochs: epochs with max-steps.
    """

    def __init__(
        self, alpha: float = 0.01, gamma: float = 0.99, temperature: float = 4.0, max_epochs: int = 2
    ) -> None:
        if not temperature > 0:
            raise UserError(f"scrub was given temperature={temperature}; choose a positive one, such as 4.")
        self.alpha, self.gamma = alpha, gamma
        self.temperature, self.max_epochs = temperature, max_epochs

    def _look(self, model: nn.Module, retain_batches: Batches, forget_batches: Batches) -> None:
        self._teacher = frozen_copy(model)

    def unlearn_step(
        self,
        model: nn.Module,
        retain_batch: Batch,
        forget_batch: Batch,
        optimizer: Optimizer,
        step: int,
        epoch: int,
    ) -> dict[str, Any]:
        """Make a max-step in the early epochs, and a min-step; ``loss`` is the min-step's."""
        self._be_prepared(model, retain_batch, forget_batch)
        result: dict[str, Any] = {}
        if epoch < self.max_epochs:
            pushed = -self._distance(model, forget_batch[0])
            self.descend(pushed, model, optimizer)
            result["max_loss"] = float(pushed.detach())
        return super().unlearn_step(model, retain_batch, forget_batch, optimizer, step, epoch) | result

    def loss(self, model: nn.Module, retain_batch: Batch, forget_batch: Batch) -> Tensor:
        """Return the loss of a min-step."""
        images, labels = retain_batch
        logits = model(images)
        near = divergence(self._teacher, logits, images, self.temperature)
        return self.alpha * near + self.gamma * cross_entropy(logits, labels)

    def _distance(self, model: nn.Module, images: Tensor) -> Tensor:
        return divergence(self._teacher, model(images), images, self.temperature)
