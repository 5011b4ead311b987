"""What an update reports, for one network and for each of a stack."""

from __future__ import annotations

from unlearn_gym.objectives.base import Combination, Parts
from unlearn_gym.processes.base import Signals, Update


def lagged_signals(parts: Parts, grad_norms: bool) -> Signals:
    """Return the state that an update's own numbers give; the norms as 0 if nobody wants them."""
    norms = (parts.retain_norm, parts.forget_norm) if grad_norms else (0.0, 0.0)
    return Signals(parts.retain, parts.forget, *norms)


def update_of(found: Combination, *, moved: bool) -> Update:
    """Return what is told of an update, which moved the weights unless something was not finite."""
    derivatives = (found.dloss_dlambda, found.dvariance_dlambda)
    return Update(found.loss, found.retain_term, found.forget_term, *derivatives, diverged=not moved)
