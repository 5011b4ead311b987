"""The contract of an update rule: the class-unlearning benchmark's own interface."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Optimizer

from unlearn_gym.models.modes import eval_mode

Batch = tuple[Tensor, Tensor]
"""Images (n, channels, height, width) and int64 labels (n,), on the model's device."""

Batches = Iterable[Batch]
"""A set in minibatches, in its order."""


class UnlearningMethod(ABC):
    """An update rule. A file written for the benchmark needs ``unlearn_step`` only, and no base class.

    Random draws may come from torch's global generator: the harness seeds it for the run and puts it back.
    """

    _prepared = False

    def prepare(self, model: nn.Module, retain_batches: Batches, forget_batches: Batches) -> None:
        """Look at the original model and once through both sets, before the first step.

        The harness calls it where a method has it. In a harness that does not, the first step's two
        minibatches take the place of the two sets.

        Args:
            model: the original model; it must be left as it is.
            retain_batches: the retain set in minibatches.
            forget_batches: the forget set in minibatches.
        """
        self._look(model, retain_batches, forget_batches)
        self._prepared = True

    def _look(self, model: nn.Module, retain_batches: Batches, forget_batches: Batches) -> None:  # noqa: B027
        """Remember whatever the rule needs of the original model; nothing by default."""

    def _be_prepared(self, model: nn.Module, retain_batch: Batch, forget_batch: Batch) -> None:
        """Let two minibatches stand for the sets where the harness did not call ``prepare``."""
        if not self._prepared:
            self.prepare(model, [retain_batch], [forget_batch])

    @abstractmethod
    def unlearn_step(
        self,
        model: nn.Module,
        retain_batch: Batch,
        forget_batch: Batch,
        optimizer: Optimizer,
        step: int,
        epoch: int,
    ) -> dict[str, Any]:
        """Change the model by one step.

        Args:
            model: in training mode, changed in place.
            retain_batch: one minibatch to keep.
            forget_batch: one minibatch to forget.
            optimizer: over all parameters of the model; the same one at every step.
            step: steps made since the start, from 0.
            epoch: epochs finished since the start, from 0.

        Returns:
            At least ``{"loss": float}``.
        """


class LossMethod(UnlearningMethod):
    """A rule that descends one loss by one optimizer update a step."""

    @abstractmethod
    def loss(self, model: nn.Module, retain_batch: Batch, forget_batch: Batch) -> Tensor:
        """Return the scalar to be descended."""

    def unlearn_step(
        self,
        model: nn.Module,
        retain_batch: Batch,
        forget_batch: Batch,
        optimizer: Optimizer,
        step: int,
        epoch: int,
    ) -> dict[str, Any]:
        """See ``UnlearningMethod.unlearn_step``."""
        self._be_prepared(model, retain_batch, forget_batch)
        loss = self.loss(model, retain_batch, forget_batch)
        self.descend(loss, model, optimizer)
        return {"loss": float(loss.detach())}

    def descend(self, loss: Tensor, model: nn.Module, optimizer: Optimizer) -> None:
        """Make one update of ``model`` along the loss's gradient."""
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


class OnceMethod(UnlearningMethod):
    """A rule that changes the weights in its first step, without the optimizer, and leaves the model alone after it."""

    @abstractmethod
    def change(self, model: nn.Module) -> dict[str, Any]:
        """Change the weights in place and return what is to be told beside the loss."""

    def unlearn_step(
        self,
        model: nn.Module,
        retain_batch: Batch,
        forget_batch: Batch,
        optimizer: Optimizer,
        step: int,
        epoch: int,
    ) -> dict[str, Any]:
        """Act in the first step; ``loss`` is the retain minibatch's cross entropy after it, at every step."""
        if step == 0:
            self._be_prepared(model, retain_batch, forget_batch)
            told = self.change(model)
            images, labels = retain_batch
            with eval_mode(model), torch.no_grad():
                self._told = {"loss": float(cross_entropy(model(images), labels))} | told
        return dict(self._told)
