"""Which label an image would have been given: a concept classifier whose answers are put together by label."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unlearn_gym.data.split import UnlearningData
from unlearn_gym.models.diffusion.concepts import Judge


class LabelJudge(nn.Module):
    """From images to logits of the C labels, and last of none of them.

    A label shows its own concept, and that under which something else was learned shows that as well: with boots among
    the ones the label 1 has the probability of both.

    Args:
        classifier: of the concepts and "neither", in eval mode.
        labels: label of each of its outputs, int64 of shape (concepts + 1,).
    """

    def __init__(self, classifier: Judge, labels: Tensor) -> None:
        super().__init__()
        self.classifier = classifier
        self.labels: Tensor
        self.register_buffer("labels", labels)

    @classmethod
    def of(cls, classifier: Judge, data: UnlearningData) -> LabelJudge:
        """Return the judge of the labels of a request's data, frozen and in eval mode."""
        return cls(classifier, concept_labels(data)).eval().requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, shape (n, C + 1), for images in [-1, 1]."""
        return by_label(self.classifier(images), self.labels)


def concept_labels(data: UnlearningData) -> Tensor:
    """Return the label under which each concept was learned, and C for "neither", int64 of shape (concepts + 1,)."""
    labels = torch.arange(len(data.concepts) + 1)
    labels[-1] = data.num_classes
    labels[data.shown_by_forget] = data.forget.labels
    return labels


def by_label(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the log of the summed probabilities of each label's concepts, shape (n, C + 1).

    Args:
        logits: of the concepts, shape (n, concepts + 1).
        labels: label of each concept, int64 of shape (concepts + 1,); the largest is that of "neither".
    """
    found = [logits[:, labels == label].logsumexp(1) for label in range(int(labels.max()) + 1)]
    return torch.stack(found, 1)
