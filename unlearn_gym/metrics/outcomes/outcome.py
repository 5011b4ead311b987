"""The outcome of a deletion request, by what samples show: what was forgotten, and what else was lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from unlearn_gym.data.requests.family import Shown
from unlearn_gym.errors import UserError

LEAST_BEFORE = 0.02
"""A concept that was seen less often before unlearning counts as seen so often."""


@dataclass(frozen=True)
class SampleSizes:
    """How many samples an outcome is measured on.

    Attributes:
        samples: of each label of which something is to be forgotten.
        class_samples: of each other label.
        sampling_steps: DDIM steps a sample.
    """

    samples: int = 80
    class_samples: int = 12
    sampling_steps: int = 8

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UserError(f"{name}={value!r} was given; give a whole number of at least 1.")


@dataclass(frozen=True)
class Outcome:
    """Three shares that a request wants high, each from 0 to 1.

    Attributes:
        forgotten: 1 − what is left of the share of samples that showed what is to be forgotten.
        label_kept: share of the same labels' samples that show what should stay; 1 where nothing should.
        others_kept: what is left of the share of the other labels' samples that show what they should.
    """

    forgotten: float
    label_kept: float
    others_kept: float

    @property
    def score(self) -> float:
        """The geometric mean of the three: 0 as soon as one of them is lost."""
        return float((self.forgotten * self.label_kept * self.others_kept) ** (1 / 3))


def outcome(before: Mapping[int, Tensor], after: Mapping[int, Tensor], shown: Shown) -> Outcome:
    """Compare what samples show after unlearning with what they showed before.

    Args:
        before: label → share of its samples that show each concept, under the original model.
        after: the same of the unlearned model.
        shown: what samples of each label should and should not show.
    """
    of_request = sorted(shown.forgotten)
    others = [label for label in after if label not in shown.forgotten]

    def mean(shares: Mapping[int, Tensor], wanted: Mapping[int, Sequence[int]], labels: list[int]) -> float:
        return sum(float(shares[label][list(wanted[label])].sum()) for label in labels) / len(labels)

    left = [
        min(
            1.0,
            _share(after, shown.forgotten, label) / max(_share(before, shown.forgotten, label), LEAST_BEFORE),
        )
        for label in of_request
    ]
    staying = [label for label in of_request if shown.kept[label]]
    kept = mean(after, shown.kept, others) if others else 1.0
    known = mean(before, shown.kept, others) if others else 1.0
    return Outcome(
        forgotten=1.0 - sum(left) / len(left),
        label_kept=mean(after, shown.kept, staying) if staying else 1.0,
        others_kept=min(1.0, kept / known) if known else 1.0,
    )


def _share(shares: Mapping[int, Tensor], concepts: Mapping[int, Sequence[int]], label: int) -> float:
    return float(shares[label][list(concepts[label])].sum())
