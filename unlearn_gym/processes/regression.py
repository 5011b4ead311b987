"""Unlearning in polynomial regression: the original curve is the least-squares fit to all points."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from unlearn_gym.data.sets.curves import Curves
from unlearn_gym.data.split import UnlearningData
from unlearn_gym.errors import UserError
from unlearn_gym.models.mixed import FULL
from unlearn_gym.models.polynomial import Polynomial
from unlearn_gym.processes.base import Signals
from unlearn_gym.processes.common.originals import numbers_of
from unlearn_gym.processes.supervised import SupervisedProcess


def fit_all(data: UnlearningData, degree: int) -> Polynomial:
    """Return the least-squares fit to wanted and unwanted points together: the model before unlearning."""
    x = torch.cat([data.retain.inputs, data.forget.inputs])
    y = torch.cat([data.retain.labels, data.forget.labels])
    return Polynomial(degree).fit(x, y)


def fit_wanted(data: UnlearningData, degree: int) -> Polynomial:
    """Return the least-squares fit to the wanted points alone: the retrained reference."""
    return Polynomial(degree).fit(data.retain.inputs, data.retain.labels)


class RegressionProcess(SupervisedProcess):
    """The supervised process on one draw of a regression problem, or on a new one at each reset.

    Args:
        curves: where problems are drawn from.
        draw: number of the draw, or None for another one at each ``reset``.
        settings: the keywords of ``GradientProcess``.
    """

    model: Polynomial

    def __init__(self, curves: Curves, draw: int | None, **settings: Any) -> None:
        self.curves, self._fixed = curves, draw
        self.number = 0 if draw is None else draw
        if settings.get("mask") is not None:
            raise UserError("A polynomial's few weights all matter; leave mask= out.")
        if settings.get("precision", FULL) != FULL:
            raise UserError("A polynomial passes in no time, and exactly; leave precision= out.")
        data = curves.draw(self.number)
        super().__init__(fit_all(data, curves.degree), data, **settings)

    def reset(self, rng: np.random.Generator) -> Signals:
        """See ``Process.reset``."""
        number = self.draw_number(rng)
        if number is not None:
            self.go_to(number)
        return super().reset(rng)

    def draw_number(self, rng: np.random.Generator) -> int | None:
        """Return the number of the problem of the next ``reset``, or None if it is always the same."""
        return int(rng.integers(2**31)) if self._fixed is None else None

    def go_to(self, number: int) -> None:
        """Go over to the problem of another draw and the fit to it."""
        self.number = number
        self.use(self.curves.draw(number))
        fitted = fit_all(self.data, self.curves.degree)
        self.use_original(numbers_of(fitted))

    def state_dict(self) -> dict[str, Any]:
        """See ``Process.state_dict``."""
        return {**super().state_dict(), "number": self.number}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See ``Process.load_state_dict``."""
        if state["number"] != self.number:
            self.go_to(state["number"])
        super().load_state_dict(state)
