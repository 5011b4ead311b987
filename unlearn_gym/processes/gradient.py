"""The common part of all processes that move a network's weights by λ-weighted gradients."""

from __future__ import annotations

import copy
import functools
import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn
from torch.nn.parameter import is_lazy

from unlearn_gym.errors import UserError
from unlearn_gym.objectives.base import Combination, Draw, Objective, Parts, Weights
from unlearn_gym.processes.banks import choose
from unlearn_gym.processes.base import LAMBDA_0, Process, Signals, Update
from unlearn_gym.processes.flat import are_views, flatten_, trained
from unlearn_gym.processes.measurement import Bank, Sides
from unlearn_gym.processes.optimizers import make_optimizer
from unlearn_gym.processes.tape import trained_layers

STATES = ("fresh", "lagged")
UNKNOWN = Signals(0.0, 0.0, 0.0, 0.0)
"""What a lagged state shows before the first update."""


class GradientProcess(Process):
    """One optimizer update of ``model`` per step, from two gradients that an objective weighs and combines.

    Subclasses draw minibatches and say what the errors of a minibatch are.

    Args:
        model: the network to unlearn; it is moved to ``device`` and ``dtype`` and changed in place.
        objective: see ``unlearn_gym.objectives``.
        batch_size: images per update, half of them from each set.
        optimizer: a name in ``OPTIMIZERS``.
        learning_rate: step size.
        max_grad_norm: the combined gradient is clipped to this L2 norm.
        state: "fresh" measures the next minibatch under the new weights, "lagged" reports the side gradients
            that the last update computed anyway.
        grad_norms: False leaves the two norms out of the computation and reports 0.
        device: where to compute.
        dtype: floating-point type of weights and data.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        *,
        batch_size: int,
        optimizer: str,
        learning_rate: float,
        max_grad_norm: float,
        state: str,
        grad_norms: bool,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        if state not in STATES:
            raise UserError(f"state={state!r} is not known; choose fresh or lagged.")
        if batch_size < 2 or batch_size % 2:
            raise UserError(f"batch_size={batch_size} has no halves; give an even number of at least 2.")
        if not max_grad_norm > 0:
            raise UserError(f"max_grad_norm={max_grad_norm} is not positive; give a number above 0 or inf.")
        _check_weights(model)
        self.device, self.dtype = device, dtype
        self.model = nn.Module.to(model, device=device, dtype=dtype)
        self.objective, self.pairs = objective, batch_size // 2
        self.max_grad_norm = max_grad_norm
        self.fresh, self.grad_norms = state == "fresh", grad_norms
        self._parameters = trained(self.model)
        self._weights = flatten_(self._parameters)
        self._tensors = [self._weights, *self.model.buffers()]
        self._original = [t.detach().clone() for t in self._tensors]
        self._last = self._original[0].clone()
        self._make_optimizer = lambda: make_optimizer(optimizer, [self._weights], learning_rate)
        self._optimizer = self._make_optimizer()
        self.generator = Generator()
        self._lambda = LAMBDA_0
        self._signals = UNKNOWN
        self._coupled = False
        self._bank: Bank | None = None
        self._new_bank: Callable[[], Bank] | None = None

    @abstractmethod
    def draw_batch(self) -> None:
        """Draw the next minibatch from ``self.generator``."""

    @abstractmethod
    def reset_stream(self) -> None:
        """Forget the current order of the data; the generator was seeded anew."""

    @property
    @abstractmethod
    def draw(self) -> Draw:
        """The mixture numbers of the current minibatch."""

    @abstractmethod
    def errors(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the errors of the given latents towards the retain and the forget target, each (r,)."""

    def reset(self, rng: np.random.Generator) -> Signals:
        """See ``Process.reset``."""
        with torch.no_grad():
            torch._foreach_copy_(self._tensors, self._original)
            self._last.copy_(self._weights)
        self._optimizer = self._make_optimizer()
        self.generator.manual_seed(int(rng.integers(2**63)))
        self.reset_stream()
        self._lambda, self._signals = LAMBDA_0, UNKNOWN
        self._next_batch()
        return self.observe()

    def _next_batch(self) -> None:
        self.draw_batch()
        self._bank = None

    def _open_bank(self) -> Bank:
        if self._new_bank is None:
            bank = (self.errors, self._parameters, self.pairs)
            kind = choose(self.model, *bank, reweighed=self.objective.reweighs, together=self._coupled)
            self._new_bank = functools.partial(kind, *bank, trained_layers(self.model))
        return self._new_bank()

    def observe(self) -> Signals:
        """See ``Process.observe``."""
        if self.fresh and self._bank is None:
            self._bank = self._open_bank()
            self._signals = self._measure(self._bank)
        return self._signals

    def _measure(self, bank: Bank) -> Signals:
        norms = [torch.zeros((), device=self.device, dtype=self.dtype)] * 2
        if self.grad_norms:
            sides = bank.observe(functools.partial(self.objective.weights, draw=self.draw), self._lambda)
            norms = [sides.retain.norm() / self.pairs, sides.forget.norm() / self.pairs]
        else:
            bank.look()
        retain, forget = bank.retain_errors[: self.pairs].mean(), bank.forget_errors[self.pairs :].mean()
        return Signals(*_numbers(retain, forget, *norms))

    def update(self, lam: float) -> Update:
        """See ``Process.update``.

        Raises:
            UserError: if the network's parameters were replaced or frozen, so that an update would no longer move
                it, or if it cannot be passed.
        """
        if not all(p.requires_grad for p in self._parameters):
            raise UserError(
                "Weights of the network were frozen after its environment was made; set requires_grad before."
            )
        if not are_views(self._parameters, self._weights):
            raise UserError(
                "The network's parameters were replaced since its environment was made (by module.to or "
                "load_state_dict with assign=True, for instance); change them in place, or work on a copy."
            )
        self.observe()
        bank = self._bank or self._open_bank()
        weights = self.objective.weights(lam, self.draw)
        if self.grad_norms or self.objective.needs_norms or self.objective.needs_dot:
            sides = bank.weigh(weights)
            parts = self._parts(lam, bank, weights, sides)
            found = self.objective.combine(lam, parts)
            direction = sides.retain * (found.c_retain / self.pairs)
            direction.add_(sides.forget, alpha=found.c_forget / self.pairs)
        else:
            direction, parts, found = self._descent(lam, bank, weights)
        loss = found.retain_term + found.forget_term
        finite = self._descend(direction) if math.isfinite(loss) else False
        if not self.fresh:
            norms = (parts.retain_norm, parts.forget_norm) if self.grad_norms else (0.0, 0.0)
            self._signals = Signals(parts.retain, parts.forget, *norms)
        self._lambda = lam
        self._next_batch()
        return Update(
            loss,
            found.retain_term,
            found.forget_term,
            found.dloss_dlambda,
            found.dvariance_dlambda,
            diverged=not finite,
        )

    def _descent(self, lam: float, bank: Bank, weights: Weights) -> tuple[Tensor, Parts, Combination]:
        """Make the update's direction in one pass: nothing depends on the two gradients apart."""
        known: list[tuple[Parts, Combination]] = []

        def coefficients() -> tuple[float, float]:
            parts = self._parts(lam, bank, weights, None)
            found = self.objective.combine(lam, parts)
            known.append((parts, found))
            return found.c_retain / self.pairs, found.c_forget / self.pairs

        direction = bank.descend(weights, coefficients)
        return direction, *known[0]

    def _parts(self, lam: float, bank: Bank, weights: Weights, sides: Sides | None) -> Parts:
        rows_retain = self._pairwise(weights.retain * bank.retain_errors)
        rows_forget = self._pairwise(weights.forget * bank.forget_errors)
        norms = [torch.zeros_like(rows_retain[0])] * 3
        if sides:
            dot = sides.retain.dot(sides.forget) if self.objective.needs_dot else norms[2]
            norms = [sides.retain.norm(), sides.forget.norm(), dot / self.pairs]
        means = rows_retain.mean(), rows_forget.mean()
        retain, forget, *sizes = _numbers(*means, *(number / self.pairs for number in norms))
        score = self.objective.score(lam, self.draw)
        return Parts(retain, forget, sizes[0], sizes[1], sizes[2], rows_retain, rows_forget, score)

    def _pairwise(self, rows: Tensor) -> Tensor:
        return rows[: self.pairs] + rows[self.pairs :]

    @torch.no_grad()
    def _descend(self, direction: Tensor) -> bool:
        """Clip, step, and go back to the last weights if the new ones are not finite; say whether they are."""
        size = float(direction.norm())
        if not math.isfinite(size):
            return False
        self._weights.grad = direction.mul_(min(1.0, self.max_grad_norm / (size + 1e-6)))
        self._last.copy_(self._weights)
        self._optimizer.step()
        if math.isfinite(float(self._weights.norm())):
            return True
        self.undo()
        return False

    @torch.no_grad()
    def undo(self) -> None:
        """See ``Process.undo``."""
        self._weights.copy_(self._last)
        self._bank = None

    def state_dict(self) -> dict[str, Any]:
        """See ``Process.state_dict``."""
        return {
            "tensors": [t.detach().clone() for t in self._tensors],
            "last": self._last.clone(),
            "optimizer": copy.deepcopy(self._optimizer.state_dict()),
            "generator": self.generator.get_state(),
            "lambda": self._lambda,
            "signals": vars(self._signals),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See ``Process.load_state_dict``."""
        with torch.no_grad():
            torch._foreach_copy_(self._tensors, [t.to(self.device) for t in state["tensors"]])
            self._last.copy_(state["last"])
        self._optimizer = self._make_optimizer()
        self._optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.generator.set_state(state["generator"])
        self._lambda, self._signals = state["lambda"], Signals(**state["signals"])
        self._bank = None


def _check_weights(model: nn.Module) -> None:
    """Refuse a network that has no weights to move, or whose weights move by themselves."""
    if any(map(is_lazy, [*model.parameters(), *model.buffers()])):
        raise UserError(
            "The network has lazy layers that were never passed, and so no weights yet; pass one batch through it."
        )
    if not trained(model):
        raise UserError(
            "The network has no trainable weights, so that nothing can be unlearned; set requires_grad=True on "
            "those that may move."
        )
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Embedding | nn.EmbeddingBag) and layer.max_norm is not None:
            raise UserError(
                f"The network's {type(layer).__name__} {name or '(the network itself)'} has "
                f"max_norm={layer.max_norm:g}, so that measuring it would move its weights; set its max_norm to None."
            )


def _numbers(*scalars: Tensor) -> list[float]:
    """Fetch scalar tensors from the device in one transfer."""
    return torch.stack(scalars).tolist()
