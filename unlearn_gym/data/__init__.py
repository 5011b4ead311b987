"""What to forget and what to keep: named unlearning requests, one line each in ``DATA``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unlearn_gym.data.checks import check_keywords
from unlearn_gym.data.sets.cifar10 import load_cifar10, load_cifar10_random
from unlearn_gym.data.sets.digits import load_digits_with_boots
from unlearn_gym.data.sets.intruders import load_digits_with_intruders
from unlearn_gym.data.sets.trousers import load_mnist_with_trousers
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError

__all__ = ["DATA", "LabelledSet", "UnlearningData", "load"]

DATA: dict[str, Callable[..., UnlearningData]] = {
    "digits": load_digits_with_boots,
    "intruders": load_digits_with_intruders,
    "trousers": load_mnist_with_trousers,
    "cifar10": load_cifar10,
    "cifar10-random": load_cifar10_random,
}


def load(name: str, /, **kwargs: Any) -> UnlearningData:
    """Load a registered data set by name; keywords go to its loader.

    Raises:
        UserError: for a name that is not in ``DATA``, or a keyword that its loader does not take.
    """
    if name not in DATA:
        raise UserError(f"There is no data set {name!r}; choose one of {', '.join(sorted(DATA))}.")
    check_keywords(f"the data set {name!r}", DATA[name], kwargs)
    return DATA[name](**kwargs)
