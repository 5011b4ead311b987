"""What requests need, images or weights, held ready as far as a memory budget allows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from torch import Tensor

from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.runtime.checks import weight

MEGABYTE = 2**20
Made = TypeVar("Made")


class Held:
    """What was asked for last, up to a number of megabytes of tensors; the last thing is always held.

    Args:
        megabytes: the budget.
    """

    def __init__(self, megabytes: float) -> None:
        weight("memory", megabytes)
        self._budget = megabytes * MEGABYTE
        self._parts: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what is held under a key, making it first where it is not there."""
        if key not in self._parts:
            self._parts[key] = make()
        self._parts.move_to_end(key)
        while len(self._parts) > 1 and sum(map(_bytes, self._parts.values())) > self._budget:
            self._parts.popitem(last=False)
        held: Made = self._parts[key]
        return held

    def __len__(self) -> int:
        """Return how many are held."""
        return len(self._parts)


def _bytes(held: object) -> int:
    """Return the bytes of all tensors in a request's data, or in a list."""
    match held:
        case Tensor():
            return held.nbytes
        case LabelledSet() | UnlearningData():
            return _bytes(list(vars(held).values()))
        case list():
            return sum(map(_bytes, held))
    return 0
