"""What samples show, by a classifier of concepts: shares of samples that were recognised as something."""

from __future__ import annotations

import torch
from torch import Tensor


def share_called(logits: Tensor, *concepts: int) -> float:
    """Share of samples whose most likely concept is one of ``concepts``.

    ``concept_rate`` with the forgotten concept, ``label_accuracy`` with the label's own, ``neither_rate`` with the
    output after all concepts.

    Args:
        logits: shape (n, concepts).
        concepts: indices of concepts.
    """
    called = torch.isin(logits.argmax(dim=1), torch.tensor(concepts, device=logits.device))
    return float(called.double().mean())


def class_accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of samples recognised as their label, averaged over the labels that occur.

    Args:
        logits: shape (n, concepts).
        labels: int64 of shape (n,): the label each sample was drawn under.
    """
    classes = labels.unique()
    return sum(share_called(logits[labels == label], int(label)) for label in classes) / len(classes)


def balance(concept_rate: float, label_accuracy: float, class_accuracy: float) -> float:
    """Geometric mean of the three shares that unlearning wants high; 0 as soon as one side is lost."""
    return ((1.0 - concept_rate) * label_accuracy * class_accuracy) ** (1 / 3)
