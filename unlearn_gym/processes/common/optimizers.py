"""The optimizers an unlearning process can use, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer

from unlearn_gym.errors import UserError


class SignSGD(Optimizer):
    """θ ← θ − lr·sign(gradient) (Bernstein et al. 2018, arXiv 1802.04434)."""

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Apply one update."""
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            signs: list[Tensor] = [p.grad.sign() for p in moved]
            torch._foreach_add_(moved, signs, alpha=-group["lr"])


class SignAdam(Optimizer):
    """θ ← θ − lr·sign(m), m the exponential mean of the gradients with β₁ = 0.9: Adam without its sizes.

    An optimizer of a lower grade, in the words of arXiv 2510.00761, which expects forgetting to last longer under one.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, beta: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "beta": beta})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Apply one update."""
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                mean.lerp_(p.grad, 1.0 - group["beta"])
                p.sub_(mean.sign(), alpha=group["lr"])


OPTIMIZERS: dict[str, Callable[[list[Tensor], float], Optimizer]] = {
    "adam": lambda params, lr: Adam(params, lr, fused=True),
    "adamw": lambda params, lr: AdamW(params, lr, betas=(0.95, 0.999), weight_decay=1e-6, fused=True),
    "sgd": lambda params, lr: SGD(params, lr, fused=True),
    "signsgd": SignSGD,
    "signadam": SignAdam,
}
"""Name → function of the parameters and the learning rate. AdamW's settings are those of the SISS authors."""


def make_optimizer(name: str, params: list[Tensor], learning_rate: float) -> Optimizer:
    """Return the optimizer registered under ``name``."""
    if name not in OPTIMIZERS:
        raise UserError(f"optimizer={name!r} is not known; choose one of {', '.join(sorted(OPTIMIZERS))}.")
    if not learning_rate > 0:
        raise UserError(
            f"learning_rate={learning_rate} is not positive; give a number above 0, such as 1e-4."
        )
    return OPTIMIZERS[name](params, learning_rate)
