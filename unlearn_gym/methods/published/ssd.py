"""Selective synaptic dampening: no training, one multiplication of the weights."""

from __future__ import annotations

from typing import Any

from torch import nn

from unlearn_gym.methods.base import Batches, OnceMethod
from unlearn_gym.methods.published.importance import squared_gradients
from unlearn_gym.models.modes import eval_mode
from unlearn_gym.processes.common.dampening import dampen


class SSD(OnceMethod):
    """Shrink the weights that matter much more for the forget set than for the whole training set.

    Foster et al. 2024, "Fast Machine Unlearning Without Retraining Through Selective Synaptic Dampening"
    (arXiv 2308.07707), a = 10 and b = 1 as in its class-forgetting experiments. The importance F of a weight
    is the mean over minibatches of the squared gradient of their mean loss, as in its public code (a diagonal
    Fisher matrix when a minibatch is one example). Where F_forget > a·F_train, θ is multiplied by
    min(b·F_train/F_forget, 1).

    The training set holds the forget set, so that F_forget/F_train is at most the inverse of its share: with
    one class of ten forgotten, a = 10 selects next to nothing, and only a smaller one (``ssd:2``) does.

    In the step interface: ``prepare`` measures both importances on the original model, the first step dampens.

    Args:
        a: how many times more important a weight must be for the forget set to be dampened.
        b: how weakly it is dampened.
    """

    def __init__(self, a: float = 10.0, b: float = 1.0) -> None:
        self.a, self.b = a, b

    def _look(self, model: nn.Module, retain_batches: Batches, forget_batches: Batches) -> None:
        with eval_mode(model):
            retain, retain_count = squared_gradients(model, retain_batches)
            forget, forget_count = squared_gradients(model, forget_batches)
        both = retain_count + forget_count
        self.train_importance = [(r + f) / both for r, f in zip(retain, forget, strict=True)]
        self.forget_importance = [f / forget_count for f in forget]

    def change(self, model: nn.Module) -> dict[str, Any]:
        """Dampen, and tell which share of the weights was selected."""
        weights = list(model.parameters())
        return {"dampened": dampen(weights, self.train_importance, self.forget_importance, self.a, self.b)}
