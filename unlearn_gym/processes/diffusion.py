"""Unlearning a noise-predicting diffusion model (DDPM, Ho et al. 2020)."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor

from unlearn_gym.data.split import LabelledSet, UnlearningData, joined
from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.noise_levels import levels_of
from unlearn_gym.objectives.base import SOURCES, Draw, ForgetSide
from unlearn_gym.processes.base import Dampened, Quality
from unlearn_gym.processes.common.checks import check_kind
from unlearn_gym.processes.common.dampening import Dampening, mean_square
from unlearn_gym.processes.common.fixed_noise import FixedNoise
from unlearn_gym.processes.common.latents import Latents, RawDraw, mixture
from unlearn_gym.processes.common.passes import forward, gradient
from unlearn_gym.processes.common.stream import Shuffled, favour
from unlearn_gym.processes.gradient import GradientProcess
from unlearn_gym.runtime.checks import one_of

if TYPE_CHECKING:
    from diffusers import DDPMScheduler, UNet2DModel

PROBE_SIZE = 32
PROBE_SEED = 0
IMPORTANCE_EXAMPLES = 500
"""Passes of single images, of each set, that the importance of a weight is the mean of."""


class DiffusionProcess(GradientProcess):
    """θ, the noise-prediction loss, and pairs of a retain image x and a forget image a.

    One time and one noise are shared by the two latents of a pair. For a class-conditional network the
    mixture is over (latent, label): each latent is predicted under its own source's label, and where the two
    labels differ the densities do not overlap.

    Args:
        unet: network predicting ε, class-conditional or not.
        scheduler: its noise schedule.
        data: the request.
        start: "ssd:A:B" dampens the network before the first update; see ``common.dampening``.
        time: "discrete" or "continuous", and
        time_weight: what an error counts at a time; see ``models.diffusion.noise_levels``.
        sampler: how images are drawn from the network, a name in ``models.diffusion.sampling.SAMPLERS``; that of its
            time by default.
        settings: the keywords of ``GradientProcess``.

    Attributes:
        model: the network as it is now.
        levels: when and how much latents are noised.
        data: the request.
        retain: what is kept, on the device.
        keep: what x is drawn from, and ``forget`` what a is.
        probe: the latents of ``quality``.
    """

    model: UNet2DModel

    def __init__(
        self,
        unet: UNet2DModel,
        scheduler: DDPMScheduler,
        data: UnlearningData,
        *,
        start: str | None = None,
        time: str = "discrete",
        time_weight: str = "simple",
        sampler: str | None = None,
        **settings: Any,
    ) -> None:
        kind = levels_of(time, time_weight)
        check_kind(unet, whole=kind.whole)
        self.dampening = None if start is None else Dampening.of(start)
        unet.eval()
        super().__init__(unet, **settings)
        self.scheduler = scheduler
        one_of("x_from", self.objective.x_from, SOURCES)
        self._conditional = unet.class_embedding is not None
        self.levels = kind(scheduler, time_weight, self.device, self.dtype)
        self.sampler = kind.sampler if sampler is None else sampler
        self._fixed_noise = FixedNoise(self.model, self.levels, self._conditional)
        self.use(data)

    def use(self, data: UnlearningData) -> None:
        """Go over to a request; the next ``reset`` starts on it."""
        self.data = data
        self.objective = self.objective.with_sizes(len(data.retain) + len(data.forget), len(data.forget))
        self.retain, self.forget = self._move(data.retain), self._move(data.forget)
        from_all = self.objective.x_from == "all"
        self.keep = joined(self.retain, self.forget) if from_all else self.retain
        self._keep_order = Shuffled(len(self.keep), self.generator)
        self._forget_order = Shuffled(len(self.forget), self.generator)
        self._raw: RawDraw | None = None
        self._latents: Latents | None = None
        for made in ("probe", "mask", "_dampened"):  # of the request before
            vars(self).pop(made, None)

    def _move(self, part: LabelledSet) -> LabelledSet:
        return LabelledSet(part.inputs.to(self.device, self.dtype), part.labels.to(self.device))

    def draw_raw(
        self,
        generator: Generator,
        keep: Shuffled,
        forget: Shuffled,
        pairs: int,
        times: Tensor | None = None,
    ) -> RawDraw:
        """Draw a minibatch's random numbers; the times may be given."""
        shape = (pairs, *self.forget.inputs.shape[1:])
        random_times = self.levels.draw(pairs, generator)
        return RawDraw(
            retain=keep.take(pairs),
            forget=forget.take(pairs),
            timesteps=random_times if times is None else times,
            noise=torch.randn(shape, generator=generator),
            uniform=torch.rand(pairs, generator=generator),
            target=self.objective.draw_target(shape, generator),
        )

    @functools.cached_property
    def probe(self) -> Latents:
        """The latents of ``quality``: a fixed batch with times spread evenly.

        Every second retain image has the label under which the forget set was learned, if there is one: the
        damage of forgetting shows there first. The forget target is the true noise under every objective.
        """
        generator = Generator().manual_seed(PROBE_SEED)
        keep, forget = (Shuffled(len(part), generator) for part in (self.data.retain, self.data.forget))
        raw = self.draw_raw(generator, keep, forget, PROBE_SIZE, self.levels.spread(PROBE_SIZE))
        label = self.data.forget_label if self._conditional else None
        favour(raw.retain, self.data.retain.labels, label, generator)
        return self.noised(raw, redirect=False)

    def draw_batch(self) -> None:
        """See ``GradientProcess.draw_batch``."""
        raw = self.draw_raw(self.generator, self._keep_order, self._forget_order, self.pairs)
        self._raw = raw.sorted()
        self._latents = self.noised(self._raw)

    def forget_losses(self) -> Iterator[Tensor]:
        """See ``GradientProcess.forget_losses``; each image at ten times spread evenly, with fixed noise."""
        return self._fixed_noise.batches(self.forget, self.pairs)

    @property
    def dampened(self) -> Dampened | None:
        """See ``Process.dampened``."""
        return None if self.dampening is None else self._dampened

    @functools.cached_property
    def _dampened(self) -> Dampened:
        """The original network dampened, made when it is first asked for: it knows neither seed nor action.

        Importances are means of squared gradients of single images, at the same ten times in both sets.
        """
        assert self.dampening is not None
        sets, weights = (self.retain, self.forget), self.original[0].clone()
        squares = [functools.partial(self._importance, part) for part in sets]
        with self.before_unlearning():
            share = self.dampening.apply(weights, squares, [len(part) for part in sets])
            return Dampened(weights, share, self.quality())

    def _importance(self, part: LabelledSet) -> Tensor:
        losses = self._fixed_noise.singles(part, IMPORTANCE_EXAMPLES)
        return mean_square(gradient(loss, self.parameters) for loss in losses)

    def reset_stream(self) -> None:
        """See ``GradientProcess.reset_stream``."""
        self._keep_order.reset()
        self._forget_order.reset()

    def noised(self, raw: RawDraw, *, redirect: bool = True) -> Latents:
        """Make the latents γx + σε and γa + σε, their targets (m − γx)/σ and (m − γa)/σ, and δ.

        The target of a latent under its own image is ε. The objective may redirect those of the forget latents, and
        have the original network say those of the retain latents, unless ``redirect`` is False.
        """
        x, a = self.keep.inputs[raw.retain], self.forget.inputs[raw.forget]
        noise, at = raw.noise.to(self.device, self.dtype), self.levels.at(raw.timesteps)
        gamma, sigma = at.gamma, at.sigma
        wide = (-1, *[1] * (x.ndim - 1))
        shift = (gamma / sigma).view(wide) * (x - a)
        x_labels, a_labels = self.keep.labels[raw.retain], self.forget.labels[raw.forget]
        overlap = x_labels == a_labels if self._conditional else torch.ones_like(x_labels, dtype=torch.bool)
        kept, forgotten = (y * gamma.view(wide) + noise * sigma.view(wide) for y in (x, a))
        to_x, to_a, numbers = noise, noise, None
        if redirect:
            conditions = (x_labels, a_labels) if self._conditional else (None, None)
            if self.objective.retain_target == "teacher":
                to_x = self.predict_originally(kept, at.label, conditions[0])
            side = ForgetSide(
                latents=forgotten,
                noise=noise,
                timesteps=at.label,
                gamma=gamma,
                sigma=sigma,
                labels=conditions[1],
                kept=kept,
                kept_labels=conditions[0],
                drawn=raw.target,
                retain_images=self.retain.inputs,
                retain_labels=self.retain.labels,
                original=self.predict_originally,
            )
            to_a, numbers = self.objective.forget_target(side), self.objective.forget_numbers(side)
        return Latents(
            noisy=torch.cat([kept, forgotten]),
            labels=torch.cat([x_labels, a_labels]) if self._conditional else None,
            timesteps=at.label.repeat(2),
            retain_target=torch.cat([to_x, noise - shift]),
            forget_target=torch.cat([noise + shift, to_a]),
            forget_numbers=None if numbers is None else torch.cat([torch.ones_like(numbers), numbers]),
            draw=mixture(raw.uniform, x - a, noise, gamma, sigma, overlap),
        )

    @torch.no_grad()
    def predict_originally(self, latents: Tensor, timesteps: Tensor, labels: Tensor | None) -> Tensor:
        """Return the noise that the network predicted before unlearning, of the latents' shape."""
        return forward(self._original_model, latents, timesteps, class_labels=labels).sample

    @property
    def draw(self) -> Draw:
        """See ``GradientProcess.draw``."""
        assert self._latents is not None
        return self._latents.draw

    def errors(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """See ``GradientProcess.errors``."""
        assert self._latents is not None
        return self.objective_errors(self._latents, rows)

    def objective_errors(self, latents: Latents, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the errors of some of the latents as the objective has them, each (r,)."""
        numbers = None if latents.forget_numbers is None else latents.forget_numbers[rows]
        if self.objective.couples:
            return self._coupled_errors(latents, rows, numbers)
        to_retain, to_forget = self.errors_of(latents, rows)
        return to_retain, self.objective.forget_error(to_forget, numbers)

    def _coupled_errors(
        self, latents: Latents, rows: Tensor, numbers: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the same where a forget latent's error depends on its pair's retain latent, which passes with it."""
        pairs = len(latents.timesteps) // 2
        forgotten = rows >= pairs
        passed, places = torch.cat([rows, rows[forgotten] - pairs]).unique(return_inverse=True)
        own, beside = places[: len(rows)], places[len(rows) :]
        to_retain, to_forget = self.errors_of(latents, passed)
        of_forgotten = None if numbers is None else numbers[forgotten]
        found = self.objective.pair_error(to_retain[beside], to_forget[own][forgotten], of_forgotten)
        return to_retain[own], to_forget[own].masked_scatter(forgotten, found)

    def errors_of(self, latents: Latents, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean squared errors of some of the latents towards both targets, each (r,)."""
        labels = None if latents.labels is None else latents.labels[rows]
        if self.model.training:  # dropout would draw from the global generator
            self.model.eval()
        named = {"class_labels": labels}
        predicted = forward(self.model, latents.noisy[rows], latents.timesteps[rows], **named).sample
        if predicted.shape != latents.noisy[rows].shape:
            raise UserError(
                f"The network returns {tuple(predicted.shape[1:])} numbers for an image of "
                f"{tuple(latents.noisy.shape[1:])}; one that predicts the noise and nothing else is needed."
            )
        to_retain = (predicted - latents.retain_target[rows]).square().flatten(1).mean(1)
        to_forget = (predicted - latents.forget_target[rows]).square().flatten(1).mean(1)
        return to_retain, to_forget

    @torch.no_grad()
    def quality(self) -> Quality:
        """Return the denoising losses of 32 retain and 32 forget images; see ``probe``."""
        rows = torch.arange(2 * PROBE_SIZE, device=self.device)
        retain, forget = self.errors_of(self.probe, rows)
        return Quality(float(retain[:PROBE_SIZE].mean()), float(forget[PROBE_SIZE:].mean()))

    def state_dict(self) -> dict[str, Any]:
        """See ``Process.state_dict``."""
        return {
            **super().state_dict(),
            "keep_order": self._keep_order.state_dict(),
            "forget_order": self._forget_order.state_dict(),
            "raw": None if self._raw is None else dict(vars(self._raw)),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See ``Process.load_state_dict``."""
        super().load_state_dict(state)
        self._keep_order.load_state_dict(state["keep_order"])
        self._forget_order.load_state_dict(state["forget_order"])
        self._raw = None if state["raw"] is None else RawDraw(**state["raw"])
        self._latents = None if self._raw is None else self.noised(self._raw)
