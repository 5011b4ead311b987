"""What a classifier says of held-out images before and after a deletion request."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from unlearn_gym.data.requests.family import Shown
from unlearn_gym.data.requests.poisoned import ClassifierFamily
from unlearn_gym.data.split import LabelledSet
from unlearn_gym.metrics.outcomes.base import Look, Meter
from unlearn_gym.metrics.privacy import mann_whitney_auc
from unlearn_gym.models.modes import eval_mode


class PredictionMeter(Meter):
    """Asks a classifier about the same images before and after; nothing is drawn, so that seeds do not matter.

    Args:
        families: name → whose held-out images have their true labels, and whose portions may be forgotten.
        original: returns the model of the named family before unlearning.
    """

    def __init__(
        self, families: Mapping[str, ClassifierFamily], original: Callable[[str], nn.Module]
    ) -> None:
        super().__init__(original)
        self._families = families

    def key(self, shown: Shown, seed: int) -> Hashable:
        """The portions that are looked at beside the held-out images."""
        return self._portions(shown)

    def _portions(self, shown: Shown) -> tuple[int, ...]:
        classes = self._families[shown.family].num_classes
        return tuple(label for label in sorted(shown.forgotten) if label >= classes)

    @torch.no_grad()
    def look(self, model: nn.Module, shown: Shown, seed: int) -> Look:
        """Return true label → share of its images that are called each label, and last that are called none.

        A portion's label has how much it stands out in the place of the first, and 0 in that of the last.
        """
        family = self._families[shown.family]
        held = family.holdout
        logits = _logits(model, held)
        called = torch.where(logits.isfinite().all(1), logits.argmax(1), logits.shape[1])
        rows = one_hot(called, logits.shape[1] + 1).double()
        shares = {int(label): rows[held.labels == label].mean(0) for label in held.labels.unique()}
        for label in self._portions(shown):
            portion = family.portion(label)
            losses = (_losses(_logits(model, portion), portion), _losses(logits, held))
            shares[label] = torch.tensor([_standing_out(*losses), 0.0], dtype=torch.float64)
        return Look(shares)


def _logits(model: nn.Module, part: LabelledSet) -> Tensor:
    with eval_mode(model):
        logits: Tensor = model(part.inputs.to(next(model.parameters())))
    return logits.float().cpu()


def _losses(logits: Tensor, part: LabelledSet) -> Tensor:
    return cross_entropy(logits, part.labels, reduction="none").nan_to_num(torch.inf, torch.inf)


def _standing_out(members: Tensor, others: Tensor) -> float:
    """Return |2·AUC − 1| of telling members from others by their losses: 0 if that cannot be done, at most 1."""
    return abs(2 * mann_whitney_auc(-members.numpy(), -others.numpy()) - 1)
