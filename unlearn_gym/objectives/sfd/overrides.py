"""The overrides of the SFD authors: a fixed class, a random one, or the one that a classifier sees."""

from __future__ import annotations

import torch

from unlearn_gym.errors import UserError
from unlearn_gym.objectives.sfd.base import Classes, ForgetLatents, Override, Targets, drawn
from unlearn_gym.runtime.checks import one_of, optional, whole

PICKS = ("most_likely", "sampled")


class Fixed(Override):
    """One label for all: ``label``, by default the next retained one after c_f (authors: c_f = 0, c_o = 1)."""

    def __init__(self, *, label: int | None = None) -> None:
        optional(whole(0))("label", label)
        self.label = label

    def meet(self, classes: Classes) -> None:
        """See ``Override.meet``; the label must be a retained one."""
        super().meet(classes)
        labels = classes.retained.tolist()
        later = [label for label in labels if label > classes.forgotten]
        self._chosen = (later or labels)[0] if self.label is None else self.label
        if self._chosen not in labels:
            raise UserError(
                f"override_kwargs has label={self.label}, which is not kept; choose one of "
                f"{', '.join(map(str, labels))}."
            )

    def targets(self, side: ForgetLatents, lam: float) -> Targets:
        """Return the label for every latent."""
        labels = torch.full(side.uniform.shape, self._chosen, device=side.uniform.device)
        return Targets.of(labels, torch.ones_like(side.uniform))


class Random(Override):
    """A retained label for each latent, every one as likely."""

    def targets(self, side: ForgetLatents, lam: float) -> Targets:
        """Return a label for every latent, by its u."""
        retained = self.classes.retained
        even = torch.full((len(side.uniform), len(retained)), 1 / len(retained)).to(side.uniform)
        return Targets.of(retained[drawn(even, side.uniform)], torch.ones_like(side.uniform))


class Classifier(Override):
    """The retained label that a classifier sees in x̂_ψ(z, c_f), c_f left out: the most likely, or sampled."""

    def __init__(self, *, pick: str = "most_likely") -> None:
        one_of("pick", pick, PICKS)
        self.pick = pick

    def targets(self, side: ForgetLatents, lam: float) -> Targets:
        """Return a label for every latent."""
        retained = self.classes.retained
        logits = self.classes.judge(side.denoised)[:, retained]
        best = logits.argmax(1) if self.pick == PICKS[0] else drawn(logits.softmax(1), side.uniform)
        return Targets.of(retained[best], torch.ones_like(side.uniform))
