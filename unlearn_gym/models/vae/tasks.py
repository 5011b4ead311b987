"""Ready-made unlearning tasks of VAEs: the images and the concept classifier of a diffusion task, other models.

A new task is one line in ``VAE_TASKS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from unlearn_gym.data.split import UnlearningData, joined
from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.concepts import Judge
from unlearn_gym.models.diffusion.tasks import Task, get_task
from unlearn_gym.models.preparation import CPU, train_missing
from unlearn_gym.models.provenance import write_provenance
from unlearn_gym.models.store import ensure_trained, find
from unlearn_gym.models.vae.network import VAE
from unlearn_gym.models.vae.training import VAERecipe, train_vae


@dataclass(frozen=True)
class VAETask:
    """One unlearning task; its models come with the package or are trained on first use and kept in the cache.

    Attributes:
        name: its name in ``VAE_TASKS``.
        images: the diffusion task with the same images, whose concept classifier judges.
        recipe: of the two VAEs.
    """

    name: str
    images: Task
    recipe: VAERecipe

    @property
    def data(self) -> UnlearningData:
        """What to forget and what to keep."""
        return self.images.data

    def concepts(self) -> Judge:
        """Return the evaluator: a classifier of the data's concepts, in eval mode."""
        return self.images.concepts()

    def original(self) -> VAE:
        """Return the model trained on retain and forget set."""
        return self.autoencoder("original")

    def retrained(self) -> VAE:
        """Return the reference: the same recipe without the forget set."""
        return self.autoencoder("retrained")

    def autoencoder(self, role: str, device: torch.device = CPU, position: int = 0) -> VAE:
        """Return the model of one of ``preparation.ROLES``, on the CPU.

        Args:
            role: one of ``preparation.ROLES``.
            device: where to train it, if it is not there yet.
            position: line of its progress bar.
        """

        def train(folder: Path, checkpoint: Path) -> None:
            title = f"{role} {self.name} model"
            examples, classes = joined(*self.images.training_parts(role)), self.data.num_classes
            settings: dict[str, Any] = {"device": device, "title": title, "position": position}
            train_vae(examples, classes, self.recipe, checkpoint=checkpoint, **settings).save(folder)
            write_provenance(folder, device)

        return VAE.load(ensure_trained(f"{self.name}-{role}", self._spec(role), train))

    def found(self, role: str) -> Path | None:
        """Return the folder of the model of a role, with the package or in the cache; None if it is new."""
        return find(f"{self.name}-{role}", self._spec(role))

    def _spec(self, role: str) -> dict[str, Any]:
        return self.images.spec(self.recipe, *self.images.training_parts(role))


def vae_task(name: str, images: str, recipe: VAERecipe, /, **kwargs: Any) -> VAETask:
    """Return the task on the images of a diffusion task; keywords go to the data's loader."""
    return VAETask(name, get_task(images, **kwargs), recipe)


VAE_TASKS: dict[str, Callable[..., VAETask]] = {
    "vae-digits": partial(vae_task, "vae-digits", "digits", VAERecipe()),
    "vae-trousers": partial(
        vae_task,
        "vae-trousers",
        "trousers",
        VAERecipe(hidden=(512, 256), steps=20_000, batch_size=256, last_learning_rate=1e-4),
    ),
}


def get_vae_task(name: str, /, **kwargs: Any) -> VAETask:
    """Return a registered task; keywords go to its data loader (digits: ``boots``; trousers: ``trousers``).

    Raises:
        UserError: for a name that is not in ``VAE_TASKS``.
    """
    if name not in VAE_TASKS:
        raise UserError(f"There is no VAE task {name!r}; choose one of {', '.join(sorted(VAE_TASKS))}.")
    return VAE_TASKS[name](**kwargs)


def prepare(task: VAETask, device: torch.device = CPU) -> list[Path]:
    """Make the models of a task where they are not there yet; see ``preparation.train_missing``."""
    task.concepts()
    return train_missing(task.name, task.found, task.autoencoder, device)
