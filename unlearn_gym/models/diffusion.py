"""A diffusion model on disk and in memory: diffusers' own network, scheduler and folder layout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

from unlearn_gym.errors import UserError
from unlearn_gym.files import atomic_directory, settle

WEIGHTS = "diffusion_pytorch_model.safetensors"


@dataclass
class DiffusionModel:
    """A noise-predicting network with the noise schedule that it was trained on.

    Attributes:
        unet: predicts the noise of images (n, channels, size, size); class-conditional when its
            ``num_class_embeds`` is set.
        scheduler: the DDPM schedule (T, betas, ``prediction_type="epsilon"``).
    """

    unet: UNet2DModel
    scheduler: DDPMScheduler

    @classmethod
    def load(cls, path: str | Path) -> DiffusionModel:
        """Load a checkpoint in diffusers' format, from safetensors only.

        Args:
            path: a pipeline folder with ``unet/`` and ``scheduler/``, or the folder of a bare
                ``UNet2DModel``, which gets the default schedule (1,000 steps, linear, 1e-4 to 0.02).

        Raises:
            UserError: when the folder is missing, is no such checkpoint, or does not predict the noise.
        """
        path = Path(path).expanduser()
        if not path.is_dir():
            raise UserError(
                f"There is no model folder {path}; give a folder that diffusers' save_pretrained wrote."
            )
        settle(path)
        unet_folder = path / "unet" if (path / "unet").is_dir() else path
        model = cls(_load_unet(unet_folder), _load_scheduler(path))
        predicts = model.scheduler.config["prediction_type"]
        if predicts != "epsilon":
            raise UserError(
                f"The model {path} predicts {predicts!r}; give one with prediction_type 'epsilon'."
            )
        return model

    def save_pretrained(self, path: str | Path) -> None:
        """Write a diffusers pipeline folder (``model_index.json``, ``unet/``, ``scheduler/``), atomically."""
        with atomic_directory(path) as folder:
            DDPMPipeline(unet=self.unet, scheduler=self.scheduler).save_pretrained(folder)


def default_scheduler() -> DDPMScheduler:
    """Return DDPM's schedule (Ho et al. 2020): T = 1,000, linear betas 1e-4 to 0.02, noise prediction."""
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        prediction_type="epsilon",
    )


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


def _load_unet(folder: Path) -> UNet2DModel:
    try:
        kind = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("_class_name")
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder} has no readable config.json; give a diffusers UNet2DModel checkpoint."
        ) from error
    if kind != "UNet2DModel":
        raise UserError(f"{folder} holds a {kind}; give a diffusers UNet2DModel checkpoint.")
    if not any(folder.glob("*.safetensors")):
        raise UserError(f"{folder} has no {WEIGHTS}; save the model with safe_serialization=True.")
    try:
        return UNet2DModel.from_pretrained(folder, use_safetensors=True, low_cpu_mem_usage=False)
    except Exception as error:  # a damaged file fails in many ways in the libraries below
        raise UserError(f"The weights in {folder} cannot be read ({error}); save the model again.") from error


def _load_scheduler(folder: Path) -> DDPMScheduler:
    if not (folder / "scheduler").is_dir():
        return default_scheduler()
    try:
        return DDPMScheduler.from_pretrained(folder / "scheduler")
    except Exception as error:
        raise UserError(
            f"{folder / 'scheduler'} holds no readable scheduler_config.json; save it again."
        ) from error
