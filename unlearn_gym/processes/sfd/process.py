"""Forgetting a class of a one-step generator by score distillation (SFD; Chen et al. 2024, arXiv 2409.11219)."""

from __future__ import annotations

import copy
import functools
import math
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.model import DiffusionModel
from unlearn_gym.models.sfd.distillation import Distilled, draw_labels, image_shape
from unlearn_gym.models.sfd.generator import BETAS, LARGEST_GRADIENT, Draw, Trio, View
from unlearn_gym.models.sfd.references import TeacherSamples
from unlearn_gym.models.sfd.schedule import Schedule
from unlearn_gym.objectives.sfd.base import Classes, ForgetLatents, Override, Targets
from unlearn_gym.processes.base import LAMBDA_0, Process, Quality, Signals, Update
from unlearn_gym.processes.common.checks import check_still_moved
from unlearn_gym.processes.common.flat import flatten_, trained
from unlearn_gym.processes.common.passes import gradient
from unlearn_gym.processes.sfd.sides import Sides, compared, own_labels

PROBE_SIZE = 64
PROBE_SEED = 0
TIED = "lambda"
"""The ρ_f that follows λ."""


class SFDProcess(Process):
    """θ (generator), ψ (fake score) and φ (teacher): an update moves θ by g_d + λ·g_f.

    ψ is moved before θ, as the authors do it. An update here ends with the ψ step of the next one, so that the losses
    and gradients that λ is chosen on are the very ones that it joins, at no further pass. All losses that are told are
    mean divergences Δ²/ω, never values of L_sfd, which may be negative. No image of the data is used.

    Args:
        teacher: φ and its noise schedule.
        distilled: θ and ψ at the start; they are changed in place.
        counts: how often each label occurs in the data, (C,).
        judge: from images to logits of the C labels and "neither", for overrides that ask a classifier.
        forget_label: c_f.
        override: what stands in for it; it is told of the classes.
        batch_size: images per update, half of them of c_f.
        learning_rate: Adam's, of θ.
        fake_learning_rate: Adam's, of ψ.
        fake_weight: ρ_f, the weight of c_f in ψ's loss, or "lambda" for the λ of the update before.
        sharpness: α of ``losses.generator_losses``.
        ema: decay of the moving average of θ.
        device: where to compute.
        dtype: floating-point type.

    Attributes:
        teacher: as given, on the device.
        model: the generator with the average of θ's weights: what is evaluated, drawn and saved.
        networks: those whose passes an update costs.
        retained: labels that are kept, int64 of shape (K,).
    """

    def __init__(
        self,
        teacher: DiffusionModel,
        distilled: Distilled,
        counts: Tensor,
        judge: nn.Module,
        *,
        forget_label: int,
        override: Override,
        batch_size: int,
        learning_rate: float,
        fake_learning_rate: float,
        fake_weight: float | str,
        sharpness: float,
        ema: float,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        if batch_size < 2 or batch_size % 2:
            raise UserError(f"batch_size={batch_size} has no halves; give an even number of at least 2.")
        self.device, self.dtype, self.pairs = device, dtype, batch_size // 2
        self.learning_rate: float = learning_rate
        self._fake_learning_rate, self._fake_weight = fake_learning_rate, fake_weight
        self._sharpness, self._ema, self.forget_label = sharpness, ema, forget_label
        given = (distilled.generator, distilled.fake, teacher.unet)
        theta, psi, phi = (nn.Module.to(net, device=device, dtype=dtype).eval() for net in given)
        self.model = copy.deepcopy(theta).requires_grad_(False)
        average = flatten_(list(self.model.parameters())).requires_grad_(False)
        self._parameters, self._fake_parameters = trained(theta), trained(psi)
        self._weights, self._fake = flatten_(self._parameters), flatten_(self._fake_parameters)
        self._tensors = [self._weights, self._fake, average]
        self._original = [tensor.detach().clone() for tensor in self._tensors]
        self._last = [tensor.clone() for tensor in self._original]
        self.trio = Trio(theta, psi, phi.requires_grad_(False), Schedule.of(teacher.scheduler, self._weights))
        self.networks = (theta, psi, phi)
        self._frequencies = self._kept(counts)
        self.retained = self._frequencies.nonzero().squeeze(1).to(device)
        self.teacher = teacher
        samples = TeacherSamples(phi, teacher.scheduler)
        self.override = override
        override.meet(Classes(self.retained, forget_label, samples.of, judge.to(device, dtype)))
        self.generator = Generator()
        self._optimizers = self._new_optimizers()
        self._lambda = LAMBDA_0
        self._draw: Draw | None = None
        self._side_gradients: Sides | None = None

    def _kept(self, counts: Tensor) -> Tensor:
        """Return the counts of the labels that are kept, 0 for c_f."""
        label = self.forget_label
        if not label < len(counts):
            raise UserError(
                f"forget_label={label} is no label of this model; give a whole number from 0 to {len(counts) - 1}."
            )
        kept = counts.clone()
        kept[label] = 0
        if not kept.any():
            raise UserError(
                f"Without the label {label} there is none to keep; give a model with more labels."
            )
        return kept

    def _new_optimizers(self) -> tuple[torch.optim.Adam, torch.optim.Adam]:
        """Return the optimizers of θ and ψ."""
        rates = (self._weights, self.learning_rate), (self._fake, self._fake_learning_rate)
        theta, psi = (torch.optim.Adam([w], lr=rate, betas=BETAS, fused=True) for w, rate in rates)
        return theta, psi

    def reset(self, rng: np.random.Generator) -> Signals:
        """See ``Process.reset``."""
        with torch.no_grad():
            torch._foreach_copy_(self._tensors, self._original)
            torch._foreach_copy_(self._last, self._original)
        self._optimizers = self._new_optimizers()
        self.generator.manual_seed(int(rng.integers(2**63)))
        self._lambda = LAMBDA_0
        self._next_batch()
        return self.observe()

    def scale_learning_rate(self, factor: float) -> None:
        """See ``Process.scale_learning_rate``; that of θ."""
        self._optimizers[0].param_groups[0]["lr"] = factor * self.learning_rate

    def _drawn(self, generator: Generator, pairs: int) -> Draw:
        """Draw B rows of retained labels, by their frequencies, and B rows of c_f."""
        kept = draw_labels(self._frequencies, pairs, generator)
        labels = torch.cat([kept, torch.full_like(kept, self.forget_label)])
        shape = image_shape(self.trio.teacher)
        return Draw.of(labels, shape, self.trio.schedule, generator).to(self._weights)

    @torch.enable_grad()
    def _next_batch(self) -> None:
        """Draw for ψ and for θ, and let ψ follow what θ makes now."""
        fake, self._draw = (self._drawn(self.generator, self.pairs) for _ in range(2))
        self._side_gradients = None
        each = self.trio.fake_losses(fake)
        weight = self._lambda if self._fake_weight == TIED else float(self._fake_weight)
        loss = each[: self.pairs].mean() + weight * each[self.pairs :].mean()
        direction = gradient(loss, self._fake_parameters).clamp_(-LARGEST_GRADIENT, LARGEST_GRADIENT)
        if direction.isfinite().all():  # if not, nor is what θ makes, and the next look at it says so
            self._fake.grad = direction
            self._optimizers[1].step()

    def errors(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return L_sfd and the divergence of some rows of one side of the minibatch, each (r,).

        Args:
            rows: of the retain side, below B, or of the forget side, from B on.
        """
        assert self._draw is not None
        draw = self._draw[rows]
        view = self.trio.look(draw)
        forget = int(rows[0]) >= self.pairs
        targets = self._targets(view, draw) if forget else own_labels(draw)
        return compared(self.trio, view, draw, targets, self._sharpness)

    @torch.no_grad()
    def _targets(self, view: View, draw: Draw) -> Targets:
        """Return the labels that stand in for c_f at the λ of now."""
        schedule = self.trio.schedule
        gamma, sigma = schedule.gamma[draw.timesteps], schedule.sigma[draw.timesteps]
        side = ForgetLatents(view.latents.detach(), gamma, sigma, view.fake.detach(), draw.uniform)
        return self.override.targets(side, self._lambda)

    def observe(self) -> Signals:
        """See ``Process.observe``."""
        if self._side_gradients is None:
            self._side_gradients = self._measure()
        return self._side_gradients.signals()

    def _measure(self) -> Sides:
        """Take the gradients of the two sides, each by plain autograd through θ, and through φ and ψ at its latents."""
        rows = torch.arange(2 * self.pairs, device=self.device).chunk(2)
        (retain, kept), (forget, gone) = (self._gradient(side) for side in rows)
        return Sides(retain, forget, kept, gone)

    @torch.enable_grad()
    def _gradient(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        surrogate, divergence = self.errors(rows)
        return gradient(surrogate.mean(), self._parameters), divergence

    def update(self, lam: float) -> Update:
        """See ``Process.update``.

        ``dloss_dlambda`` is the slope of the divergences' sum D_d + λ·D_f that is told as the loss, with draws, weights
        of the override and networks held fixed: D_f itself, which is never negative. It says nothing of what the update
        does to them.

        Raises:
            UserError: if the generator's parameters were replaced or frozen.
        """
        check_still_moved(self._parameters, self._weights)
        self.observe()
        if self.override.gated and lam != self._lambda:  # its weights know λ
            self._lambda = lam
            self._side_gradients = self._measure()
        sides = self._side_gradients
        assert sides is not None
        kept, gone = sides.kept.double(), sides.gone.double()
        retain_term, forget_term = float(kept.mean()), lam * float(gone.mean())
        moved = math.isfinite(retain_term + forget_term) and self._descend(sides.retain + lam * sides.forget)
        numbers = {
            "loss": retain_term + forget_term,
            "retain_term": retain_term,
            "forget_term": forget_term,
            "dloss_dlambda": float(gone.mean()),
            "dvariance_dlambda": 2 * float(((kept + lam * gone) * gone).mean()),
        }
        told = {name: number if math.isfinite(number) else 0.0 for name, number in numbers.items()}
        self._lambda = lam
        self._next_batch()
        return Update(**told, diverged=not moved)

    @torch.no_grad()
    def _descend(self, direction: Tensor) -> bool:
        """Clip each entry, step, average, and go back to the last weights if the new ones are not finite."""
        if not direction.isfinite().all():
            return False
        torch._foreach_copy_(self._last, self._tensors)
        self._weights.grad = direction.clamp_(-LARGEST_GRADIENT, LARGEST_GRADIENT)
        self._optimizers[0].step()
        self._tensors[2].lerp_(self._weights, 1.0 - self._ema)
        if math.isfinite(float(self._weights.norm())):
            return True
        self.undo()
        return False

    @torch.no_grad()
    def undo(self) -> None:
        """See ``Process.undo``; θ, its average and ψ go back."""
        torch._foreach_copy_(self._tensors, self._last)
        self._side_gradients = None

    @functools.cached_property
    def probe(self) -> Draw:
        """The draw of ``quality``: a fixed one, with timesteps spread evenly over those that are used."""
        drawn, schedule = self._drawn(Generator().manual_seed(PROBE_SEED), PROBE_SIZE), self.trio.schedule
        places = (torch.arange(PROBE_SIZE) + 0.5) / PROBE_SIZE
        steps = (schedule.first + places * (schedule.last + 1 - schedule.first)).long()
        drawn.timesteps.copy_(steps.repeat(2))
        return drawn

    @torch.no_grad()
    def quality(self) -> Quality:
        """Return how far θ is from the teacher, under retained labels and under c_f: there, far is forgotten."""
        seen = self.trio, self.trio.look(self.probe), self.probe, own_labels(self.probe)
        kept, gone = compared(*seen, self._sharpness)[1].chunk(2)
        return Quality(float(kept.mean()), float(gone.mean()))

    def state_dict(self) -> dict[str, Any]:
        """See ``Process.state_dict``."""
        assert self._draw is not None
        return {
            "tensors": [tensor.detach().clone() for tensor in self._tensors],
            "last": [tensor.clone() for tensor in self._last],
            "optimizers": [copy.deepcopy(optimizer.state_dict()) for optimizer in self._optimizers],
            "generator": self.generator.get_state(),
            "lambda": self._lambda,
            "draw": dict(vars(self._draw)),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See ``Process.load_state_dict``."""
        with torch.no_grad():
            torch._foreach_copy_(self._tensors, [tensor.to(self.device) for tensor in state["tensors"]])
            torch._foreach_copy_(self._last, [tensor.to(self.device) for tensor in state["last"]])
        self._optimizers = self._new_optimizers()
        for optimizer, own in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(copy.deepcopy(own))
        self.generator.set_state(state["generator"])
        self._lambda, self._draw = state["lambda"], Draw(**state["draw"]).to(self._weights)
        self._side_gradients = None
