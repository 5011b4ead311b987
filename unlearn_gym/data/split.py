"""What to forget and what to keep: the one shape in which every data source hands over its images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from unlearn_gym.errors import UserError

SHOWN = 12


@dataclass(frozen=True)
class LabelledSet:
    """Examples with their labels.

    Attributes:
        inputs: float32, shape (n, ...); images are (n, channels, height, width) in [-1, 1].
        labels: int64 of shape (n,) for classes, float32 of shape (n, outputs) for regression.
    """

    inputs: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.labels):
            raise UserError(
                f"{len(self.inputs)} inputs came with {len(self.labels)} labels; give one label per input."
            )

    def __len__(self) -> int:
        return len(self.inputs)


def joined(*parts: LabelledSet) -> LabelledSet:
    """Return the examples of all parts, one part after the other."""
    return LabelledSet(torch.cat([part.inputs for part in parts]), torch.cat([part.labels for part in parts]))


@dataclass(frozen=True, repr=False)
class UnlearningData:
    """A deletion request: the forget set, the retain set, and what is held out from both.

    Attributes:
        name: short name for tables and file names.
        retain: training examples to keep (the model was trained on them).
        forget: training examples to forget (the model was trained on them too).
        retain_holdout: examples like ``retain`` that the model never saw.
        forget_holdout: examples like ``forget`` that the model never saw; may be empty.
        num_classes: number of class labels, or 0 when the model is unconditional (it is told no label, whatever the
            examples have) or a regression.
        concepts: names of what an image can show, the label's own concepts first; the forgotten concept,
            where it is not a class of its own, comes after them (digits: "0".."9", "ankle boot"). Empty where
            nothing names them. For an unconditional model all that its images show, what is forgotten among them.
        forget_label: the label under which the forget set was learned, or None when there is no single one.
        forget_shows: number of the concept that each forget example shows, int64; None where all show the last one,
            or, for an unconditional model, nothing that the others do not show.
        alike: numbers of concepts that cannot be told apart for certain, such as clothes of 8x8 pixels.
    """

    name: str
    retain: LabelledSet
    forget: LabelledSet
    retain_holdout: LabelledSet
    forget_holdout: LabelledSet
    num_classes: int = 0
    concepts: tuple[str, ...] = ()
    forget_label: int | None = None
    forget_shows: Tensor | None = None
    alike: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for part in ("retain", "forget"):
            if len(getattr(self, part)) == 0:
                raise UserError(f"The {part} set of {self.name!r} is empty; give at least one example.")
        if self.retain.inputs.shape[1:] != self.forget.inputs.shape[1:]:
            raise UserError(
                f"Retain inputs have shape {tuple(self.retain.inputs.shape[1:])} and forget inputs "
                f"{tuple(self.forget.inputs.shape[1:])}; give both the same shape."
            )

    @property
    def shown_by_forget(self) -> Tensor:
        """Number of the concept that each forget example shows, int64 of shape (len(forget),)."""
        last = torch.full((len(self.forget),), self.num_classes)
        return last if self.forget_shows is None else self.forget_shows

    @property
    def forgotten_concepts(self) -> Sequence[int]:
        """The numbers of the concepts that are no classes of their own: what is to be forgotten.

        Of an unconditional model those that the forget examples show, if they show something of their own.
        """
        if self.num_classes:
            return range(self.num_classes, len(self.concepts))
        return [] if self.forget_shows is None else self.forget_shows.unique().tolist()

    @property
    def class_names(self) -> dict[int, str]:
        """Number → name of the classes; a class without a name is called by its number."""
        names = self.concepts or tuple(map(str, range(self.num_classes)))
        return dict(enumerate(names[: self.num_classes]))

    def __repr__(self) -> str:
        """Say what a reader wants to check: how many examples there are, of which classes."""
        sides = (f"{len(part)} {what}{self._counted(part)}" for what, part in
                 (("to keep", self.retain), ("to forget", self.forget)))  # fmt: skip
        return (
            f"UnlearningData({self.name!r}: {', '.join(sides)}; inputs {tuple(self.retain.inputs.shape[1:])})"
        )

    def _counted(self, part: LabelledSet) -> str:
        if not self.num_classes:
            return ""
        names = self.class_names
        numbers = part.labels.unique()
        shown = [
            str(number) if names[number] == str(number) else f"{number} {names[number]}"
            for number in numbers.tolist()[:SHOWN]
        ]
        return f" (classes {', '.join(shown)}{', ...' if len(numbers) > SHOWN else ''})"
