"""EraseDiff: learn a wrong noise for the forget set, no faster than the retain set allows (arXiv 2401.05779)."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from unlearn_gym.errors import UserError
from unlearn_gym.objectives.base import Combination, ForgetSide, Objective, Parts, safe_ratio
from unlearn_gym.runtime.checks import one_of, weight


class EraseDiff(Objective):
    """g = g_x + max(η − ⟨g_x, g_a⟩/‖g_a‖², 0)·g_a; both losses are descended and λ plays no part.

    g_a is the gradient of L_forget = mean (ε_θ(γa + σε) − υ)² towards υ ~ U[0, 1), fresh for each latent, so
    that here a *small* forget loss means forgotten: it is 1 + 1/3 where the true noise is predicted, and
    expected to be 1/12 at the least, where ½ is. The coefficient is the smallest c ≥ 0 with ⟨g, g_a⟩ ≥ η‖g_a‖².

    η is a pure number: losses summed over the D pixels, as the authors have them, multiply both gradients by D
    and leave ⟨g_x, g_a⟩/‖g_a‖² and hence the coefficient as they are. Their η = 1e-3 means the same for our means
    over pixels. What the scale does change is how often the clip of the combined gradient acts.

    The released code for DDPMs differs from the paper: the target is the network's own prediction under another label,
    and the coefficient max(η − cos(g_x, g_a), 0): ``target="relabel", form="cosine"``. Here the original network is
    asked, theirs is the running one. Its inner loop changes nothing but the moments of Adam, and is left out.

    Args:
        eta: η, from 0 to 1e12.
        form: "projection", the paper's coefficient, or "cosine".
        target: "uniform" or "relabel".
    """

    needs_norms = True
    needs_dot = True

    def __init__(self, *, eta: float = 1e-3, form: str = "projection", target: str = "uniform") -> None:
        weight("eta", eta)
        one_of("form", form, ("projection", "cosine"))
        one_of("target", target, ("uniform", "relabel"))
        self.eta, self.form, self.target = eta, form, target

    def draw_target(self, shape: tuple[int, ...], generator: Generator) -> Tensor:
        """Draw υ ~ U[0, 1): one for each pixel, or one for each pair, which chooses the other label."""
        return torch.rand(shape if self.target == "uniform" else shape[:1], generator=generator)

    def forget_target(self, side: ForgetSide) -> Tensor:
        """Return υ, or what the original network predicts under another label of the retain set."""
        if self.target == "uniform":
            return side.drawn.to(side.noise)
        if side.labels is None:
            raise UserError("target='relabel' needs a class-conditional network; choose uniform.")
        known = side.retain_labels.unique()
        others = [known[known != label] for label in side.labels]
        if not all(len(each) for each in others):
            raise UserError("target='relabel' needs retain images of another label; choose uniform.")
        chosen = [each[int(u * len(each))] for each, u in zip(others, side.drawn, strict=True)]
        return side.original(side.latents, side.timesteps, torch.stack(chosen))

    def combine(self, lam: float, parts: Parts) -> Combination:
        """Return 1 and c = max(η − ⟨g_x, g_a⟩/‖g_a‖², 0), and L_retain + c·L_forget with c held fixed."""
        scale = parts.forget_norm**2 if self.form == "projection" else parts.forget_norm * parts.retain_norm
        c = max(self.eta - safe_ratio(parts.dot, scale), 0.0)
        return Combination(1.0, c, parts.retain, c * parts.forget)
