"""What generated images show: recognition rates, and distances to real images in a classifier's features."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.metrics.concepts import balance, class_accuracy, share_called
from unlearn_gym.metrics.generative import fid, inception_score, kid
from unlearn_gym.metrics.similarity import best_match_ssim
from unlearn_gym.metrics.subject import Samples
from unlearn_gym.metrics.subsets import distinct, evenly_spaced
from unlearn_gym.models.diffusion.concepts import Judge

CONCEPTS = ("concept_rate", "label_accuracy", "neither_rate", "class_accuracy", "balance")
FEATURES = (
    "fid_forget",
    "kid_forget",
    "fid_retain",
    "kid_retain",
    "fid_retrained",
    "kid_retrained",
    "inception_score",
)
BESIDE_RETRAINED = ("fid_retrained", "kid_retrained")
OF_LABELS = ("class_accuracy", "balance", "fid_forget", "kid_forget")
"""What means nothing of a model that is told no labels: every sample is one of the whole mixture."""
OF_CONCEPT = ("concept_rate", "label_accuracy")
"""What means nothing where the images to forget show what others show, too."""
BY_CLASS = ("class_accuracy", "fid", "kid", "ssim", "inception_score")
CHUNK = 1000
SCALE_IMAGES = 10_000
SSIM_REFERENCES = 200


@dataclass(frozen=True)
class Seen:
    """Samples as the classifier sees them.

    Attributes:
        samples: the images.
        features: shape (n, d), scaled.
        logits: shape (n, concepts).
    """

    samples: Samples
    features: Tensor
    logits: Tensor


def seen_of(data: UnlearningData, *, conditional: bool) -> tuple[str, ...]:
    """Return those of ``CONCEPTS`` and ``FEATURES`` that mean something.

    Args:
        data: the request.
        conditional: whether samples were drawn under labels.
    """
    left_out = (() if conditional else OF_LABELS) + (() if data.forgotten_concepts else OF_CONCEPT)
    return tuple(name for name in CONCEPTS + FEATURES if name not in left_out)


def real_retain(data: UnlearningData) -> LabelledSet:
    """Return retain images that no model saw, or the training ones where fewer than two are held out."""
    return data.retain_holdout if len(data.retain_holdout) > 1 else data.retain


class SampleScores:
    """Scores samples against a task's real images, whose features are computed once.

    Args:
        data: the request.
        classifier: of the data's concepts, in eval mode.
        conditional: whether samples were drawn under labels.
        each: samples of each label that are compared class by class.
    """

    def __init__(self, data: UnlearningData, classifier: Judge, *, conditional: bool, each: int) -> None:
        self._data, self._classifier, self._conditional, self._each = data, classifier, conditional, each
        self._device = next(classifier.parameters()).device

    def see(self, samples: Samples) -> Seen:
        """Show samples to the classifier."""
        raw = self._raw_features(samples.images)
        return Seen(samples, raw / self._scale, self._head(raw))

    def logits(self, images: Tensor) -> Tensor:
        """Return what the classifier says of images, shape (n, concepts and neither)."""
        return self._head(self._raw_features(images))

    def pooled(self, seen: Seen, reference: Seen | None) -> dict[str, float]:
        """Return ``CONCEPTS``, and those of ``FEATURES`` for which there is something to compare with.

        Args:
            seen: samples of a model.
            reference: the retrained model's, if there is one.
        """
        samples = seen.samples
        even = samples.balanced(self._each if self._conditional else samples.of_label)
        pairs = {"retain": (self._real_features, seen.features[even])}
        if self._conditional:
            pairs["forget"] = (self._forget_features, seen.features[: samples.of_label])
        if reference is not None:
            pairs["retrained"] = (reference.features, seen.features)
        distances = {
            f"{name}_{side}": measure(real, generated)
            for side, (real, generated) in pairs.items()
            for name, measure in (("fid", fid), ("kid", kid))
        }
        return self.recognised(seen) | distances | {"inception_score": inception_score(seen.logits[even])}

    def recognised(self, seen: Seen) -> dict[str, float]:
        """Return ``CONCEPTS``; of a model that is told no labels those that need none."""
        samples, logits, label = seen.samples, seen.logits, self._data.forget_label
        of_label, others = logits[: samples.of_label], slice(samples.of_label, None)
        rate = share_called(of_label, *self._data.forgotten_concepts)
        neither = share_called(of_label, logits.shape[1] - 1)
        recognised = share_called(of_label, label) if label is not None else 1.0 - rate - neither
        found = {"concept_rate": rate, "label_accuracy": recognised, "neither_rate": neither}
        if self._conditional:
            kept = class_accuracy(logits[others], samples.labels[others])
            found |= {"class_accuracy": kept, "balance": balance(rate, recognised, kept)}
        return found

    def by_class(self, seen: Seen) -> dict[str, dict[str, float]]:
        """Return each of ``BY_CLASS`` for every label, the forget label too, by the label's name.

        Each label's first samples, as many of every label, are compared with real images of that label.
        """
        found: dict[str, dict[str, float]] = {name: {} for name in BY_CLASS}
        for label, rows in self._groups(seen.samples):
            real, name = self._real_labels == label, self._data.concepts[label]
            features, logits = seen.features[rows], seen.logits[rows]
            found["class_accuracy"][name] = share_called(logits, label)
            found["fid"][name] = fid(self._real_features[real], features)
            found["kid"][name] = kid(self._real_features[real], features)
            found["ssim"][name] = self._match(seen.samples.images[rows], label)
            found["inception_score"][name] = inception_score(logits)
        return found

    def ssim_retain(self, samples: Samples) -> float:
        """Return the similarity to the best match of the same class, averaged over classes."""
        values = [self._match(samples.images[rows], label) for label, rows in self._groups(samples)]
        return sum(values) / len(values)

    def _match(self, images: Tensor, label: int) -> float:
        real = (self._real_labels == label).nonzero().squeeze(1)
        rows = real[evenly_spaced(len(real), SSIM_REFERENCES)]
        return best_match_ssim(images, real_retain(self._data).inputs[rows])

    def _groups(self, samples: Samples) -> list[tuple[int, Tensor]]:
        """Return (label, rows of its first samples) where there are at least two samples and two real images."""
        groups = [
            (int(label), (samples.labels == label).nonzero().squeeze(1)[: self._each])
            for label in self._real_labels.unique()
        ]
        return [g for g in groups if len(g[1]) > 1 and int((self._real_labels == g[0]).sum()) > 1]

    @cached_property
    def _real_labels(self) -> Tensor:
        labels = real_retain(self._data).labels
        return labels if self._conditional else torch.zeros_like(labels)

    @torch.no_grad()
    def _raw_features(self, images: Tensor) -> Tensor:
        return torch.cat(
            [self._classifier.features(part.to(self._device)).cpu() for part in images.split(CHUNK)]
        )

    @torch.no_grad()
    def _head(self, raw: Tensor) -> Tensor:
        return self._classifier.classify(raw.to(self._device)).cpu()

    @cached_property
    def _scale(self) -> float:
        """Root mean square of real images' features: distances do not depend on the network's scale."""
        retain = self._data.retain.inputs
        known = [retain[evenly_spaced(len(retain), SCALE_IMAGES)], self._data.forget.inputs]
        return float(self._raw_features(torch.cat(known)).square().mean().sqrt())

    @cached_property
    def _forget_features(self) -> Tensor:
        images = self._data.forget.inputs
        return self._raw_features(images[distinct(images)]) / self._scale

    @cached_property
    def _real_features(self) -> Tensor:
        return self._raw_features(real_retain(self._data).inputs) / self._scale
