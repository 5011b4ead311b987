"""Settings that depend on the network, chosen from its losses at the start where the user says "auto"."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.envs.checks import AUTO
from unlearn_gym.envs.options import DiffusionOptions, as_device
from unlearn_gym.errors import UserError
from unlearn_gym.metrics.losses import DenoisingProbe
from unlearn_gym.models.diffusion.model import DiffusionModel

CAP = 2.25
"""``forget_cap`` in units of the larger of the two losses at the start."""
PRICE = 4.0
"""``retain_weight`` times the retain loss at the start: what doubling that loss costs, where forgetting earns 1."""
HARM = 0.004
"""Share by which one update of the size ``learning_rate`` may raise the retain loss, if it does nothing but forget."""
LEARNING_RATES = (1e-7, 1e-2)
SIGNED = ("adam", "adamw", "signsgd", "signadam")
"""Optimizers whose first update moves every weight by the learning rate, in the direction of the gradient's sign."""
PROBE_SIZE = 64
PROBES = 4
HALVINGS = 8


def settle(options: DiffusionOptions, model: DiffusionModel, data: UnlearningData) -> DiffusionOptions:
    """Return the options with a number in the place of every "auto", the same at every call.

    Let L_retain and L_forget be the denoising losses of the original network on 4 x 64 images of each set, drawn
    with a fixed seed, at timesteps spread over the schedule. Then

    - ``forget_cap`` = 2.25·max(L_retain, L_forget),
    - ``retain_weight`` = 4/L_retain,
    - ``learning_rate`` = the δ at which θ + δ·sign(∇L_forget), the first Adam step that only forgets, has a
      retain loss 0.4 % above L_retain; a mean of four such steps, found by bisection between 1e-7 and 1e-2.

    Args:
        options: of the environment; a learning rate can be chosen for the optimizers in ``SIGNED``.
        model: the original network; its weights are the same afterwards.
        data: the request.

    Raises:
        UserError: when nothing can be chosen.
    """
    rate = options.learning_rate == AUTO
    if not rate and not options.waiting("objective") and not options.waiting("reward"):
        return options.resolved()
    if rate and options.optimizer not in SIGNED:
        raise UserError(
            f"learning_rate='auto' is not offered for optimizer={options.optimizer!r}; give a number or one of "
            f"{', '.join(SIGNED)}."
        )
    device = as_device(options.device)
    nn.Module.to(model.unet, device=device)
    conditional = data.num_classes > 0
    retain, forget = (_probes(model, part, conditional) for part in (data.retain, data.forget))
    kept, forgotten = _mean_loss(model, retain), _mean_loss(model, forget)
    if not 0 < kept < math.inf or not 0 < forgotten < math.inf:
        raise UserError(
            f"Nothing can be chosen from a retain loss of {kept:g} and a forget loss of {forgotten:g} at the start; "
            "give numbers, or another model."
        )
    chosen = {"forget_cap": CAP * max(kept, forgotten), "retain_weight": PRICE / kept}
    if rate:
        chosen["learning_rate"] = _harmless_rate(model, retain, forget, (1 + HARM) * kept)
    return options.resolved(**chosen)


def _probes(model: DiffusionModel, part: LabelledSet, conditional: bool) -> list[DenoisingProbe]:
    generator = Generator().manual_seed(0)
    rows = torch.randint(len(part), (PROBES, PROBE_SIZE), generator=generator)
    steps = model.scheduler.config["num_train_timesteps"]
    return [
        DenoisingProbe.draw(
            LabelledSet(part.inputs[some], part.labels[some]), conditional, PROBE_SIZE, steps, generator
        )
        for some in rows
    ]


def _mean_loss(model: DiffusionModel, probes: Sequence[DenoisingProbe]) -> float:
    return sum(probe.loss(model.unet, model.scheduler) for probe in probes) / len(probes)


def _harmless_rate(
    model: DiffusionModel, retain: Sequence[DenoisingProbe], forget: Sequence[DenoisingProbe], bound: float
) -> float:
    weights = [weight for weight in model.unet.parameters() if weight.requires_grad]
    original = [weight.detach().clone() for weight in weights]
    ways = [_signs(model, weights, probe) for probe in forget]

    @torch.no_grad()
    def harmed(rate: float) -> bool:
        losses = []
        for way, probe in zip(ways, retain, strict=True):
            torch._foreach_copy_(weights, original)
            torch._foreach_add_(weights, way, alpha=rate)
            losses.append(probe.loss(model.unet, model.scheduler))
        torch._foreach_copy_(weights, original)
        return not sum(losses) / len(losses) <= bound

    low, high = (math.log(end) for end in LEARNING_RATES)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if harmed(math.exp(middle)) else (middle, high)
    return math.exp((low + high) / 2)


@torch.enable_grad()
def _signs(model: DiffusionModel, weights: list[Tensor], probe: DenoisingProbe) -> list[Tensor]:
    """Return the signs of the forget loss's gradient: where each weight goes to forget."""
    noise, device = probe.noise.to(weights[0]), weights[0].device
    labels = None if probe.labels is None else probe.labels.to(device)
    timesteps = probe.timesteps.to(device)
    noised = model.scheduler.add_noise(probe.images.to(noise), noise, timesteps)
    error = (model.unet(noised, timesteps, class_labels=labels).sample - noise).square().mean()
    return [torch.sign(part) for part in torch.autograd.grad(error, weights, materialize_grads=True)]
