"""NaN and infinity put into a running process: single environments, loops, and one copy of a stack."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from unlearn_gym.processes.base import Quality, Signals


@dataclass
class Poison:
    """A number that is not finite, given out once.

    Attributes:
        value: NaN or an infinity.
        armed: whether it is given out at the next chance.
        taken: whether it was.
    """

    value: float = math.nan
    armed: bool = False
    taken: bool = False

    def take(self) -> bool:
        """Say whether it is given out now."""
        now, self.armed = self.armed, False
        self.taken = self.taken or now
        return now


Undo = Callable[[], None]


def replaced(owner: Any, name: str, wrapper: Callable[[Any], Any]) -> Undo:
    """Put ``wrapper(original)`` in the place of an attribute of an object; returns what puts it back."""
    own, original = name in vars(owner), getattr(owner, name)
    setattr(owner, name, wrapper(original))
    return lambda: setattr(owner, name, original) if own else delattr(owner, name)


def into_loss(process: Any, poison: Poison) -> Undo:
    """The objective's loss."""

    def wrapper(combine: Any) -> Any:
        def poisoned(lam: float, parts: Any) -> Any:
            found = combine(lam, parts)
            return replace(found, retain_term=poison.value) if poison.take() else found

        return poisoned

    return replaced(process.objective, "combine", wrapper)


def into_gradient(process: Any, poison: Poison) -> Undo:
    """One entry of the direction of the step."""

    def wrapper(descend: Any) -> Any:
        def poisoned(direction: Tensor) -> bool:
            if poison.take():
                direction.view(-1)[direction.numel() // 2] = poison.value
            return descend(direction)

        return poisoned

    return replaced(process, "_descend", wrapper)


def into_weights(process: Any, poison: Poison) -> Undo:
    """One weight after the optimizer's step."""

    def wrapper(step: Any) -> Any:
        def poisoned(*given: Any) -> Any:
            result = step(*given)
            if poison.take():
                with torch.no_grad():
                    process._weights[len(process._weights) // 2] = poison.value
            return result

        return poisoned

    return replaced(process._optimizer, "step", wrapper)


def into_probe(process: Any, poison: Poison) -> Undo:
    """A loss of the probe batch."""

    def wrapper(quality: Any) -> Any:
        def poisoned() -> Quality:
            found = quality()
            return replace(found, retain_loss=poison.value) if poison.take() else found

        return poisoned

    return replaced(process, "quality", wrapper)


def into_observation(process: Any, poison: Poison) -> Undo:
    """A number of the next state: what is observed outside an update."""
    inside: list[bool] = []

    def updating(update: Any) -> Any:
        def counted(lam: float) -> Any:
            inside.append(True)
            try:
                return update(lam)
            finally:
                inside.pop()

        return counted

    def observing(observe: Any) -> Any:
        def poisoned() -> Signals:
            found = observe()
            return replace(found, forget_loss=poison.value) if not inside and poison.take() else found

        return poisoned

    undo = [replaced(process, "update", updating), replaced(process, "observe", observing)]
    return lambda: [each() for each in undo] and None


POINTS: dict[str, Callable[[Any, Poison], Undo]] = {
    "loss": into_loss,
    "gradient": into_gradient,
    "weights": into_weights,
    "probe": into_probe,
    "observation": into_observation,
}
OF_ANY = ("probe", "observation")
"""Points that a process without a network has too."""


def into_stack_row(copy: int) -> dict[str, Callable[[Any, Poison], Undo]]:
    """Return the points of one copy of a stack."""

    def gradient(stack: Any, poison: Poison) -> Undo:
        def wrapper(original: Any) -> Any:
            def poisoned(side: str, weights: Any) -> Tensor:
                found = original(side, weights)
                if not poison.take():
                    return found
                found = found.clone()
                found[copy, 0] = poison.value
                return found

            return poisoned

        return replaced(stack, "_gradient", wrapper)

    def weights(stack: Any, poison: Poison) -> Undo:
        def wrapper(step: Any) -> Any:
            def poisoned(*given: Any) -> Any:
                result = step(*given)
                if poison.take():
                    with torch.no_grad():
                        stack.weights[copy, -1] = poison.value
                return result

            return poisoned

        return replaced(stack._rule, "step", wrapper)

    def probe(stack: Any, poison: Poison) -> Undo:
        def wrapper(quality: Any) -> Any:
            def poisoned(number: int) -> Quality:
                found = quality(number)
                poisonous = number == copy and poison.take()
                return replace(found, retain_loss=poison.value) if poisonous else found

            return poisoned

        return replaced(stack, "quality", wrapper)

    def observation(stack: Any, poison: Poison) -> Undo:
        def wrapper(update: Any) -> Any:
            def poisoned(lams: Any) -> None:
                update(lams)
                if poison.take():
                    stack.signals[copy] = replace(stack.signals[copy], forget_loss=poison.value)

            return poisoned

        return replaced(stack, "update", wrapper)

    return {"gradient": gradient, "weights": weights, "probe": probe, "observation": observation}
