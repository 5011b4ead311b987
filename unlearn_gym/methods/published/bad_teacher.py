"""Two teachers: the original model for what is kept, a random one for what is forgotten."""

from __future__ import annotations

from torch import Tensor, nn

from unlearn_gym.methods.base import Batch, Batches, LossMethod
from unlearn_gym.methods.distillation import divergence, frozen_copy, random_copy


class BadTeacher(LossMethod):
    """KL(original ‖ student) on the retain set + KL(random net ‖ student) on the forget set.

    Chundawat et al. 2023, "Can Bad Teaching Induce Forgetting?" (arXiv 2205.08096): both teachers are frozen,
    the temperature is 1 and the two sides weigh the same, as in the paper.
    """

    def _look(self, model: nn.Module, retain_batches: Batches, forget_batches: Batches) -> None:
        self._original, self._random = frozen_copy(model), random_copy(model)

    def loss(self, model: nn.Module, retain_batch: Batch, forget_batch: Batch) -> Tensor:
        """Return the sum of the two divergences."""
        kept, forgotten = retain_batch[0], forget_batch[0]
        return divergence(self._original, model(kept), kept) + divergence(
            self._random, model(forgotten), forgotten
        )
