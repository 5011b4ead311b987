"""The common part of all processes that move a network's weights by λ-weighted gradients."""

from __future__ import annotations

import contextlib
import copy
import functools
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from unlearn_gym.errors import UserError
from unlearn_gym.objectives.base import Draw, Objective, Parts, Weights
from unlearn_gym.processes.base import LAMBDA_0, Process, Signals, Update
from unlearn_gym.processes.common.checks import check_still_moved, check_weights
from unlearn_gym.processes.common.flat import flatten_, trained
from unlearn_gym.processes.common.masks import salient, share_of
from unlearn_gym.processes.common.optimizers import make_optimizer
from unlearn_gym.processes.common.originals import frozen_original
from unlearn_gym.processes.common.passes import gradient
from unlearn_gym.processes.common.step import clip_, lagged_signals, parts_of, signals_of, update_of
from unlearn_gym.processes.gradients.base import OnePass, SideGradients, Sides
from unlearn_gym.processes.gradients.choice import GRADIENTS, choose
from unlearn_gym.processes.gradients.record import trained_layers

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
        gradients: "auto" computes the two gradients in the fastest way that is right for the network, "direct" by
            plain autograd, the reference; see ``unlearn_gym.processes.gradients``.
        mask: "saliency:SHARE" moves only that share of the weights, those with the largest gradient of the forget
            loss before unlearning; None moves all.
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
        gradients: str = "auto",
        mask: str | None = None,
    ) -> None:
        if state not in STATES:
            raise UserError(f"state={state!r} is not known; choose fresh or lagged.")
        if gradients not in GRADIENTS:
            raise UserError(f"gradients={gradients!r} is not known; choose {' or '.join(GRADIENTS)}.")
        if not max_grad_norm > 0:
            raise UserError(f"max_grad_norm={max_grad_norm} is not positive; give a number above 0 or inf.")
        if mask is not None and optimizer == "adamw":
            raise UserError(
                "adamw moves masked weights by their decay; choose optimizer='adam', or leave mask= out."
            )
        check_weights(model)
        self.device, self.dtype = device, dtype
        self.model = nn.Module.to(model, device=device, dtype=dtype)
        self.objective = objective
        self.tells_cosine = objective.tells_cosine
        self.max_grad_norm, self.gradients = max_grad_norm, gradients
        self.share = None if mask is None else share_of(mask)
        self.fresh, self.grad_norms = state == "fresh", grad_norms
        self.parameters = trained(self.model)
        self._weights = flatten_(self.parameters)
        self._tensors = [self._weights, *self.model.buffers()]
        self.original = [t.detach().clone() for t in self._tensors]
        self._last = self.original[0].clone()
        self.pairs = 0
        self._new_gradients: Callable[[], SideGradients] | None = None
        self.set_budget(batch_size, learning_rate)
        self.make_optimizer = lambda: make_optimizer(optimizer, [self._weights], self.learning_rate)
        self._optimizer = self.make_optimizer()
        self.generator = Generator()
        self._lambda = LAMBDA_0
        self._signals = UNKNOWN
        self.coupled = False
        self._side_gradients: SideGradients | None = None

    def set_budget(self, batch_size: int, learning_rate: float) -> None:
        """Go over to another minibatch size and step size; the next ``reset`` starts with them."""
        if batch_size < 2 or batch_size % 2:
            raise UserError(f"batch_size={batch_size} has no halves; give an even number of at least 2.")
        self.learning_rate: float = learning_rate
        if batch_size != 2 * self.pairs:
            # The fastest way depends on the size; looking for it costs some updates.
            self.pairs, self._new_gradients = batch_size // 2, None

    def use_original(self, original: Sequence[Tensor]) -> None:
        """Go over to the original weights of another network of the same kind; the next ``reset`` starts from them.

        Args:
            original: its trained weights as one vector, (P,), and its buffers. They are kept as they are, not copied.

        Raises:
            UserError: if they have other shapes than those of the network here.
        """
        if [t.shape for t in original] != [t.shape for t in self._tensors]:
            raise UserError(
                f"The weights and buffers of another network do not fit this {type(self.model).__name__}; give those "
                "of one with the same layers."
            )
        self.original = [t.to(now.device, now.dtype) for t, now in zip(original, self._tensors, strict=True)]
        for made in ("mask", "_dampened", "_original_model"):  # of the network before
            vars(self).pop(made, None)

    @functools.cached_property
    def _original_model(self) -> nn.Module:
        """The network before unlearning, made when an objective first asks it."""
        return frozen_original(self.model, self.original)

    @abstractmethod
    def draw_batch(self) -> None:
        """Draw the next minibatch from ``self.generator``."""

    @abstractmethod
    def reset_stream(self) -> None:
        """Forget the current order of the data; the generator was seeded anew."""

    @abstractmethod
    def forget_losses(self) -> Iterator[Tensor]:
        """Yield the mean forget loss of every minibatch of the whole forget set, with its graph, the same each time."""

    @functools.cached_property
    def mask(self) -> Tensor | None:
        """1 for the weights that may move and 0 for the others, (P,); None if all may.

        It depends on the original weights and the forget set alone, and is made when the first update asks for it.
        """
        if self.share is None:
            return None
        with self.before_unlearning():
            return salient((gradient(loss, self.parameters) for loss in self.forget_losses()), self.share)

    @contextlib.contextmanager
    def before_unlearning(self) -> Iterator[None]:
        """Give the network its original weights and buffers for the time of the body, in which gradients are taken."""
        now = [t.detach().clone() for t in self._tensors]
        try:
            with torch.no_grad():
                torch._foreach_copy_(self._tensors, self.original)
            with torch.enable_grad():
                yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._tensors, now)
            self._side_gradients = None  # their graph, if they have one, was of other values

    @property
    @abstractmethod
    def draw(self) -> Draw:
        """The mixture numbers of the current minibatch."""

    @abstractmethod
    def errors(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the errors of the given latents towards the retain and the forget target, each (r,)."""

    def reset(self, rng: np.random.Generator) -> Signals:
        """See ``Process.reset``."""
        start = self.original[0] if self.dampened is None else self.dampened.weights
        with torch.no_grad():
            torch._foreach_copy_(self._tensors, [start, *self.original[1:]])
            self._last.copy_(self._weights)
        self._optimizer = self.make_optimizer()
        self.generator.manual_seed(int(rng.integers(2**63)))
        self.reset_stream()
        self._lambda, self._signals = LAMBDA_0, UNKNOWN
        self._next_batch()
        return self.observe()

    @property
    def forget_cap(self) -> float | None:
        """See ``Process.forget_cap``."""
        return self.objective.forget_cap

    def scale_learning_rate(self, factor: float) -> None:
        """See ``Process.scale_learning_rate``."""
        for group in self._optimizer.param_groups:
            group["lr"] = factor * self.learning_rate

    def _next_batch(self) -> None:
        self.draw_batch()
        self._side_gradients = None

    def _open_gradients(self) -> SideGradients:
        if self._new_gradients is None:
            minibatch = (self.errors, self.parameters, self.pairs)
            kind = choose(
                self.model,
                *minibatch,
                reweighed=self.objective.reweighs,
                observed=self.fresh,
                together=self.coupled,
                coupled=self.objective.couples,
                named=self.gradients,
            )
            self._new_gradients = functools.partial(kind, *minibatch, trained_layers(self.model))
        return self._new_gradients()

    def observe(self) -> Signals:
        """See ``Process.observe``."""
        if self.fresh and self._side_gradients is None:
            self._side_gradients = self._open_gradients()
            self._signals = self._measure(self._side_gradients)
        return self._signals

    def _measure(self, gradients: SideGradients) -> Signals:
        norms = [torch.zeros((), device=self.device, dtype=self.dtype)] * 2
        if self.grad_norms:
            sides = gradients.observe(functools.partial(self.objective.weights, draw=self.draw), self._lambda)
            norms = [sides.retain.norm() / self.pairs, sides.forget.norm() / self.pairs]
        else:
            gradients.look()
        errors = [gradients.retain_errors.unsqueeze(0), gradients.forget_errors.unsqueeze(0)]
        return signals_of(errors, [norm.unsqueeze(0) for norm in norms])[0]

    def update(self, lam: float) -> Update:
        """See ``Process.update``.

        Raises:
            UserError: if the network's parameters were replaced or frozen, so that an update would no longer move
                it, or if it cannot be passed.
        """
        check_still_moved(self.parameters, self._weights)
        # The state: losses and norms of this minibatch under the current weights, unless the state lags.
        self.observe()
        gradients = self._side_gradients or self._open_gradients()
        # λ weighs the errors of the 2B latents; under SISS by the importance weights w_x and w_a.
        weights = self.objective.weights(lam, self.draw)
        # The gradients of the two weighted sums; one pass for both where nothing needs them apart.
        apart = self.grad_norms or self.objective.needs_norms or self.objective.needs_dot
        sides = gradients.weigh(weights) if apart else gradients.join(weights)
        # The objective says with which coefficients they combine, and what the loss was.
        parts = self._parts(gradients, weights, sides)
        found = self.objective.combine(lam, parts)
        # Clip, step, and go back to the last weights if something is not finite.
        moved = math.isfinite(found.loss) and self._descend(
            sides.combined(found.c_retain / self.pairs, found.c_forget / self.pairs)
        )
        # A lagged state shows what was just computed; then comes the next minibatch.
        if not self.fresh:
            self._signals = lagged_signals(parts, self.grad_norms)
        self._lambda = lam
        self._next_batch()
        return update_of(found, moved=moved)

    def _parts(self, gradients: SideGradients, weights: Weights, sides: Sides | OnePass) -> Parts:
        sizes = [torch.zeros((), device=self.device, dtype=self.dtype)] * 3
        if isinstance(sides, Sides):
            dot = sides.retain.dot(sides.forget) if self.objective.needs_dot else sizes[2]
            sizes = [sides.retain.norm(), sides.forget.norm(), dot / self.pairs]
        one = Weights(*(each.unsqueeze(0) for each in vars(weights).values()))
        errors = [gradients.retain_errors.unsqueeze(0), gradients.forget_errors.unsqueeze(0)]
        return parts_of(one, errors, [(size / self.pairs).unsqueeze(0) for size in sizes])[0]

    @torch.no_grad()
    def _descend(self, direction: Tensor) -> bool:
        """Mask, clip, step, and go back to the last weights if the new ones are not finite; say whether they are."""
        if self.mask is not None:
            direction.mul_(self.mask)
        if clip_(direction.unsqueeze(0), self.max_grad_norm) != [True]:
            return False
        self._weights.grad = direction
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
        self._side_gradients = None

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
        self._optimizer = self.make_optimizer()
        self._optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        self.generator.set_state(state["generator"])
        self._lambda, self._signals = state["lambda"], Signals(**state["signals"])
        self._side_gradients = None
