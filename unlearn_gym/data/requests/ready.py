"""The sets of requests that come with the package; a new one is a function and a line in ``READY``.

Splits are disjoint in what is forgotten and in their budgets, so that a policy that was trained on ``train`` and chosen
on ``validation`` has met nothing of ``test``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import product

from unlearn_gym.data.requests.request import Request, RequestSet
from unlearn_gym.data.sets.clothes import CLOTHES
from unlearn_gym.data.sets.digits import BOOT, DIGITS
from unlearn_gym.errors import UserError

TROUSER = CLOTHES.index("trouser")
BUDGETS = {
    "train": ((12, 24, 48), (3e-4, 6e-4, 1.2e-3)),
    "validation": ((18, 36), (4e-4, 8e-4)),
    "test": ((16, 32, 64), (2.5e-4, 1e-3)),
}
"""Split → updates and learning rates of the requests to the models of 8×8 digits with intruders."""


def intruders() -> RequestSet:
    """Return requests to the model whose every digit has an intruder: forget the clothes of a label, or its digit.

    The spread of learning rate times updates, sixteenfold, is what makes the best constant λ differ from request to
    request. Small trousers look like small ones: nobody is asked to forget them there.
    """
    return RequestSet(
        "intruders",
        {
            "train": _every(_both((0, 2, 3, 4)), *BUDGETS["train"]),
            "validation": _every(_both((5, 6)), *BUDGETS["validation"]),
            "test": _every([*_both((7, 8, 9)), DIGITS[TROUSER]], *BUDGETS["test"]),
        },
    )


def mixed() -> RequestSet:
    """Return requests to two models in turns: that of the intruders, and that of the digits with boots.

    Under most labels of the latter nothing is left when its digit is forgotten. Both learned the same digits and the
    same boots, so that a split asks both models for the same labels.
    """

    def both(labels: Iterable[int], *more: str, boots: Iterable[str] = ()) -> dict[str, list[str]]:
        digits = [DIGITS[label] for label in labels]
        return {"intruders": [*_both(labels), *more], "digits": [*digits, *more, *boots]}

    return RequestSet(
        "",
        {
            "train": _every(both((0, 2, 3, 4)), *BUDGETS["train"]),
            "validation": _every(both((5, 6)), *BUDGETS["validation"]),
            "test": _every(both((7, 8, 9), DIGITS[TROUSER], boots=[BOOT]), *BUDGETS["test"]),
        },
    )


def digits() -> RequestSet:
    """Return requests to the model of the digits with boots: forget the boots, or the ones."""
    return RequestSet("digits", {"test": _every([BOOT, "1"], (16, 32, 64), (2e-4, 5e-4))})


def trousers() -> RequestSet:
    """Return requests to the 28×28 model of experiment A, where losses and steps are smaller."""
    return RequestSet(
        "trousers", {"test": _every([CLOTHES[TROUSER], "1"], (25, 50, 100), (2.5e-5, 5e-5, 1e-4))}
    )


def poisoned_digits() -> RequestSet:
    """Return requests to a classifier of digits, part of which was learned under wrong labels: forget digit or poison.

    Forgetting the poison of a digit should restore its accuracy.
    """

    def both(digits: Iterable[int]) -> list[str]:
        return [concept for digit in digits for concept in (DIGITS[digit], f"{digit} as {(digit + 1) % 10}")]

    return RequestSet(
        "poisoned-digits",
        {
            "train": _every(both((0, 2, 4, 5)), (10, 20, 40), (5e-4, 1e-3, 2e-3)),
            "validation": _every(both((6,)), (15, 30), (7e-4, 1.4e-3)),
            "test": _every(both((1, 3, 7, 8)), (12, 24, 48), (4e-4, 1.6e-3)),
        },
    )


def memorised_digits() -> RequestSet:
    """Return requests to a classifier that learned all its images by heart: forget a random portion of them."""

    def portions(numbers: Iterable[int]) -> list[str]:
        return [f"portion {k}" for k in numbers]

    return RequestSet(
        "memorised-digits",
        {
            "train": _every(portions(range(8)), (10, 20, 40), (2.5e-4, 5e-4, 1e-3)),
            "validation": _every(portions((8, 9)), (15, 30), (3.5e-4, 7e-4)),
            "test": _every(portions(range(10, 16)), (12, 24, 48), (2e-4, 4e-4, 8e-4)),
        },
    )


READY: dict[str, Callable[[], RequestSet]] = {
    "intruders": intruders,
    "mixed": mixed,
    "digits": digits,
    "trousers": trousers,
    "poisoned-digits": poisoned_digits,
    "memorised-digits": memorised_digits,
}


def ready(name: str) -> RequestSet:
    """Return a set of requests that comes with the package.

    Raises:
        UserError: if there is none of that name.
    """
    if name not in READY:
        raise UserError(
            f"There is no set of requests {name!r}; choose one of {', '.join(READY)}, or give a file."
        )
    return READY[name]()


def _both(labels: Iterable[int]) -> list[str]:
    return [concept for label in labels for concept in (DIGITS[label], CLOTHES[label])]


def _every(
    concepts: Iterable[str] | Mapping[str, Iterable[str]], horizons: Iterable[int], rates: Iterable[float]
) -> tuple[Request, ...]:
    """Return a request for each concept and each budget; consecutive ones have different concepts.

    Args:
        concepts: of the family of the set, or family → its concepts.
        horizons: updates.
        rates: learning rates.
    """
    families = concepts if isinstance(concepts, Mapping) else {"": concepts}
    asked = [(family, concept) for family, named in families.items() for concept in named]
    return tuple(
        Request((concept,), horizon, rate, family=family)
        for horizon, rate, (family, concept) in product(horizons, rates, asked)
    )
