"""SISS (Alberti et al. 2025, arXiv 2503.01034) on a diffusers checkpoint, in plain PyTorch.

Only data and checkpoint come from the package; a test holds the numbers to the environment's at the same draws.

    python examples/plain_siss.py --output unlearned   # forgets the digits' boots
    python examples/plain_siss.py --own MODEL IMAGES_TO_KEEP IMAGES_TO_FORGET --output unlearned
"""

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import torch
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from torch import Generator, Tensor
from torch.nn.utils import clip_grad_norm_, get_total_norm

from unlearn_gym.data import UnlearningData
from unlearn_gym.data.request import user_request
from unlearn_gym.models.diffusion.tasks import get_task


def shuffled(n: int, generator: Generator) -> Iterator[int]:
    """Yield 0 … n − 1 in a random order, then in another one, for ever."""
    while True:
        yield from torch.randperm(n, generator=generator).tolist()


def batches(data: UnlearningData, pairs: int, steps: int, rng: Generator) -> Iterator[tuple[Tensor, ...]]:
    """Yield B pairs of an image x to keep and a to forget: x, a, their labels, timesteps, noise, u ~ U[0, 1)."""
    keep, forget = (shuffled(len(part), rng) for part in (data.retain, data.forget))
    while True:
        t = torch.randint(steps, (pairs,), generator=rng)
        i, j = ([next(order) for _ in range(pairs)] for order in (keep, forget))
        x, a = data.retain.inputs[i], data.forget.inputs[j]
        noise, u = torch.randn(x.shape, generator=rng), torch.rand(pairs, generator=rng)
        yield x, a, data.retain.labels[i], data.forget.labels[j], t, noise, u


def siss_step(
    unet: UNet2DModel, scheduler: DDPMScheduler, optimizer: torch.optim.Optimizer, batch: tuple[Tensor, ...],
    lam: float, forget_norm: float = 0.1, max_grad_norm: float = 1.0,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Make one update at mixture probability 0 < λ < 1; return both losses and both gradients' norms."""
    x, a, x_label, a_label, t, noise, u = batch
    alphas, weights = scheduler.alphas_cumprod.double()[t].view(-1, 1, 1, 1), list(unet.parameters())

    # 1. Draw from the mixture: y is a with probability λ, else x; noised, it is m = γy + σε.
    gamma, sigma, from_a = alphas.sqrt().to(x), (1 - alphas).sqrt().to(x), u < lam
    y, label = torch.where(from_a.view(-1, 1, 1, 1), a, x), torch.where(from_a, a_label, x_label)
    m = gamma * y + sigma * noise

    # 2. The noise that leads to this m from x, (m − γx)/σ, and from a, (m − γa)/σ.
    noise_x, noise_a = (noise + gamma / sigma * (y - z) for z in (x, a))

    # 3. Importance weights q(m|x)/q_λ(m) and q(m|a)/q_λ(m), q_λ = (1 − λ) q(·|x) + λ q(·|a); below 1e-9 they are 0.
    log_x, log_a = (-0.5 * z.double().square().flatten(1).sum(1) for z in (noise_x, noise_a))
    if unet.class_embedding is not None:  # m comes with its label: one that is not the pair's has density 0
        log_x, log_a = log_x.where(label == x_label, -math.inf), log_a.where(label == a_label, -math.inf)
    log_mixture = torch.logaddexp(math.log1p(-lam) + log_x, math.log(lam) + log_a)
    w_x, w_a = (torch.threshold((z - log_mixture).exp(), 1e-9, 0).to(x) for z in (log_x, log_a))

    # 4. One prediction of the noise, two losses, two gradients.
    predicted = unet(m, t, class_labels=label if unet.class_embedding is not None else None).sample
    loss_x = (w_x * (predicted - noise_x).square().flatten(1).mean(1)).mean()
    loss_a = (w_a * (predicted - noise_a).square().flatten(1).mean(1)).mean()
    g_x, g_a = torch.autograd.grad(loss_x, weights, retain_graph=True), torch.autograd.grad(loss_a, weights)

    # 5. Descend L_x − s·L_a: s makes the forget gradient's norm a fixed share of the retain gradient's.
    norm_x, norm_a = float(get_total_norm(g_x)), float(get_total_norm(g_a))
    scale = forget_norm * norm_x / norm_a if norm_a > 0 else 0.0
    for weight, keep, forget in zip(weights, g_x, g_a, strict=True):
        weight.grad = keep - scale * forget
    clip_grad_norm_(weights, max_grad_norm)
    optimizer.step()
    return loss_x.item(), loss_a.item(), norm_x, norm_a


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--task", default="digits", help="digits or trousers")
    parser.add_argument(
        "--own", nargs=3, help="a DDPMPipeline's folder and two of images, in the task's place"
    )
    parser.add_argument("--lam", type=float, default=0.5, help="λ, the share of forget latents")
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--output", required=True, type=Path, help="a new folder, for a diffusers pipeline")
    chosen = parser.parse_args()
    if chosen.output.exists() or not 0 < chosen.lam < 1:
        parser.error("give a new folder as --output, and 0 < --lam < 1.")
    task = None if chosen.own else get_task(chosen.task)
    model = task.original() if task else DDPMPipeline.from_pretrained(chosen.own[0], use_safetensors=True)
    data = task.data if task else user_request(model.unet.config, *chosen.own[1:])
    drawn = batches(data, 32, len(model.scheduler.alphas_cumprod), Generator().manual_seed(0))
    adam = torch.optim.Adam(model.unet.parameters(), lr=2e-4)
    for step, batch in zip(range(chosen.updates), drawn, strict=False):
        print(step, *siss_step(model.unet, model.scheduler, adam, batch, chosen.lam))
    DDPMPipeline(model.unet, model.scheduler).save_pretrained(chosen.output)
