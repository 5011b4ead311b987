"""Which stack holds many copies of a process: one line for each kind of process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from unlearn_gym.errors import UserError
from unlearn_gym.models.mixed import FULL
from unlearn_gym.processes.base import Process
from unlearn_gym.processes.common.passes import cause
from unlearn_gym.processes.diffusion import DiffusionProcess
from unlearn_gym.processes.regression import RegressionProcess
from unlearn_gym.processes.stacked.diffusion import StackedDiffusion
from unlearn_gym.processes.stacked.gradient import Stack
from unlearn_gym.processes.stacked.supervised import StackedRegression, StackedSupervised
from unlearn_gym.processes.supervised import SupervisedProcess

STACKS: dict[type[Process], Callable[[Any, int], Stack]] = {
    DiffusionProcess: StackedDiffusion,
    SupervisedProcess: StackedSupervised,
    RegressionProcess: StackedRegression,
}
"""Class of a process → its stack, called with a process and the number of copies."""

UNSTACKED = (("mask", "share", None), ("start", "dampening", None), ("precision", "precision", FULL))
"""Keywords that stacks do not know: the attribute of a process that tells of each, and its value without it."""


class NotStackable(UserError):
    """Raised for a process or a network that cannot be held as a stack."""


def make_stack(process: Process, copies: int) -> Stack:
    """Return the stack of ``copies`` of a process.

    Raises:
        NotStackable: if its class has no stack, or PyTorch cannot map its network over copies (a network
            whose ``forward`` depends on the values of its tensors, or that looks at single numbers), or it is
            mapped wrongly (a network that uses its weights outside of its modules).
        UserError: if the network cannot be passed at all.
    """
    if type(process) not in STACKS:
        raise NotStackable(
            f"vectorization='stacked' cannot stack {type(process).__name__}; choose processes or loop."
        )
    for name, attribute, usual in UNSTACKED:
        if getattr(process, attribute, usual) != usual:
            raise NotStackable(
                f"vectorization='stacked' has no {name}=; leave it out, or choose processes or loop."
            )
    if getattr(process, "gradients", "auto") != "auto":
        raise NotStackable(
            "vectorization='stacked' has one way to its gradients and gradients='direct' another; leave gradients= "
            "out, or choose processes or loop."
        )
    try:
        stack = STACKS[type(process)](process, copies)
        same = stack.rehearse()
    except (UserError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a network may do anything that PyTorch cannot map
        raise NotStackable(
            f"vectorization='stacked' cannot map this network over copies ({cause(error)}); choose processes or "
            "loop."
        ) from error
    if not same:
        raise NotStackable(
            "vectorization='stacked' gives other gradients for this network than plain passes do; choose processes "
            "or loop."
        )
    return stack
