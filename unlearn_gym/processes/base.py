"""The one idea of the package: an unlearning process, a small dynamical system steered by λ."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
from torch import Tensor

from unlearn_gym.errors import UserError

LAMBDA_0 = 0.5
"""λ before the first update (paper, appendix C)."""


@dataclass(frozen=True)
class Signals:
    """What the next minibatch looks like under the current weights: the first four state numbers.

    Losses are means over batch and pixels (or outputs); norms are L2 over all trainable parameters.
    """

    retain_loss: float
    forget_loss: float
    retain_grad_norm: float
    forget_grad_norm: float

    @property
    def finite(self) -> bool:
        """Whether all four numbers are finite."""
        return all(map(math.isfinite, astuple(self)))


STATE: dict[str, str] = {
    "retain_loss": "L retain",
    "forget_loss": "L forget",
    "retain_grad_norm": "‖∇L retain‖",
    "forget_grad_norm": "‖∇L forget‖",
    "previous_lambda": "λ of the step before",
    "time": "t/T",
}
"""The six numbers that an agent sees, in the order of the observation: name → title in figures."""
SIGNALS = tuple(field.name for field in fields(Signals))
"""The first of them: losses and norms, not negative, over many orders of magnitude."""


@dataclass(frozen=True)
class Update:
    """One gradient update at λ.

    Attributes:
        loss: the loss the update descended; ``retain_term + forget_term``.
        retain_term: what the retain side contributed to the loss.
        forget_term: what the forget side contributed to the loss (usually negative: it is ascended).
        dloss_dlambda: derivative of the loss in λ with the drawn minibatch and the two coefficients held fixed. Where a
            coefficient follows λ, as under SISS with ``forget_scaling="norm"``, it is not the slope of ``loss``:
            12 to 33 % from finite differences were seen there; under "coef" it is.
        dvariance_dlambda: unbiased estimate of the derivative in λ of the second moment of *one pair's* loss; that of
            the minibatch's mean of B pairs is 1/B of it in the variance. Coefficients are held fixed, too.
        diverged: whether loss, gradient or weights were not finite; the weights are then the last finite ones, and
            numbers that were not finite are 0.
        cosine: of the two gradients, where the process tells it; 0 where one of them vanishes.
    """

    loss: float
    retain_term: float
    forget_term: float
    dloss_dlambda: float = 0.0
    dvariance_dlambda: float = 0.0
    diverged: bool = False
    cosine: float = 0.0


@dataclass(frozen=True)
class Quality:
    """Losses on a fixed probe batch, by which the ``progress`` reward judges the weights."""

    retain_loss: float
    forget_loss: float


@dataclass(frozen=True)
class Dampened:
    """What ``Process.reset`` restores where that is not the original network.

    Attributes:
        weights: the original weights, some of them made smaller, (P,).
        share: of the weights that were selected for it.
        original_quality: of the original network.
    """

    weights: Tensor
    share: float
    original_quality: Quality


class Process(ABC):
    """Weights, an optimizer, a seeded stream of minibatches and an objective.

    Attributes:
        tells_cosine: whether updates say the cosine of the two gradients.
        learning_rate: step size of its optimizer; None where it has none.
    """

    tells_cosine: bool = False
    learning_rate: float | None = None

    @property
    def forget_cap(self) -> float | None:
        """Forget loss at which the forget term of the objective saturates; None where it does not."""
        return None

    def scale_learning_rate(self, factor: float) -> None:
        """Let the updates to come, until the next reset, have ``factor`` times the learning rate.

        Raises:
            UserError: if the process has none.
        """
        raise UserError(f"{type(self).__name__} has no learning rate to be scaled; leave control= out.")

    @property
    def dampened(self) -> Dampened | None:
        """What ``reset`` restores in the place of the original network; None, as here, for that itself."""
        return None

    @abstractmethod
    def reset(self, rng: np.random.Generator) -> Signals:
        """Restore the original (or ``dampened``) weights and optimizer, seed every draw from ``rng``, and observe."""

    @abstractmethod
    def observe(self) -> Signals:
        """Measure the next minibatch under the current weights, which stay as they are."""

    @abstractmethod
    def update(self, lam: float) -> Update:
        """Apply one gradient update at λ and move on to the next minibatch."""

    @abstractmethod
    def undo(self) -> None:
        """Take the last update's weights back (used when they turn out to be ruined)."""

    @abstractmethod
    def quality(self) -> Quality:
        """Evaluate the fixed probe batch under the current weights."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on after a kill: tensors, numbers and strings in nested dictionaries."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where ``state_dict`` was taken."""
