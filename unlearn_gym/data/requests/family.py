"""Everything that a pretrained model was trained on, by what each image shows: of it, requests forget a part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from unlearn_gym.data.split import LabelledSet, UnlearningData, joined
from unlearn_gym.errors import UserError


@dataclass(frozen=True)
class Shown:
    """What samples should show when a request was granted.

    Attributes:
        kept: label → numbers of the concepts that were learned under it and stay.
        forgotten: label → numbers of those that should no longer be seen; labels without any are left out.
        family: name of the family whose labels and concepts they are.
    """

    kept: dict[int, tuple[int, ...]]
    forgotten: dict[int, tuple[int, ...]]
    family: str = ""


@dataclass(frozen=True)
class Family:
    """The training examples of one model and those held out, with the concept that each shows.

    Attributes:
        name: of the ready-made task whose original model was trained on all of them.
        examples: what the model was trained on.
        shows: number of the concept that each example shows, int64 of shape (n,).
        holdout: examples that it never saw.
        holdout_shows: what those show.
        concepts: names of the concepts.
        num_classes: labels of the model.
        alike: numbers of concepts that a classifier may take for each other.
    """

    name: str
    examples: LabelledSet
    shows: Tensor
    holdout: LabelledSet
    holdout_shows: Tensor
    concepts: tuple[str, ...]
    num_classes: int
    alike: tuple[int, ...] = ()

    @classmethod
    def of(cls, data: UnlearningData) -> Family:
        """Return the family of a task's model, whose own request is one of its requests."""
        return cls(
            name=data.name,
            examples=joined(data.retain, data.forget),
            shows=torch.cat([data.retain.labels, data.shown_by_forget]),
            holdout=joined(data.retain_holdout, data.forget_holdout),
            holdout_shows=torch.cat(
                [
                    data.retain_holdout.labels,
                    torch.full_like(data.forget_holdout.labels, data.num_classes),
                ]
            ),
            concepts=data.concepts,
            num_classes=data.num_classes,
            alike=data.alike,
        )

    def number(self, concept: str) -> int:
        """Return the number of a concept.

        Raises:
            UserError: if the model was trained on no such thing.
        """
        if concept not in self.concepts:
            raise UserError(
                f"{self.name} shows no {concept!r}; choose from {', '.join(self.concepts)}. (Digits are words here: "
                f'"7".)'
            )
        return self.concepts.index(concept)

    def rows_of(self, concept: str) -> Tensor:
        """Return the rows of the training examples that are meant by a concept, in their order."""
        return (self.shows == self.number(concept)).nonzero().squeeze(1)

    @cached_property
    def learned(self) -> dict[int, tuple[int, ...]]:
        """Label → numbers of the concepts that were learned under it."""
        labels = self.examples.labels
        return {int(label): tuple(self.shows[labels == label].unique().tolist()) for label in labels.unique()}

    def shown(self, forget: Sequence[str]) -> Shown:
        """Return what samples should and should not show when these concepts were forgotten.

        Concepts that look alike stand for each other, unless one of them is to be forgotten under a label, and another
        to be kept under the same: what else looks like clothes under the label of the sandals is a sandal.
        """
        gone = {self.number(concept) for concept in forget}
        kept, lost = {}, {}
        for label, known in self.learned.items():
            wanted, unwanted = (tuple(c for c in known if (c in gone) == out) for out in (False, True))
            kept[label] = self._with_alikes(wanted, unwanted)
            if unwanted:
                lost[label] = self._with_alikes(unwanted, wanted)
        return Shown(kept, lost, self.name)

    def _with_alikes(self, concepts: tuple[int, ...], others: tuple[int, ...]) -> tuple[int, ...]:
        alike = set(self.alike)
        if not alike & set(concepts) or alike & set(others):
            return concepts
        return tuple(sorted(alike | set(concepts)))

    def check(self, forget: Sequence[str], count: int | None = None) -> None:
        """Refuse a request for what the model was not trained on, or for more images of it than there are.

        Raises:
            UserError: naming what there is.
        """
        for concept in forget:
            known = len(self.rows_of(concept))
            if count is not None and count > known:
                raise UserError(
                    f"count={count} was given, but {self.name} has {known} images of {concept!r}; give fewer."
                )

    def part(self, forget: Sequence[str], count: int | None = None) -> UnlearningData:
        """Return the request to forget these concepts and keep everything else.

        Args:
            forget: names of concepts.
            count: only the first so many images of each; the others are neither forgotten nor kept. None for all.

        Raises:
            UserError: if a concept is unknown or nothing is left to keep.
        """
        kept = torch.ones(len(self.examples), dtype=torch.bool)
        kept[torch.cat([self.rows_of(concept) for concept in forget])] = False
        forget = sorted(
            forget, key=self.number
        )  # images have the same places whatever the order of the names
        held = torch.isin(self.holdout_shows, torch.tensor([self.number(concept) for concept in forget]))
        named = torch.cat([self.rows_of(concept)[:count] for concept in forget]).tolist()
        once = list(dict.fromkeys(named))  # an image that two concepts mean, in the place of the first
        rows = torch.tensor(once, dtype=torch.int64)
        labels = self.examples.labels[rows].unique()
        return UnlearningData(
            name=f"{self.name} without {' and '.join(forget)}",
            retain=_rows(self.examples, kept),
            forget=_rows(self.examples, rows),
            retain_holdout=_rows(self.holdout, ~held),
            forget_holdout=_rows(self.holdout, held),
            num_classes=self.num_classes,
            concepts=self.concepts,
            forget_label=int(labels[0]) if len(labels) == 1 else None,
        )


def _rows(examples: LabelledSet, rows: Tensor) -> LabelledSet:
    return LabelledSet(examples.inputs[rows], examples.labels[rows])
