"""Digits, a part of which was learned under wrong labels: what a classifier may be asked to forget."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from unlearn_gym.data.requests.family import Family, Shown
from unlearn_gym.data.sets.classes import LABELLED_IMAGES
from unlearn_gym.data.sets.digits import DIGITS
from unlearn_gym.data.split import LabelledSet

POISONED = 0.4
"""Share of each digit's training images that were learned under the next digit's label."""
SEED = 0


PORTIONS = 16
"""Parts of the rightly labelled training images, drawn at random: a request may be to forget one."""


@dataclass(frozen=True)
class ClassifierFamily(Family):
    """The training images of a classifier: each digit as it is, and some of it under a wrong label.

    A concept "3 as 4" is threes that were learned as fours, and "portion 5" images of all digits, rightly labelled and
    drawn at random. What is to be seen of a model is what it says of held-out images of each digit, so that the labels
    of ``Shown`` are the true ones, and its concepts the predicted ones. A portion has a label of its own, beyond those
    of the digits, with one concept: how much its images stand out from held-out ones.
    """

    def shown(self, forget: tuple[str, ...] | list[str]) -> Shown:  # type: ignore[override]
        """Return what the model should and should not say of held-out images of each digit.

        A digit that was forgotten is no longer called so; where its poison was forgotten it is called what it is. The
        images of a forgotten portion no longer stand out.
        """
        kept: dict[int, tuple[int, ...]] = {digit: (digit,) for digit in range(self.num_classes)}
        lost: dict[int, tuple[int, ...]] = {}
        for concept in forget:
            kind, number = divmod(self.number(concept), self.num_classes)
            if kind == 0:
                lost[number], kept[number] = (*lost.get(number, ()), number), ()
            elif kind == 1:
                lost[number] = (*lost.get(number, ()), wrong(number))
            else:
                label = self.number(concept) - self.num_classes
                lost[label], kept[label] = (0,), ()
        return Shown(kept, lost, self.name)

    def rows_of(self, concept: str) -> Tensor:
        """See ``Family.rows_of``; portions are of the rightly labelled."""
        portion = self.number(concept) - 2 * self.num_classes
        return super().rows_of(concept) if portion < 0 else self._portions[portion]

    def portion(self, label: int) -> LabelledSet:
        """Return the images of the portion that has this label in ``Shown``."""
        rows = self._portions[label - self.num_classes]
        return LabelledSet(self.examples.inputs[rows], self.examples.labels[rows])

    @cached_property
    def _portions(self) -> tuple[Tensor, ...]:
        right = (self.shows < self.num_classes).nonzero().squeeze(1)
        order = torch.randperm(len(right), generator=torch.Generator().manual_seed(SEED))
        return tuple(part.sort().values for part in right[order].tensor_split(PORTIONS))


def wrong(digit: int) -> int:
    """Return the label under which a digit's poison was learned."""
    return (digit + 1) % len(DIGITS)


def poisoned_digits(name: str) -> ClassifierFamily:
    """Return scikit-learn's digits: 30 % held out as they are, of the others 40 % under the next digit's label.

    Args:
        name: of the model that was trained on them.
    """
    images = LABELLED_IMAGES["digits"]("digits", 1.0)
    shows, labels = images.train.labels.clone(), images.train.labels.clone()
    generator = torch.Generator().manual_seed(SEED)
    for digit in range(len(DIGITS)):
        members = (images.train.labels == digit).nonzero().squeeze(1)
        chosen = members[torch.randperm(len(members), generator=generator)[: round(POISONED * len(members))]]
        labels[chosen], shows[chosen] = wrong(digit), len(DIGITS) + digit
    poison = (f"{digit} as {wrong(digit)}" for digit in range(len(DIGITS)))
    return ClassifierFamily(
        name=name,
        examples=LabelledSet(images.train.inputs, labels),
        shows=shows,
        holdout=images.test,
        holdout_shows=images.test.labels,
        concepts=(*DIGITS, *poison, *(f"portion {k}" for k in range(PORTIONS))),
        num_classes=len(DIGITS),
    )
