"""Noise schedules of other people's models: which schedulers are understood, and the DDPM schedule each means.

A scheduler of diffusers says two things: on which noise levels the network was trained, and how images are drawn.
Unlearning asks for the first alone, which all classes in ``KINDS`` say in the same way: by betas.
"""

from __future__ import annotations

import os
from typing import Any

import diffusers
import torch
from diffusers import DDPMScheduler

from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.json_config import check_config, one_line, plain_config, read_config
from unlearn_gym.models.diffusion.sampling import SAMPLING
from unlearn_gym.storage.files import user_path

FILE = "scheduler_config.json"
KINDS: dict[str, Any] = {
    name: getattr(diffusers, name)
    for name in (
        "DDPMScheduler",
        "DDPMParallelScheduler",
        "DDIMScheduler",
        "DDIMParallelScheduler",
        "PNDMScheduler",
        "DPMSolverMultistepScheduler",
        "DPMSolverSinglestepScheduler",
        "DEISMultistepScheduler",
        "UniPCMultistepScheduler",
        "EulerDiscreteScheduler",
        "EulerAncestralDiscreteScheduler",
        "HeunDiscreteScheduler",
        "KDPM2DiscreteScheduler",
        "KDPM2AncestralDiscreteScheduler",
    )
}
"""Schedulers of a network that was trained to predict the noise of √ᾱ·x + √(1 − ᾱ)·ε."""

MOST_STEPS = 100_000


def default_scheduler() -> DDPMScheduler:
    """Return DDPM's schedule (Ho et al. 2020): T = 1,000, linear betas 1e-4 to 0.02, noise prediction."""
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        prediction_type="epsilon",
    )


def load_scheduler(path: str | os.PathLike[str], kind: str | None = None) -> Any:
    """Load a scheduler as the class that its file names.

    Args:
        path: a ``scheduler_config.json``, its folder, or a pipeline's folder.
        kind: the class, where ``model_index.json`` says it.

    Raises:
        UserError: when it cannot be read or is not understood.
    """
    path = user_path(path)
    inner = path / "scheduler"
    file = path if path.is_file() else (inner if (inner / FILE).is_file() else path) / FILE
    config = read_config(file)
    name = kind or config.get("_class_name")
    if not isinstance(name, str) or name not in KINDS:
        raise _unknown_kind(name, file)
    _check_settings(config, KINDS[name], file)
    try:
        scheduler = KINDS[name].from_config({**config, "_class_name": name})
    except Exception as error:  # the libraries below fail in many ways
        raise UserError(f"The schedule in {file} cannot be built ({one_line(error)}); correct it.") from error
    return _checked(scheduler, file)


def own_scheduler(scheduler: Any) -> Any:
    """Return a copy of a scheduler object of the user's, as it was before ``set_timesteps``.

    Raises:
        UserError: when it is not understood.
    """
    if isinstance(scheduler, str | os.PathLike):
        return load_scheduler(scheduler)
    name = type(scheduler).__name__
    if type(scheduler) is not KINDS.get(name):
        raise _unknown_kind(name, "The given scheduler")
    _check_settings(scheduler.config, KINDS[name], "The given scheduler")
    copied = KINDS[name].from_config(plain_config(scheduler.config))
    same = [
        torch.equal(getattr(copied, key), getattr(scheduler, key).cpu())
        for key in ("betas", "alphas_cumprod")
    ]
    if not all(same):
        raise UserError(
            "The given scheduler has other betas than its config says, so it could not be saved; make it anew "
            "with trained_betas=[...]."
        )
    return _checked(copied, "The given scheduler")


def as_ddpm(scheduler: Any) -> DDPMScheduler:
    """Return the DDPM schedule on the same noise levels, with the same clipping of samples."""
    if type(scheduler) is DDPMScheduler:
        return scheduler
    config = scheduler.config
    return DDPMScheduler(
        num_train_timesteps=config["num_train_timesteps"],
        trained_betas=scheduler.betas.tolist(),
        prediction_type="epsilon",
        **{name: config[name] for name in SAMPLING if name in config},
    )


def _unknown_kind(name: Any, where: Any) -> UserError:
    return UserError(
        f"{where} is a {name!r:.60}, which is not understood; give one of {', '.join(KINDS)}, the schedule that "
        "the network was trained on."
    )


def _check_settings(config: Any, kind: type, where: Any) -> None:
    """Refuse what would build another schedule than the network's, before it is built."""
    required: tuple[str, ...] = ("num_train_timesteps",)
    if config.get("trained_betas") is None:
        required += ("beta_schedule", "beta_start", "beta_end")
    check_config(config, kind, required, where)
    steps = config["num_train_timesteps"]
    if not 2 <= steps <= MOST_STEPS:
        raise UserError(f"{where} says num_train_timesteps={steps}; give 2 to {MOST_STEPS}.")
    predicts = config.get("prediction_type", "epsilon")
    if predicts != "epsilon":
        raise UserError(
            f"{where} says that the network predicts {predicts!r}; give one with prediction_type 'epsilon'."
        )
    if config.get("use_flow_sigmas") or config.get("timestep_type", "discrete") != "discrete":
        raise UserError(
            f"{where} is no schedule of discrete betas; give the one that the network was trained on."
        )


def _checked(scheduler: Any, where: Any) -> Any:
    """Return the scheduler if every noise level lies strictly between none and nothing but noise."""
    betas, alphas = scheduler.betas, scheduler.alphas_cumprod
    steps = scheduler.config["num_train_timesteps"]
    if betas.shape != (steps,):
        raise UserError(
            f"{where} has betas of shape {tuple(betas.shape)} for num_train_timesteps={steps}; give one beta a step."
        )
    wrong = ~((betas > 0) & (betas < 1))  # NaN is wrong too
    if wrong[-1] and betas[-1] == 1 and wrong.sum() == 1:
        raise UserError(
            f"{where} ends at pure noise (rescale_betas_zero_snr), where a predicted noise says nothing of the "
            "image; give a network and schedule trained without it."
        )
    if wrong.any():
        step = int(wrong.nonzero()[0])
        raise UserError(
            f"{where} has beta {betas[step].item():g} at step {step}; give betas between 0 and 1."
        )
    if not ((alphas > 0) & (alphas < 1)).all():
        raise UserError(
            f"{where} has noise levels that float32 cannot tell from none or from pure noise; give larger first "
            "betas, or smaller or fewer ones."
        )
    return scheduler
