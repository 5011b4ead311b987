"""The bare update, and a step as one would first write it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from unlearn_gym.processes.diffusion import DiffusionProcess


def bare_update(process: DiffusionProcess, learning_rate: float = 1e-9) -> Callable[[], None]:
    """Return a training step: forward and backward on B/2 latents, and Adam. The currency of the table.

    It works on the process's own network; the tiny learning rate leaves it as it is.
    """
    network, pairs = process.model, process.pairs
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate, fused=True)
    channels, size = network.config["in_channels"], network.config["sample_size"]
    noisy, noise = torch.randn(2, pairs, channels, size, size, device=process.device)
    timesteps = torch.randint(1000, (pairs,), device=process.device)
    classes = network.config["num_class_embeds"]
    labels = torch.randint(classes, (pairs,), device=process.device) if classes else None

    def update() -> None:
        predicted = network(noisy, timesteps, class_labels=labels).sample
        loss = (predicted - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return update


def direct_update(process: DiffusionProcess, lam: Callable[[], float]) -> Callable[[], object]:
    """Return an update of a copy of the process whose gradients are the reference's, and its measurement."""
    copied = DiffusionProcess(
        copy.deepcopy(process.model),
        process.scheduler,
        process.data,
        objective=process.objective,
        batch_size=2 * process.pairs,
        optimizer="adam",
        learning_rate=1e-4,
        max_grad_norm=1.0,
        state="fresh",
        grad_norms=True,
        device=process.device,
        dtype=process.dtype,
        gradients="direct",
    )
    copied.reset(np.random.default_rng(0))
    return lambda: (copied.update(lam()), copied.observe())


class NaiveStep:
    """SISS with forget-norm scaling and a fresh state, each number computed where it is needed.

    The draws are those of ``process`` (its own ``draw_batch``), so that the numbers can be compared.
    """

    def __init__(self, process: DiffusionProcess, learning_rate: float = 1e-4) -> None:
        self.process, self.network = process, process.model
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=learning_rate)
        self.forget_norm = 0.1

    def errors(self, rows: Tensor, target: Tensor) -> Tensor:
        """Predict some of the latents and return their mean squared errors."""
        latents = self.process._latents
        assert latents is not None
        labels = None if latents.labels is None else latents.labels[rows]
        predicted = self.network(latents.noisy[rows], latents.timesteps[rows], class_labels=labels).sample
        return (predicted - target[rows]).square().flatten(1).mean(1)

    def gradient(self, loss: Tensor) -> Tensor:
        """Return the gradient of a loss as one vector."""
        self.optimizer.zero_grad()
        loss.backward()
        return torch.cat([p.grad.flatten() for p in self.network.parameters() if p.grad is not None])

    def step(self, lam: float) -> tuple[float, float, float, float]:
        """Update at λ and return the two losses and gradient norms of the next minibatch."""
        latents, pairs = self.process._latents, self.process.pairs
        assert latents is not None
        forget = latents.draw.uniform < lam
        mixed = torch.arange(pairs, device=forget.device) + pairs * forget
        delta = torch.where(forget, latents.draw.delta_forget, latents.draw.delta_retain)
        posterior = torch.sigmoid(torch.tensor(lam).logit() + delta)
        loss_x = ((1 - posterior) / (1 - lam) * self.errors(mixed, latents.retain_target)).mean()
        g_x = self.gradient(loss_x)
        loss_a = (posterior / lam * self.errors(mixed, latents.forget_target)).mean()
        g_a = self.gradient(loss_a)
        scale = self.forget_norm * g_x.norm().item() / g_a.norm().item() if g_a.norm().item() > 0 else 0.0
        direction = g_x - scale * g_a
        direction = direction * min(1.0, 1.0 / (direction.norm().item() + 1e-6))
        sizes = [p.numel() for p in self.network.parameters()]
        for p, g in zip(self.network.parameters(), direction.split(sizes), strict=True):
            p.grad = g.view_as(p)
        self.optimizer.step()
        self.process.draw_batch()
        return self.observe()

    def observe(self) -> tuple[float, float, float, float]:
        """Return the state's first four numbers."""
        latents, pairs = self.process._latents, self.process.pairs
        assert latents is not None
        rows = torch.arange(2 * pairs, device=self.process.device)
        retain = self.errors(rows[:pairs], latents.retain_target).mean()
        retain_norm = self.gradient(retain).norm().item()
        forget = self.errors(rows[pairs:], latents.forget_target).mean()
        forget_norm = self.gradient(forget).norm().item()
        return retain.item(), forget.item(), retain_norm, forget_norm
