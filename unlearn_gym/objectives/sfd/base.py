"""What an override is: labels c_o that the teacher is asked for in the place of the forgotten label c_f.

The forget term of SFD is L_sfd(c_o, c_f): the scores of what the generator makes under c_f are brought to those that
the teacher has under c_o. An override chooses c_o for each latent, or weighs several.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Classes:
    """What is known of the classes; nothing of it is an image of the data.

    Attributes:
        retained: labels that are kept, int64 of shape (K,).
        forgotten: c_f.
        images: draws so many images of each of some labels from the teacher, (labels, count, channels, height,
            width).
        judge: from images (n, channels, height, width) to logits of all C labels and "neither", (n, C + 1).
    """

    retained: Tensor
    forgotten: int
    images: Callable[[Tensor, int], Tensor]
    judge: Callable[[Tensor], Tensor]

    @property
    def columns(self) -> Tensor:
        """The retained labels and, last, the forgotten one, int64 of shape (K + 1,)."""
        return torch.cat([self.retained, self.retained.new_tensor([self.forgotten])])


@dataclass(frozen=True)
class ForgetLatents:
    """The latents of images that the generator made under c_f, without gradients.

    Attributes:
        latents: z_t, shape (n, channels, height, width).
        gamma: γ_t, shape (n,), and
        sigma: σ_t.
        denoised: x̂_ψ(z_t, c_f), of the shape of ``latents``.
        uniform: u ~ U[0, 1) of each, shape (n,), drawn before anything was known.
    """

    latents: Tensor
    gamma: Tensor
    sigma: Tensor
    denoised: Tensor
    uniform: Tensor


@dataclass(frozen=True)
class Targets:
    """L labels for each of n latents: the forget loss of one is Σ_l weight_l·L_sfd(label_l, c_f).

    Attributes:
        labels: int64 of shape (L, n).
        weights: shape (L, n), not negative.
    """

    labels: Tensor
    weights: Tensor

    @classmethod
    def of(cls, labels: Tensor, weights: Tensor) -> Targets:
        """Return one label for each latent; both of shape (n,)."""
        return cls(labels.unsqueeze(0), weights.unsqueeze(0))


class Override(ABC):
    """Chooses c_o.

    Attributes:
        gated: whether λ plays a part in it.
        classes: whose they are; known after ``meet``.
    """

    gated: bool = False
    classes: Classes

    def meet(self, classes: Classes) -> None:
        """Hear of the classes; called once, before anything is asked.

        Raises:
            UserError: if its hyperparameters do not fit them.
        """
        self.classes = classes

    @abstractmethod
    def targets(self, side: ForgetLatents, lam: float) -> Targets:
        """Return the labels that stand in at λ."""


def drawn(probabilities: Tensor, uniform: Tensor) -> Tensor:
    """Return columns drawn with the given probabilities, int64 of shape (n,): where the sum of the first passes u.

    Args:
        probabilities: rows that sum to 1, shape (n, K).
        uniform: shape (n,).
    """
    passed = (probabilities.cumsum(1) <= uniform.unsqueeze(1)).sum(1)
    return passed.clamp_max(probabilities.shape[1] - 1)
