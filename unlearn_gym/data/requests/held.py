"""Data of requests that are held ready, as many as a memory budget allows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.runtime.checks import weight

MEGABYTE = 2**20


class Held:
    """The requests asked for last, up to a number of megabytes of images; the last one is always held.

    Args:
        megabytes: the budget.
    """

    def __init__(self, megabytes: float) -> None:
        weight("memory", megabytes)
        self._budget = megabytes * MEGABYTE
        self._parts: OrderedDict[Hashable, UnlearningData] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], UnlearningData]) -> UnlearningData:
        """Return the data held under a key, making them first where they are not there."""
        if key not in self._parts:
            self._parts[key] = make()
        self._parts.move_to_end(key)
        while len(self._parts) > 1 and sum(map(_bytes, self._parts.values())) > self._budget:
            self._parts.popitem(last=False)
        return self._parts[key]

    def __len__(self) -> int:
        """Return how many are held."""
        return len(self._parts)


def _bytes(data: UnlearningData) -> int:
    sets = [part for part in vars(data).values() if isinstance(part, LabelledSet)]
    return sum(part.inputs.nbytes + part.labels.nbytes for part in sets)
