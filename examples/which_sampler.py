"""Which sampler shows what an unlearned model draws: DDPM's own, which it was trained for, beside DDIM in two forms.

    python examples/which_sampler.py --lambdas 0.5 0.9
    python examples/which_sampler.py --env SISS-Trousers-v0 --lambdas 0.7 --first-seed 1002 --seeds 1 --updates 100

DDIM's step clips the image that is predicted. The noise that goes on can be the one that fits the clipped image, as
here, or the one that was predicted, as in diffusers where ``use_clipped_model_output`` is not asked for.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from unlearn_gym.envs.diffusion import DiffusionUnlearningEnv
from unlearn_gym.envs.making import full_id, make_env
from unlearn_gym.errors import UserError
from unlearn_gym.metrics.concepts import share_called
from unlearn_gym.models.diffusion.sampling import ddim, sample


def unlearned(env_id: str, lam: float, seed: int, updates: int) -> Any:
    """Return an environment after some updates at a constant λ."""
    settings = {"horizon": updates, "lambda_range": (0.0, 1.0), "state": "lagged", "grad_norms": False}
    env: Any = make_env(full_id(env_id), {**settings, "reward": "loss"}).unwrapped
    if not isinstance(env, DiffusionUnlearningEnv) or env.process.data.forget_label is None:
        raise UserError(
            f"{env_id} has no diffusion model that is told labels; give an id such as SISS-Trousers-v0."
        )
    env.reset(seed=seed)
    for _ in range(updates):
        env.step([lam])
    return env


@torch.no_grad()
def drawn(env: Any, scheduler: Any, steps: int, noise: Tensor, labels: Tensor, **kwargs: Any) -> Tensor:
    """Draw by a scheduler of diffusers, as its pipelines do."""
    scheduler.set_timesteps(steps)
    images = noise
    for step in scheduler.timesteps:
        predicted = env.process.model(images, step, class_labels=labels).sample
        images = scheduler.step(predicted, step, images, **kwargs).prev_sample
    return images


def shares(env: Any, samples: int, most: int) -> dict[str, tuple[float, float]]:
    """Return sampler → shares of the label's samples that show the label, and that show neither it nor anything else.

    Args:
        env: after its updates.
        samples: images that each sampler draws, from the same noise.
        most: steps of DDPM.
    """
    data, model, schedule = env.process.data, env.process.model, env.process.scheduler
    shape = (samples, *data.retain.inputs.shape[1:])
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(7))
    labels = torch.full((samples,), data.forget_label)
    ddpm, generator = DDPMScheduler.from_config(schedule.config), torch.Generator().manual_seed(1)
    images = {f"DDPM, {most} steps": drawn(env, ddpm, most, noise, labels, generator=generator)}
    for steps in (25, 100):
        images[f"DDIM here, {steps} steps"] = sample(model, schedule, labels, noise, steps)
        images[f"DDIM of diffusers, {steps} steps"] = drawn(env, ddim(schedule), steps, noise, labels)
    found = {}
    for name, each in images.items():
        with torch.no_grad():
            said = env.task.concepts()(each.clamp(-1, 1))
        found[name] = (share_called(said, data.forget_label), share_called(said, len(data.concepts)))
    return found


def main() -> None:
    """Print a Markdown table: for every λ and seed, the two shares of each sampler."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--env", default="Weighted-Digits-v0", help="id of a diffusion model with labels and a judge"
    )
    parser.add_argument("--lambdas", type=float, nargs="+", default=[0.5, 0.9])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--ddpm-steps", type=int, default=1000)
    args = parser.parse_args()
    if not all(0 <= lam <= 1 for lam in args.lambdas):
        parser.error("give every λ from 0 to 1")
    runs = [(lam, args.first_seed + k) for lam in args.lambdas for k in range(args.seeds)]
    try:
        found = [
            shares(unlearned(args.env, *run, args.updates), args.samples, args.ddpm_steps) for run in runs
        ]
    except UserError as error:
        parser.error(str(error))
    print("| label / neither |", *(f"λ = {lam:g}, seed {seed} |" for lam, seed in runs))
    print("|---" * (len(runs) + 1) + "|")
    for name in found[0]:
        print(f"| {name} |", *(f"{one[name][0]:.2f} / {one[name][1]:.2f} |" for one in found))


if __name__ == "__main__":
    main()
