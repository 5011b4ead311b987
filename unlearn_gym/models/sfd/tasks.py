"""Ready-made one-step generators: which diffusion model each is distilled from, and who judges it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from unlearn_gym.data.checks import whole
from unlearn_gym.data.fingerprint import fingerprint
from unlearn_gym.data.split import LabelledSet, UnlearningData, joined
from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.tasks import Task, get_task
from unlearn_gym.models.preparation import CPU
from unlearn_gym.models.provenance import write_provenance
from unlearn_gym.models.sfd.distillation import DistillationRecipe, Distilled, distil
from unlearn_gym.models.sfd.judge import LabelJudge
from unlearn_gym.models.store import ensure_trained, find

if TYPE_CHECKING:
    from unlearn_gym.models.diffusion.model import DiffusionModel

FORMAT = 1  # raise it when the meaning of a recipe changes


@dataclass(frozen=True)
class SFDTask:
    """A one-step generator of the classes of a diffusion task; it comes with the package or is distilled on first use.

    Of the data it uses how often each label occurs, and nothing else: the teacher has seen the images. The data's own
    request (boots among the ones) plays no part: the teacher is the task's *original* model, under whose labels all is
    kept that they were trained with, and what is forgotten is one whole label.

    Attributes:
        name: its name in ``SFD_TASKS``.
        task: of the teacher and of the judge.
        recipe: how it is distilled.
    """

    name: str
    task: Task
    recipe: DistillationRecipe = field(default_factory=DistillationRecipe)

    @property
    def counts(self) -> Tensor:
        """How many training images each label has, int64 of shape (C,)."""
        labels = joined(self.task.data.retain, self.task.data.forget).labels
        return labels.bincount(minlength=self.task.data.num_classes)

    def request(self, label: int) -> UnlearningData:
        """Return the data with all images of one label as those to forget, whatever they show; to judge by, not to use.

        Raises:
            UserError: if there is no such label.
        """
        data = self.task.data
        whole("forget_label", label, 0, data.num_classes - 1)
        seen, held = joined(data.retain, data.forget), joined(data.retain_holdout, data.forget_holdout)
        (retain, forget), (retain_holdout, forget_holdout) = (_divided(part, label) for part in (seen, held))
        return UnlearningData(
            f"{data.name} without {data.class_names[label]}",
            retain=retain,
            forget=forget,
            retain_holdout=retain_holdout,
            forget_holdout=forget_holdout,
            num_classes=data.num_classes,
            concepts=data.concepts[: data.num_classes],
            forget_label=label,
        )

    def teacher(self) -> DiffusionModel:
        """Return the diffusion model that is distilled."""
        return self.task.original()

    def judge(self) -> LabelJudge:
        """Return the classifier that says which label an image would have."""
        return LabelJudge.of(self.task.concepts(), self.task.data)

    def distilled(self, device: torch.device = CPU) -> Distilled:
        """Return generator and fake score, on the CPU.

        Args:
            device: where to distil them, if they are not there yet.
        """
        teacher = self.teacher()

        def train(folder: Path, checkpoint: Path) -> None:
            title = f"one-step generator of {self.name}"
            made = distil(
                teacher, self.counts, self.recipe, checkpoint=checkpoint, device=device, title=title
            )
            made.save(folder)
            write_provenance(folder, device)

        return Distilled.load(ensure_trained(f"sfd-{self.name}", self._spec(), train), teacher.unet)

    def found(self) -> Path | None:
        """Return the folder of generator and fake score, with the package or in the cache; None if they are new."""
        return find(f"sfd-{self.name}", self._spec())

    def _spec(self) -> dict[str, Any]:
        data = self.task.data
        return {
            "format": FORMAT,
            "recipe": asdict(self.recipe),
            "teacher": asdict(self.task.diffusion),
            "data": fingerprint(data.retain, data.forget),
            "classes": data.num_classes,
        }


def _divided(part: LabelledSet, label: int) -> tuple[LabelledSet, LabelledSet]:
    """Return the examples of all other labels, and those of one."""
    rows = part.labels == label
    return LabelledSet(part.inputs[~rows], part.labels[~rows]), LabelledSet(
        part.inputs[rows], part.labels[rows]
    )


def distilled_task(name: str, task: str, recipe: DistillationRecipe, /, **kwargs: Any) -> SFDTask:
    """Return the generator of a diffusion task; keywords go to that task's data."""
    return SFDTask(name, get_task(task, **kwargs), recipe)


SFD_TASKS: dict[str, Callable[..., SFDTask]] = {
    "digits": partial(distilled_task, "digits", "digits", DistillationRecipe()),
    "mnist": partial(
        distilled_task,
        "mnist",
        "trousers",
        DistillationRecipe(steps=4000, learning_rate=5e-5, fake_learning_rate=1e-4, ema=0.999),
    ),
}
"""Name → task. The digits have boots under the label 1, MNIST has trousers there: the label holds two things."""


def get_sfd_task(name: str, /, **kwargs: Any) -> SFDTask:
    """Return a registered task; keywords go to its data loader (digits: ``boots``; mnist: ``trousers``).

    Raises:
        UserError: for a name that is not in ``SFD_TASKS``.
    """
    if name not in SFD_TASKS:
        raise UserError(f"There is no one-step task {name!r}; choose one of {', '.join(sorted(SFD_TASKS))}.")
    return SFD_TASKS[name](**kwargs)


def prepare(task: SFDTask, device: torch.device = CPU) -> list[Path]:
    """Make a task's generator and fake score where they are not there yet, and return their folder."""
    task.task.concepts()
    if task.found() is None:
        task.distilled(device)
    return [folder for folder in [task.found()] if folder]
