"""A diffusion model on disk and in memory: diffusers' own network, scheduler and folder layout."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler, DiffusionPipeline, UNet2DModel
from torch import nn

from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.checkpoint import check_unet_config, find_layout, load_unet, model_folder
from unlearn_gym.models.diffusion.json_config import one_line, plain_config
from unlearn_gym.models.diffusion.schedules import as_ddpm, default_scheduler, load_scheduler, own_scheduler
from unlearn_gym.models.threads import seeded_weights
from unlearn_gym.storage.files import atomic_directory, settle

__all__ = ["DiffusionModel", "build_unet", "default_scheduler"]

KINDS = (
    "a diffusers folder, a DDPMPipeline or DDIMPipeline, a DiffusionModel, a pair (UNet2DModel, scheduler), or a "
    "UNet2DModel with scheduler="
)


@dataclass
class DiffusionModel:
    """A noise-predicting network with the noise schedule that it was trained on.

    Attributes:
        unet: predicts the noise of images (n, channels, height, width); class-conditional when its
            ``num_class_embeds`` is set.
        scheduler: the DDPM schedule (T, betas, ``prediction_type="epsilon"``) that everything computes with.
        given_scheduler: the scheduler that the model came with, where that is of another class; it is what
            ``save_pretrained`` writes.
    """

    unet: UNet2DModel
    scheduler: DDPMScheduler
    given_scheduler: Any = None

    @classmethod
    def of(cls, given: Any, scheduler: Any = None) -> DiffusionModel:
        """Take a diffusion model as whatever the user has; an object is copied and not changed.

        Args:
            given: one of ``KINDS``. A network is taken in float32, whatever type and device it is on, with its
                frozen weights still frozen.
            scheduler: the schedule of a network that comes without one: a scheduler of diffusers, its
                ``scheduler_config.json``, or the folder of either.

        Raises:
            UserError: one sentence on what is missing, damaged or not supported.
        """
        if isinstance(given, str | os.PathLike):
            return cls.load(given, scheduler)
        if isinstance(given, DiffusionModel):
            unet, own = given.unet, given.given_scheduler or given.scheduler
        elif isinstance(given, DiffusionPipeline):
            if set(given.components) != {"unet", "scheduler"}:
                raise UserError(
                    f"The {type(given).__name__} has the parts {', '.join(given.components)}; give a pipeline of "
                    "pixels, which has a UNet2DModel and a scheduler and nothing else."
                )
            unet, own = given.unet, given.scheduler
        elif isinstance(given, tuple | list) and len(given) == 2:
            unet, own = given
        else:
            unet, own = given, None
        if not isinstance(unet, UNet2DModel):
            raise UserError(f"A diffusion model cannot be read from {_named(unet)}; give {KINDS}.")
        return cls._checked(_copied(unet), own_scheduler(_only(own, scheduler, f"The {_named(given)}")))

    @classmethod
    def load(cls, path: str | os.PathLike[str], scheduler: Any = None) -> DiffusionModel:
        """Load a checkpoint in diffusers' format, from safetensors only.

        Args:
            path: a pipeline folder in a layout that ``DDPMPipeline.from_pretrained`` reads, the folder of a
                bare ``UNet2DModel``, or the name of either on the hub, such as ``"google/ddpm-cifar10-32"``.
            scheduler: see ``of``; a bare network needs it.

        Raises:
            UserError: when the folder is missing, damaged, not wholly understood, or of a model that does not
                predict the noise.
        """
        folder = model_folder(path)
        settle(folder)
        layout = find_layout(folder)
        stored = None if layout.scheduler is None else load_scheduler(layout.scheduler, layout.scheduler_kind)
        chosen = own_scheduler(_only(stored, scheduler, f"The model {path}"))
        return cls._checked(load_unet(layout.unet), chosen)

    @classmethod
    def _checked(cls, unet: UNet2DModel, scheduler: Any) -> DiffusionModel:
        """Put network and schedule together and try them out once."""
        for name, weight in unet.state_dict().items():
            if not weight.isfinite().all():
                raise UserError(
                    f"The network's weight {name} is not finite; give a model whose training did not fail."
                )
        if not any(weight.requires_grad for weight in unet.parameters()):
            raise UserError("All weights of the network are frozen; call requires_grad_(True) on it first.")
        schedule = as_ddpm(scheduler)
        model = cls(unet, schedule, None if schedule is scheduler else scheduler)
        model._try_out()
        return model

    @torch.no_grad()
    def _try_out(self) -> None:
        """Predict the noise of two black images, at the ends of the schedule."""
        config, steps = self.unet.config, self.scheduler.config["num_train_timesteps"]
        images = torch.zeros(2, config["in_channels"], *image_size(config))
        labels = torch.tensor([0, config["num_class_embeds"] - 1]) if config["num_class_embeds"] else None
        try:
            found = self.unet(images, torch.tensor([0, steps - 1]), class_labels=labels).sample
        except Exception as error:  # a foreign network fails in any way
            raise UserError(
                f"The network fails on images of shape {tuple(images.shape[1:])} at the steps 0 and {steps - 1} "
                f"({one_line(error)}); give one that fits its config and its schedule."
            ) from error
        if found.shape != images.shape or not found.isfinite().all():
            raise UserError(
                f"The network turns images of shape {tuple(images.shape)} at the steps 0 and {steps - 1} into shape "
                f"{tuple(found.shape)} or numbers that are not finite; give one that predicts their noise."
            )

    def save_pretrained(self, path: str | Path) -> None:
        """Write a diffusers pipeline folder (``model_index.json``, ``unet/``, ``scheduler/``), atomically.

        The scheduler is written as the one that the model came with.
        """
        scheduler = self.given_scheduler or self.scheduler
        pipeline = DDIMPipeline if type(scheduler) is DDIMScheduler else DDPMPipeline
        with atomic_directory(path) as folder:
            pipeline(unet=self.unet, scheduler=scheduler).save_pretrained(folder)


def image_size(config: Any) -> tuple[int, int]:
    """Return height and width of the images of a network with this configuration."""
    size = config["sample_size"]
    return (size, size) if isinstance(size, int) else (size[0], size[-1])


def build_unet(
    size: int,
    channels: int,
    num_classes: int,
    widths: Sequence[int] = (16, 32),
    layers_per_block: int = 1,
    norm_groups: int = 8,
) -> UNet2DModel:
    """Return a fresh UNet without attention, for images (n, channels, size, size).

    The weights come from the global generator; wrap the call in ``threads.seeded_weights``.

    Args:
        size: height and width in pixels.
        channels: colour channels.
        num_classes: class labels, or 0 for an unconditional network.
        widths: feature maps at each resolution, halved from one to the next.
        layers_per_block: residual layers at each resolution.
        norm_groups: groups of the group norms; divides every width.
    """
    return UNet2DModel(
        sample_size=size,
        in_channels=channels,
        out_channels=channels,
        num_class_embeds=num_classes or None,
        block_out_channels=tuple(widths),
        layers_per_block=layers_per_block,
        down_block_types=("DownBlock2D",) * len(widths),
        up_block_types=("UpBlock2D",) * len(widths),
        add_attention=False,
        norm_num_groups=norm_groups,
    )


def _only(own: Any, given: Any, name: str) -> Any:
    """Return the one schedule of the two, neither of which may be a guess."""
    if own is None and given is None:
        raise UserError(
            f"{name} comes without a noise schedule, and another one than that of its training would give wrong "
            "results; give the pipeline's folder, or scheduler= (DDPMScheduler() of diffusers has the schedule of "
            "Ho et al. 2020)."
        )
    if own is not None and given is not None:
        raise UserError(
            f"{name} has a noise schedule of its own; leave scheduler= out, or give the network alone."
        )
    return given if own is None else own


def _copied(unet: UNet2DModel) -> UNet2DModel:
    """Return the network built anew from its config with the same weights, in eval mode, in float32 on the CPU.

    Hooks, compilation, offloading and gradients of the user's object stay behind.
    """
    check_unet_config(unet.config, "The network's config")
    try:
        with seeded_weights(0):
            copied = type(unet).from_config(plain_config(unet.config))
        copied = nn.Module.to(copied, device="cpu", dtype=torch.float32)
        copied.load_state_dict(unet.state_dict())
    except Exception as error:  # a changed network fails in many ways
        raise UserError(
            f"The {_named(unet)} is not the network of its config ({one_line(error)}); give one that diffusers' "
            "save_pretrained and from_pretrained would bring back."
        ) from error
    frozen = {name for name, weight in unet.named_parameters() if not weight.requires_grad}
    for name, weight in copied.named_parameters():
        weight.requires_grad_(name not in frozen)
    return copied.eval()


def _named(given: Any) -> str:
    return type(given).__name__
