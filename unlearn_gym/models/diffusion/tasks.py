"""Ready-made unlearning tasks: data, the model trained on it, its retrained reference, and an evaluator.

A new task is one line in ``TASKS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from unlearn_gym.data import LabelledSet, UnlearningData, load
from unlearn_gym.data.fingerprint import fingerprint
from unlearn_gym.data.sets.cifar10 import cifar10_training_set
from unlearn_gym.data.split import joined
from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.concepts import (
    ConceptClassifier,
    ConceptRecipe,
    Judge,
    concept_set,
    train_concepts,
)
from unlearn_gym.models.diffusion.judges import shipped_judge
from unlearn_gym.models.diffusion.training import DiffusionRecipe, train_ddpm
from unlearn_gym.models.mixed import FULL
from unlearn_gym.models.preparation import CPU, train_missing
from unlearn_gym.models.provenance import write_provenance
from unlearn_gym.models.store import ensure, ensure_trained, find

if TYPE_CHECKING:
    from unlearn_gym.models.diffusion.model import DiffusionModel

FORMAT = 1  # raise it when the meaning of a recipe changes


@dataclass(frozen=True)
class Task:
    """One unlearning task; its models come with the package or are trained on first use and kept in the cache.

    Neither device, precision nor PyTorch version is part of a model's key: a checkpoint made on a GPU serves
    everywhere, and ``provenance.json`` beside it says where it was made.

    Attributes:
        name: its name in ``TASKS``.
        data: what to forget and what to keep.
        diffusion: recipe of the two diffusion models.
        classifier: recipe of the concept classifier.
        given: a model of the user's in the place of the original; there is no retrained one then.
    """

    name: str
    data: UnlearningData
    diffusion: DiffusionRecipe = field(default_factory=DiffusionRecipe)
    classifier: ConceptRecipe = field(default_factory=ConceptRecipe)
    given: DiffusionModel | None = None

    def original(self) -> DiffusionModel:
        """Return the model trained on retain and forget set, or the user's in its place."""
        return self.diffusion_model("original") if self.given is None else self.given

    def retrained(self) -> DiffusionModel | None:
        """Return the reference: the same recipe without the forget set; None beside a model of the user's."""
        return self.diffusion_model("retrained") if self.given is None else None

    def concepts(self) -> Judge:
        """Return the evaluator: a classifier of the data's concepts, in eval mode."""
        examples = concept_set(self.data)

        def make(folder: Path) -> None:
            train_concepts(examples, len(self.data.concepts), self.classifier).save(folder)
            write_provenance(folder, CPU)

        spec = self.spec(self.classifier, examples)
        return ConceptClassifier.load(ensure(f"{self.name}-concepts", spec, make))

    def diffusion_model(
        self, role: str, device: torch.device = CPU, position: int = 0, precision: str = FULL
    ) -> DiffusionModel:
        """Return the model of one of ``ROLES``, on the CPU.

        Args:
            role: one of ``ROLES``.
            device: where to train it, if it is not there yet.
            position: line of its progress bar.
            precision: of that training's passes, one of ``models.mixed.PRECISIONS``.
        """
        from unlearn_gym.models.diffusion.model import (
            DiffusionModel,  # brings diffusers, which names do not need
        )

        parts = self.training_parts(role)

        def train(folder: Path, checkpoint: Path) -> None:
            model = train_ddpm(
                joined(*parts),
                self.data.num_classes,
                self.diffusion,
                checkpoint=checkpoint,
                device=device,
                precision=precision,
                title=f"{role} {self.name} model",
                position=position,
            )
            model.save_pretrained(folder)
            write_provenance(folder, device, precision)

        spec = self.spec(self.diffusion, *parts)
        way = "" if precision == FULL else precision
        return DiffusionModel.load(ensure_trained(self._kind(role), spec, train, way))

    def found(self, role: str) -> Path | None:
        """Return the folder of the model of one of ``ROLES``, with the package or in the cache; None if it is new."""
        return find(self._kind(role), self.spec(self.diffusion, *self.training_parts(role)))

    def training_parts(self, role: str) -> tuple[LabelledSet, ...]:
        """Return the sets that the models of one of ``ROLES`` are trained on."""
        retain, forget = self.data.retain, self.data.forget
        return (retain,) if role == "retrained" else (retain, forget)

    def _kind(self, role: str) -> str:
        """Return what the folder of a model is called by."""
        return f"{self.name}-{role}"

    def with_model(self, model: DiffusionModel) -> Task:
        """Return the same request to a model of the user's.

        Raises:
            UserError: when it is of other images, or is told other labels.
        """
        from unlearn_gym.models.diffusion.model import image_size

        config, images = model.unet.config, self.data.retain.inputs
        found = (config["in_channels"], *image_size(config), config["num_class_embeds"] or 0)
        wanted = (*images.shape[1:], self.data.num_classes)
        if found != wanted:
            form = "{} channels, {}×{} pixels and {} labels"
            raise UserError(
                f"The task {self.name!r} has images of {form.format(*wanted)}, and model= is a network of "
                f"{form.format(*found)}; give one that fits, or your own data with the id SISS-v0."
            )
        return replace(self, given=model)

    def spec(self, recipe: Any, *parts: LabelledSet) -> dict[str, Any]:
        """Return everything that determines a model trained on some parts of the data by a recipe, a dataclass."""
        return {
            "format": FORMAT,
            "recipe": {"kind": type(recipe).__name__, **asdict(recipe)},
            "data": fingerprint(*parts),
            "classes": self.data.num_classes,
        }


