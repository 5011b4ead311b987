"""Unlearning a class-conditional variational autoencoder."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Generator, Tensor

from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError
from unlearn_gym.models.vae.bounds import divergence, elbo_error, reconstruction_error
from unlearn_gym.models.vae.network import VAE, Decoded, grey_values
from unlearn_gym.objectives.base import Draw
from unlearn_gym.objectives.vae.redirect import redirected
from unlearn_gym.processes.base import Quality
from unlearn_gym.processes.common.passes import forward
from unlearn_gym.processes.common.stream import Shuffled, favour
from unlearn_gym.processes.gradient import GradientProcess
from unlearn_gym.runtime.checks import one_of

TRAINS = ("decoder", "all")
"""Which weights an update moves."""
PROBE_SIZE = 128
FIXED_SEED = 0


@dataclass(frozen=True)
class CodeDraw:
    """The random numbers of one minibatch of B pairs, on the CPU; none depends on an action.

    Attributes:
        retain: indices into the retain set, shape (B,).
        forget: indices into the forget set, shape (B,).
        noise: ξ ~ N(0, I), one per pair and shared by its two images, shape (B, latent).
    """

    retain: Tensor
    forget: Tensor
    noise: Tensor


@dataclass(frozen=True)
class CodedBatch:
    """The 2B images of one minibatch: first B retain images, then B forget images.

    Attributes:
        images: shape (2B, channels, height, width), and their ``labels``, (2B,).
        noise: ξ, shape (2B, latent).
        numbers: of the objective's ``forget_error``, (2B, 2): errors before unlearning, and the number of pixels; None
            unless it ``needs_original``.
        codes: z under the original encoder, (2B, latent); None unless the objective ``redirects``.
        targets: grey values that the forget images' codes are decoded towards, (2B, D); None likewise.
    """

    images: Tensor
    labels: Tensor
    noise: Tensor
    numbers: Tensor | None = None
    codes: Tensor | None = None
    targets: Tensor | None = None


@dataclass(frozen=True)
class CodeProbe:
    """What ``quality`` decodes: codes z under the original encoder, and what they stand for, rows first."""

    codes: Tensor
    labels: Tensor
    grey: Tensor
    divergence: Tensor


class VAEProcess(GradientProcess):
    """θ, and the negative ELBO of B retain and B forget images, in nats a pixel above the entropy of their grey values.

    One ξ is shared by the two images of a pair. With ``trains="decoder"`` the encoder stays as it was. With "all" the
    bound can be ruined through the encoder alone, by codes that mean nothing, while the decoder goes on drawing what
    was to be forgotten; so ``quality`` takes the codes of the original encoder, whatever is trained.

    Args:
        model: the network; it is moved and changed in place.
        data: the request.
        trains: one of ``TRAINS``.
        settings: the keywords of ``GradientProcess``.

    Attributes:
        model: the network as it is now.
        data: the request.
        retain: what is kept, on the device, and ``forget`` what is to be forgotten.
    """

    model: VAE

    def __init__(self, model: VAE, data: UnlearningData, *, trains: str = "decoder", **settings: Any) -> None:
        one_of("trains", trains, TRAINS)
        model.encoder.requires_grad_(trains == "all")
        super().__init__(model.eval(), **settings)
        if self.objective.retain_target != "noise":
            raise UserError(
                f"retain_target={self.objective.retain_target!r} is of networks that predict noise, and a VAE predicts "
                "none; leave it out."
            )
        self.trains, self.data = trains, data
        self.retain, self.forget = self._move(data.retain), self._move(data.forget)
        self._orders = [Shuffled(len(part), self.generator) for part in (self.retain, self.forget)]
        self._drawn: CodeDraw | None = None
        self._batch: CodedBatch | None = None

    def _move(self, part: LabelledSet) -> LabelledSet:
        return LabelledSet(part.inputs.to(self.device, self.dtype), part.labels.to(self.device))

    @property
    def original_model(self) -> VAE:
        """The network before unlearning, frozen."""
        return self._original_model  # type: ignore[return-value]

    def draw_batch(self) -> None:
        """See ``GradientProcess.draw_batch``."""
        retain, forget = (order.take(self.pairs) for order in self._orders)
        noise = torch.randn(self.pairs, self.model.latent, generator=self.generator)
        self._use(CodeDraw(retain, forget, noise))

    def reset_stream(self) -> None:
        """See ``GradientProcess.reset_stream``."""
        for order in self._orders:
            order.reset()

    def _use(self, drawn: CodeDraw) -> None:
        """Go over to another minibatch, and prepare what the objective wants to know of it."""
        batch = self._plain_batch(drawn)
        with torch.no_grad():
            if self.objective.needs_original:
                before = elbo_error(self._pass(self.original_model, batch), batch.images)
                numbers = torch.stack([before, torch.full_like(before, self.model.pixels)], 1)
                batch = replace(batch, numbers=numbers)
            if self.objective.redirects:
                forgotten = self._redirected[drawn.forget.to(self.device)]
                targets = torch.cat([torch.zeros_like(forgotten), forgotten])
                batch = replace(batch, codes=_codes(self.original_model, batch)[0], targets=targets)
        self._drawn, self._batch = drawn, batch

    def _plain_batch(self, drawn: CodeDraw) -> CodedBatch:
        kept, gone = drawn.retain.to(self.device), drawn.forget.to(self.device)
        return CodedBatch(
            torch.cat([self.retain.inputs[kept], self.forget.inputs[gone]]),
            torch.cat([self.retain.labels[kept], self.forget.labels[gone]]),
            drawn.noise.to(self.device, self.dtype).repeat(2, 1),
        )

    @functools.cached_property
    def _redirected(self) -> Tensor:
        grey = [LabelledSet(grey_values(side.inputs), side.labels) for side in (self.forget, self.retain)]
        return redirected(*grey)

    @property
    def draw(self) -> Draw:
        """See ``GradientProcess.draw``; there is no mixture, so that nothing was drawn for one."""
        nothing = torch.zeros(self.pairs, device=self.device, dtype=self.dtype)
        return Draw(nothing, nothing, nothing)

    def errors(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return each row's negative ELBO, and what the objective makes of it, each (r,)."""
        assert self._batch is not None
        batch = self._batch
        found = self._pass(self.model, batch, rows)
        own = elbo_error(found, batch.images[rows])
        if batch.targets is not None:
            return own, reconstruction_error(found.logits, batch.targets[rows])
        numbers = None if batch.numbers is None else batch.numbers[rows]
        return own, self.objective.forget_error(own, numbers)

    def _pass(self, model: VAE, batch: CodedBatch, rows: Tensor | slice = slice(None)) -> Decoded:
        given = batch.images[rows], batch.labels[rows], batch.noise[rows]
        if batch.codes is None:
            return forward(model, *given)
        is_forget = torch.arange(len(batch.images), device=self.device) >= self.pairs
        return forward(model, *given, codes=batch.codes[rows], fixed=is_forget[rows])

    def forget_losses(self) -> Iterator[Tensor]:
        """See ``GradientProcess.forget_losses``; the negative ELBO with fixed ξ."""
        generator = Generator().manual_seed(FIXED_SEED)
        for rows in torch.arange(len(self.forget)).split(self.pairs):
            noise = torch.randn(len(rows), self.model.latent, generator=generator)
            images, labels = self.forget.inputs[rows], self.forget.labels[rows]
            yield elbo_error(forward(self.model, images, labels, noise.to(images)), images).mean()

    @functools.cached_property
    def probe(self) -> CodeProbe:
        """The codes of ``quality``; every second retain image has the label of the forget set, if there is one."""
        generator = Generator().manual_seed(FIXED_SEED)
        kept, gone = (Shuffled(len(p), generator).take(PROBE_SIZE) for p in (self.retain, self.forget))
        favour(kept, self.data.retain.labels, self.data.forget_label, generator)
        noise = torch.randn(PROBE_SIZE, self.model.latent, generator=generator)
        batch = self._plain_batch(CodeDraw(kept, gone, noise))
        with torch.no_grad():
            codes, distance = _codes(self.original_model, batch)
        return CodeProbe(codes, batch.labels, grey_values(batch.images), distance)

    @torch.no_grad()
    def quality(self) -> Quality:
        """Return the negative ELBO of 128 retain and 128 forget images in the original encoder's codes."""
        probe = self.probe
        found = reconstruction_error(self.model.decode(probe.codes, probe.labels), probe.grey)
        retain, forget = (found + probe.divergence / self.model.pixels).split(PROBE_SIZE)
        return Quality(float(retain.mean()), float(forget.mean()))

    def state_dict(self) -> dict[str, Any]:
        """See ``Process.state_dict``."""
        return {
            **super().state_dict(),
            "orders": [order.state_dict() for order in self._orders],
            "drawn": None if self._drawn is None else dict(vars(self._drawn)),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See ``Process.load_state_dict``."""
        super().load_state_dict(state)
        for order, left in zip(self._orders, state["orders"], strict=True):
            order.load_state_dict(left)
        if state["drawn"] is not None:
            self._use(CodeDraw(**state["drawn"]))


def _codes(model: VAE, batch: CodedBatch) -> tuple[Tensor, Tensor]:
    """Return z = μ + √v·ξ of each image, (n, latent), and the divergence of its posterior from the prior, (n,)."""
    mean, log_variance = model.encode(batch.images, batch.labels)
    return mean + (log_variance / 2).exp() * batch.noise, divergence(mean, log_variance)
