"""Digits, a part of which was learned under wrong labels: what a classifier may be asked to forget."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from unlearn_gym.data.requests.family import Family, Shown
from unlearn_gym.data.sets.classes import LABELLED_IMAGES
from unlearn_gym.data.sets.digits import DIGITS
from unlearn_gym.data.split import LabelledSet

POISONED = 0.4
"""Share of each digit's training images that were learned under the next digit's label."""
SEED = 0


@dataclass(frozen=True)
class ClassifierFamily(Family):
    """The training images of a classifier: each digit as it is, and some of it under a wrong label.

    A concept "3 as 4" is threes that were learned as fours. What is to be seen of a model is what it says of held-out
    images of each digit, so that the labels of ``Shown`` are the true ones, and its concepts the predicted ones.
    """

    def shown(self, forget: tuple[str, ...] | list[str]) -> Shown:  # type: ignore[override]
        """Return what the model should and should not say of held-out images of each digit.

        A digit that was forgotten is no longer called so; where its poison was forgotten it is called what it is.
        """
        kept: dict[int, tuple[int, ...]] = {digit: (digit,) for digit in range(self.num_classes)}
        lost: dict[int, tuple[int, ...]] = {}
        for concept in forget:
            number = self.number(concept)
            digit = number % self.num_classes
            poison = number >= self.num_classes
            lost[digit] = (*lost.get(digit, ()), wrong(digit) if poison else digit)
            if not poison:
                kept[digit] = ()
        return Shown(kept, lost)


def wrong(digit: int) -> int:
    """Return the label under which a digit's poison was learned."""
    return (digit + 1) % len(DIGITS)


def poisoned_digits() -> ClassifierFamily:
    """Return scikit-learn's digits: 30 % held out as they are, of the others 40 % under the next digit's label."""
    images = LABELLED_IMAGES["digits"]("digits", 1.0)
    shows, labels = images.train.labels.clone(), images.train.labels.clone()
    generator = torch.Generator().manual_seed(SEED)
    for digit in range(len(DIGITS)):
        members = (images.train.labels == digit).nonzero().squeeze(1)
        chosen = members[torch.randperm(len(members), generator=generator)[: round(POISONED * len(members))]]
        labels[chosen], shows[chosen] = wrong(digit), len(DIGITS) + digit
    return ClassifierFamily(
        name="poisoned-digits",
        examples=LabelledSet(images.train.inputs, labels),
        shows=shows,
        holdout=images.test,
        holdout_shows=images.test.labels,
        concepts=(*DIGITS, *(f"{digit} as {wrong(digit)}" for digit in range(len(DIGITS)))),
        num_classes=len(DIGITS),
    )
