"""Selective synaptic dampening (SSD, Foster et al. 2024, arXiv 2308.07707): one multiplication of the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unlearn_gym.errors import UserError

KIND = "ssd"


@dataclass(frozen=True)
class Dampening:
    """How a network is dampened before its first update.

    Attributes:
        a: how many times more important a weight must be for the forget set than for all to be dampened.
        b: how weakly it is dampened.
    """

    a: float = 10.0
    b: float = 1.0

    @classmethod
    def of(cls, start: str) -> Dampening:
        """Return what ``ssd``, ``ssd:A`` or ``ssd:A:B`` says.

        Raises:
            UserError: when it is no such word, or a number is not above 0.
        """
        kind, *texts = start.split(":")
        try:
            numbers = [float(text) for text in texts]
        except ValueError:
            numbers = [0.0]
        if kind != KIND or len(numbers) > 2 or not all(number > 0 for number in numbers):
            raise UserError(
                f"start={start!r} is not known; give ssd:A:B, two numbers above 0 or inf, such as ssd:10:1."
            )
        return cls(*numbers)

    def apply(self, weights: Tensor, squares: Sequence[Callable[[], Tensor]], sizes: Sequence[int]) -> float:
        """Dampen weights, (P,), in place.

        The importance of a weight for all examples is the mean of those for the two sets, by their sizes. So that for
        the forget set is at most n/k times as large, and a larger ``a`` selects nothing.

        Args:
            weights: θ₀.
            squares: the importances for the retain and for the forget set, (P,) each, made only if they are needed.
            sizes: n − k and k, how many examples the two sets have.

        Returns:
            Which share of the weights was selected.
        """
        kept, forgotten = sizes
        if self.a >= (kept + forgotten) / forgotten:
            return 0.0
        on_retain, on_forget = (each() for each in squares)
        on_all = (kept * on_retain + forgotten * on_forget) / (kept + forgotten)
        return dampen([weights], [on_all], [on_forget], self.a, self.b)


def mean_square(gradients: Iterable[Tensor]) -> Tensor:
    """Return the mean of the squares of one or more gradients, (P,) each."""
    each = iter(gradients)
    total, count = next(each).square(), 1
    for gradient in each:
        total.addcmul_(gradient, gradient)
        count += 1
    return total / count


@torch.no_grad()
def dampen(
    weights: Sequence[Tensor], train: Sequence[Tensor], forget: Sequence[Tensor], a: float, b: float
) -> float:
    """Multiply θ by min(b·F_train/F_forget, 1) in place where F_forget > a·F_train, F being importances.

    Returns:
        Which share of all weights was selected.
    """
    selected = 0
    for weight, on_train, on_forget in zip(weights, train, forget, strict=True):
        chosen = on_forget > a * on_train
        factor = (b * on_train[chosen] / on_forget[chosen]).clamp(max=1.0)
        weight[chosen] *= factor.nan_to_num(1.0)  # b = ∞, and an importance below the smallest number
        selected += int(chosen.sum())
    return selected / sum(weight.numel() for weight in weights)
