"""Ready-made unlearning tasks: data, the model trained on it, its retrained reference, and a judge."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
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
from unlearn_gym.models.store import ensure

FORMAT = 1  # raise it when the meaning of a recipe changes


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

    def original(self, position: int = 0) -> DiffusionModel:
        """Return the model trained on retain and forget set; ``position`` is its progress bar's line."""
        retain, forget = self.data.retain, self.data.forget
        both = LabelledSet(
            torch.cat([retain.inputs, forget.inputs]), torch.cat([retain.labels, forget.labels])
        )
        return self._diffusion_model("original", both, position)

    def retrained(self, position: int = 0) -> DiffusionModel:
        """Return the reference: the same recipe without the forget set."""
        return self._diffusion_model("retrained", self.data.retain, position)

    def concepts(self) -> ConceptClassifier:
        """Return the judge: a classifier of the data's concepts, in eval mode."""
        examples = concept_set(self.data)

        def make(folder: Path) -> None:
            train_concepts(examples, len(self.data.concepts), self.classifier).save(folder)

        spec = self._spec(self.classifier, examples)
        return ConceptClassifier.load(ensure(f"{self.name}-concepts", spec, make))

    def _diffusion_model(self, role: str, data: LabelledSet, position: int) -> DiffusionModel:
        def make(folder: Path) -> None:
            title = f"{role} {self.name} model"
            model = train_ddpm(data, self.data.num_classes, self.diffusion, title=title, position=position)
            model.save_pretrained(folder)

        return DiffusionModel.load(ensure(f"{self.name}-{role}", self._spec(self.diffusion, data), make))

    def _spec(self, recipe: DiffusionRecipe | ConceptRecipe, data: LabelledSet) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "recipe": {"kind": type(recipe).__name__, **asdict(recipe)},
            "data": fingerprint(data),
            "classes": self.data.num_classes,
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
        }


def _digits(**kwargs: Any) -> Task:
    return Task("digits", load("digits", **kwargs))


TASKS: dict[str, Callable[..., Task]] = {
    "digits": _digits,
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
    """Make the three models of a task, the two diffusion models in two processes at once.

    The processes are spawned: a script that calls this needs ``if __name__ == "__main__":``.

    Raises:
        RuntimeError: when one of the two processes fails.
    """
    task.concepts()
    context = multiprocessing.get_context("spawn")
    lock = context.RLock()
    roles = ("original", "retrained")
    workers = [
        context.Process(target=_prepare_role, args=(task, role, line, lock))
        for line, role in enumerate(roles)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print(file=sys.stderr)
    failed = [role for role, worker in zip(roles, workers, strict=True) if worker.exitcode != 0]
    if failed:
        raise RuntimeError(
            f"Training the {' and the '.join(failed)} model of {task.name!r} failed; see above."
        )


def _prepare_role(task: Task, role: str, position: int, lock: Any) -> None:
    tqdm.set_lock(lock)
    torch.set_num_threads(1)
    getattr(task, role)(position)