def data_task(name: str, diffusion: DiffusionRecipe, classifier: ConceptRecipe, /, **kwargs: Any) -> Task:
    """Return the task on a registered data set; keywords go to the data's loader."""
    return Task(name, load(name, **kwargs), diffusion, classifier)


class CIFAR10Task(Task):
    """A part of CIFAR-10 is to be forgotten: whichever it is, of one original model, judged by one classifier."""

    def concepts(self) -> Judge:
        """Return the ResNet-20 that comes with the package."""
        return shipped_judge()

    def training_parts(self, role: str) -> tuple[LabelledSet, ...]:
        """See ``Task.training_parts``; the original's images lie in an order that no task decides."""
        return (cifar10_training_set(),) if role == "original" else super().training_parts(role)

    def _kind(self, role: str) -> str:
        return "cifar10-original" if role == "original" else super()._kind(role)


def cifar10_task(name: str, diffusion: DiffusionRecipe, /, **kwargs: Any) -> CIFAR10Task:
    """Return a task on CIFAR-10; keywords go to the data's loader."""
    return CIFAR10Task(name, load(name, **kwargs), diffusion)


CIFAR10 = DiffusionRecipe(widths=(32, 64, 64, 64), steps=7500, learning_rate=1e-3, ema=0.999)
"""1.46 million weights; an hour of one core each in bfloat16 (docs/cifar10.md)."""


TASKS: dict[str, Callable[..., Task]] = {
    "digits": partial(data_task, "digits", DiffusionRecipe(), ConceptRecipe()),
    "intruders": partial(data_task, "intruders", DiffusionRecipe(steps=4000), ConceptRecipe(steps=2400)),
    "trousers": partial(
        data_task,
        "trousers",
        DiffusionRecipe(widths=(16, 32, 64), steps=9000, learning_rate=1.5e-3, ema=0.999),
        ConceptRecipe(width=16, steps=3000),
    ),
    "cifar10": partial(cifar10_task, "cifar10", CIFAR10),
    "cifar10-random": partial(cifar10_task, "cifar10-random", CIFAR10),
}


def get_task(name: str, /, **kwargs: Any) -> Task:
    """Return a registered task; keywords go to its data loader (digits: ``boots``; trousers: ``trousers``).

    Raises:
        UserError: for a name that is not in ``TASKS``.
    """
    if name not in TASKS:
        raise UserError(f"There is no task {name!r}; choose one of {', '.join(sorted(TASKS))}.")
    return TASKS[name](**kwargs)


def chosen_task(name: str | None, kwargs: Mapping[str, Any] | None, own: Mapping[str, Any]) -> Task | None:
    """Return the ready-made task, if one is named; what would not be looked at is refused.

    Args:
        name: of the task.
        kwargs: keywords of its data loader.
        own: keyword → what the user gave of a model and data of their own; a model may stand in for the task's.
    """
    if name is None:
        if kwargs:
            raise UserError("task_kwargs= belongs to a ready-made task; give task= too, or leave it out.")
        return None
    allowed = ("model", "scheduler") if own["model"] is not None else ()
    extra = [f"{key}=" for key, value in own.items() if value is not None and key not in allowed]
    if extra:
        raise UserError(
            f"The task {name!r} has its own model and data; leave {', '.join(extra)} out, or task=."
        )
    return get_task(name, **(kwargs or {}))


def prepare(task: Task, device: torch.device = CPU, precision: str = FULL) -> list[Path]:
    """Make the three models of a task where they are not there yet, the diffusion models in parallel processes.

    The processes are spawned: a script that calls this needs ``if __name__ == "__main__":``. One that is
    killed goes on where it was when it is called again.

    Args:
        task: whose models are wanted.
        device: where to train the diffusion models.
        precision: of their passes.

    Returns:
        The folders of the diffusion models, with the package or in the cache.

    Raises:
        UserError: when a training process fails.
    """
    task.concepts()
    train = partial(task.diffusion_model, precision=precision)
    return train_missing(task.name, task.found, train, device)
