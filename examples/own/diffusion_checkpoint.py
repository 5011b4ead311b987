"""Unlearn from your own diffusers checkpoint, made in the way of ``google/ddpm-*``: a UNet2DModel and a DDPMScheduler.

    python examples/own/diffusion_checkpoint.py                                        # 40 seconds
    python examples/own/diffusion_checkpoint.py --model CHECKPOINT --keep IMAGES --forget IMAGES --output unlearned

Without a path a small unconditional checkpoint of scikit-learn's digits is trained first, in a temporary folder; its
zeros are to be forgotten. From the hub: give ``--model`` what ``huggingface_hub.snapshot_download`` returns. The same
in one command, with a report: ``unlearn-gym apply``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from sklearn.datasets import load_digits

import unlearn_gym  # noqa: F401 (registers the environments)


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Return scikit-learn's zeros, and the other digits: (n, 1, 8, 8) in [−1, 1]."""
    found = load_digits()
    images = torch.tensor(found.images, dtype=torch.float32)[:, None] / 8 - 1
    zeros = torch.tensor(found.target == 0)
    return images[zeros], images[~zeros]


def train_checkpoint(images: torch.Tensor, folder: Path, updates: int) -> None:
    """Train a DDPM as diffusers' own examples do, and save it."""
    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, layers_per_block=1, norm_num_groups=8,
        block_out_channels=(16, 32), down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    scheduler = DDPMScheduler()  # 1000 steps, betas that grow linearly: those of google/ddpm-*
    optimizer = torch.optim.AdamW(unet.parameters(), lr=1e-3)
    for _ in range(updates):
        batch = images[torch.randint(len(images), (64,))]
        noise, t = torch.randn_like(batch), torch.randint(len(scheduler), (64,))
        predicted = unet(scheduler.add_noise(batch, noise, t), t).sample
        torch.nn.functional.mse_loss(predicted, noise).backward()
        optimizer.step()
        optimizer.zero_grad()
    DDPMPipeline(unet, scheduler).save_pretrained(folder)


def unlearn(model: Any, keep: Any, forget: Any, updates: int, lam: float, learning_rate: Any) -> gym.Env:
    """Return the environment after ``updates`` at a constant λ; any policy could choose λ at every step."""
    env = gym.make(
        "unlearn_gym/SISS-v0",
        model=model,
        retain_data=keep,  # a folder of images, or arrays
        forget_data=forget,
        objective="weighted",  # (1 − λ)·L_retain − λ·cap·tanh(L_forget/cap)
        objective_kwargs={"forget_cap": "auto"},  # chosen from the losses at the start, as what follows
        reward="progress",
        reward_kwargs={"forget_cap": "auto", "retain_weight": "auto"},
        learning_rate=learning_rate,
        state="lagged",  # no pass of its own for a state that nobody looks at
        horizon=updates,
    )
    _, info = env.reset(seed=0)
    done = False
    while not done:
        if info["step"] % max(updates // 5, 1) == 0:
            _say(info["step"], env)
        _, _, done, _, info = env.step([lam])
    _say(info["step"], env)
    return env


def _say(update: int, env: gym.Env) -> None:
    """Print the denoising losses on fixed examples: how well the model predicts the noise in either set's images."""
    losses = env.unwrapped.process.quality()  # type: ignore[attr-defined]
    print(f"update {update:4}: loss to keep {losses.retain_loss:.3f}, to forget {losses.forget_loss:.3f}")


def main() -> None:
    """Unlearn, save a diffusers folder, and read it as diffusers does."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="a diffusers folder")
    parser.add_argument("--keep", help="images it was trained on, without those to forget")
    parser.add_argument("--forget", help="images to forget")
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument(
        "--learning-rate", type=float, help="by default: a careful one by a short test of your model"
    )
    parser.add_argument("--lam", type=float, default=0.5, help="λ, the weight of forgetting")
    parser.add_argument(
        "--training", type=int, default=400, help="updates of the small checkpoint, where no --model"
    )
    parser.add_argument("--output", type=Path, default=Path("unlearned"))
    chosen = parser.parse_args()
    if chosen.output.exists() or (chosen.model and not (chosen.keep and chosen.forget)):
        parser.error("give a new folder as --output, and --keep and --forget with --model.")

    with tempfile.TemporaryDirectory() as temporary:
        model, keep, forget, rate = chosen.model, chosen.keep, chosen.forget, chosen.learning_rate or "auto"
        if model is None:
            model, (forget, keep), rate = f"{temporary}/checkpoint", digits(), chosen.learning_rate or 5e-4
            train_checkpoint(torch.cat([keep, forget]), Path(model), chosen.training)
        env = unlearn(model, keep, forget, chosen.updates, chosen.lam, rate)
    env.unwrapped.save_pretrained(chosen.output)
    pipeline = DDPMPipeline.from_pretrained(chosen.output)
    drawn = pipeline(batch_size=16, num_inference_steps=50, generator=torch.Generator().manual_seed(0)).images
    for number, image in enumerate(drawn):
        image.save(chosen.output / f"sample-{number:02}.png")
    print(f"{chosen.output}: the unlearned diffusers folder, and {len(drawn)} of its samples")


if __name__ == "__main__":
    main()
