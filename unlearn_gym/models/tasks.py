"""Ready-made unlearning tasks: data, the model trained on it, its retrained reference, and a judge.

A new task is one line in ``TASKS``.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch
from tqdm import tqdm

from unlearn_gym.data import LabelledSet, UnlearningData, load
from unlearn_gym.data.fingerprint import fingerprint
from unlearn_gym.errors import UserError
from unlearn_gym.models.concepts import ConceptClassifier, ConceptRecipe, concept_set, train_concepts
from unlearn_gym.models.diffusion import DiffusionModel
from unlearn_gym.models.diffusion_training import DiffusionRecipe, train_ddpm
from unlearn_gym.models.store import ensure, is_stored

FORMAT = 1  # raise it when the meaning of a recipe changes
ROLES = ("original", "retrained")


@dataclass(frozen=True)
class Task:
    """One unlearning task; its models are trained on first use and kept in the cache.

    Attributes:
        name: its name in ``TASKS``.
        data: what to forget and what to keep.
        diffusion: recipe of the two diffusion models.
        classifier: recipe of the concept classifier.
    """

    name: str
    data: UnlearningData
    diffusion: DiffusionRecipe = field(default_factory=DiffusionRecipe)
    classifier: ConceptRecipe = field(default_factory=ConceptRecipe)

    def original(self) -> DiffusionModel:
        """Return the model trained on retain and forget set."""
        return self.diffusion_model("original")

    def retrained(self) -> DiffusionModel:
        """Return the reference: the same recipe without the forget set."""
        return self.diffusion_model("retrained")

    def concepts(self) -> ConceptClassifier:
        """Return the judge: a classifier of the data's concepts, in eval mode."""
        examples = concept_set(self.data)

        def make(folder: Path) -> None:
            train_concepts(examples, len(self.data.concepts), self.classifier).save(folder)

        spec = self._spec(self.classifier, examples)
        return ConceptClassifier.load(ensure(f"{self.name}-concepts", spec, make))

    def diffusion_model(self, role: str, position: int = 0) -> DiffusionModel:
        """Return the model of one of ``ROLES``; ``position`` is the line of its progress bar."""
        data = self._training_set(role)

        def make(folder: Path) -> None:
            title = f"{role} {self.name} model"
            model = train_ddpm(data, self.data.num_classes, self.diffusion, title=title, position=position)
            model.save_pretrained(folder)

        return DiffusionModel.load(ensure(f"{self.name}-{role}", self._spec(self.diffusion, data), make))

    def is_cached(self, role: str) -> bool:
        """Say whether the model of one of ``ROLES`` is in the cache."""
        return is_stored(f"{self.name}-{role}", self._spec(self.diffusion, self._training_set(role)))

    def _training_set(self, role: str) -> LabelledSet:
        retain, forget = self.data.retain, self.data.forget
        if role == "retrained":
            return retain
        return LabelledSet(
            torch.cat([retain.inputs, forget.inputs]), torch.cat([retain.labels, forget.labels])
        )

    def _spec(self, recipe: DiffusionRecipe | ConceptRecipe, data: LabelledSet) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "recipe": {"kind": type(recipe).__name__, **asdict(recipe)},
            "data": fingerprint(data),
            "classes": self.data.num_classes,
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
        }


def data_task(name: str, **kwargs: Any) -> Task:
    """Return the task on a registered data set with the default recipes; keywords go to the data's loader."""
    return Task(name, load(name, **kwargs))


TASKS: dict[str, Callable[..., Task]] = {
    "digits": partial(data_task, "digits"),
}


def get_task(name: str, **kwargs: Any) -> Task:
    """Return a registered task; keywords go to its data loader (digits: ``boots``, ``holdout``).

    Raises:
        UserError: for a name that is not in ``TASKS``.
    """
    if name not in TASKS:
        raise UserError(f"There is no task {name!r}; choose one of {', '.join(sorted(TASKS))}.")
    return TASKS[name](**kwargs)


def prepare(task: Task) -> None:
    """Put the three models of a task into the cache, training the diffusion models in parallel processes.

    The processes are spawned: a script that calls this needs ``if __name__ == "__main__":``.

    Raises:
        RuntimeError: when a training process fails.
    """
    task.concepts()
    context = multiprocessing.get_context("spawn")
    lock = context.RLock()
    missing = [role for role in ROLES if not task.is_cached(role)]
    workers = [
        context.Process(target=_train, args=(task, role, line, lock)) for line, role in enumerate(missing)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if workers:
        print("\n" * (len(workers) - 1), file=sys.stderr)  # step below the bars
    failed = [role for role, worker in zip(missing, workers, strict=True) if worker.exitcode != 0]
    if failed:
        raise RuntimeError(
            f"Training the {' and the '.join(failed)} model of {task.name!r} failed; see above."
        )


def _train(task: Task, role: str, position: int, lock: Any) -> None:
    tqdm.set_lock(lock)
    task.diffusion_model(role, position)
