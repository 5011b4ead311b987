"""The adaptive override: what a latent looks like decides what it is to become (the seed's 5.2, as it can be read)."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from unlearn_gym.objectives.sfd.base import ForgetLatents, Override, Targets, drawn
from unlearn_gym.objectives.sfd.densities import DENSITIES, Density
from unlearn_gym.runtime.checks import one_of, optional, positive, switch, whole

FORMS = ("sampled", "sum")


class Posterior(Override):
    """a_c = π_c·q_t(z|c) / Σ_c' π_c'·q_t(z|c') over the retained classes, with the same π for each.

    The forget loss is Σ_c a_c·L_sfd(c, c_f), the weights without gradient: as they stand (``form="sum"``, a pass of the
    teacher for each class), or with one c drawn from a for each latent (``"sampled"``), which has the same mean.

    Args:
        density: q_t(z|c), a name in ``densities.DENSITIES``: ``gaussian`` (K3), ``kernel`` (K2), ``classifier`` (K4).
        temperature: τ in a ∝ exp(log q/τ); None for the number of pixels, under ``classifier`` 1.
        form: one of ``FORMS``.
        samples: images of each class that densities are fitted to, drawn from the teacher.
        gate: weigh latents by (1 − r)/(1 − λ) as well, r = λ·q(z|c_f)/((1 − λ)·Σ π_c q(z|c) + λ·q(z|c_f)), the literal
            reading. As long as z looks like c_f it switches forgetting off.
    """

    def __init__(
        self,
        *,
        density: str = "gaussian",
        temperature: float | None = None,
        form: str = "sampled",
        samples: int = 64,
        gate: bool = False,
    ) -> None:
        one_of("density", density, DENSITIES)
        optional(positive)("temperature", temperature)
        one_of("form", form, FORMS)
        whole(1)("samples", samples)
        switch("gate", gate)
        self.density, self.temperature, self.form, self.samples = density, temperature, form, samples
        self.gated = gate

    @functools.cached_property
    def fitted(self) -> Density:
        """The densities, fitted when they are first asked for."""
        return DENSITIES[self.density](self.classes, self.samples)

    def logs(self, side: ForgetLatents) -> Tensor:
        """Return log π_c q_t(z|c) of the K retained classes and log q_t(z|c_f), all over τ, shape (n, K + 1)."""
        tau = self.fitted.temperature if self.temperature is None else self.temperature
        logs = self.fitted.logs(side) / tau
        retained = logs[:, :-1] - math.log(logs.shape[1] - 1)
        return torch.cat([retained, logs[:, -1:]], 1)

    def targets(self, side: ForgetLatents, lam: float) -> Targets:
        """See ``Override.targets``."""
        logs = self.logs(side)
        shares = logs[:, :-1].softmax(1)
        passes = gate(logs, lam) if self.gated else torch.ones_like(side.uniform)
        if self.form == FORMS[0]:
            return Targets.of(self.classes.retained[drawn(shares, side.uniform)], passes)
        labels = self.classes.retained.unsqueeze(1).expand(-1, len(shares))
        return Targets(labels, shares.T * passes)


def gate(logs: Tensor, lam: float) -> Tensor:
    """Return (1 − r)/(1 − λ) = Σ_c π_c q(z|c) / q_λ(z) from 0 to 1/(1 − λ), shape (n,); 1 at λ = 0.

    Args:
        logs: of π_c q(z|c), and last of q(z|c_f), shape (n, K + 1).
        lam: λ in [0, 1).
    """
    kept, gone = logs[:, :-1].logsumexp(1), logs[:, -1]
    share = torch.tensor(lam).to(logs)
    return (kept - torch.logaddexp(kept + torch.log1p(-share), gone + share.log())).exp()
