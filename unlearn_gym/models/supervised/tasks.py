"""Ready-made class-unlearning tasks: data, the classifier trained on it, and its retrained reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from unlearn_gym.data.checks import LARGEST_SEED, whole
from unlearn_gym.data.fingerprint import fingerprint
from unlearn_gym.data.sets.classes import class_unlearning
from unlearn_gym.data.split import LabelledSet, UnlearningData, joined
from unlearn_gym.errors import UserError
from unlearn_gym.models.mixed import FULL
from unlearn_gym.models.networks import make_network
from unlearn_gym.models.preparation import CPU, ROLES, train_in_processes
from unlearn_gym.models.provenance import write_provenance
from unlearn_gym.models.store import ensure, find, training_file
from unlearn_gym.models.supervised.training import SupervisedRecipe, train_classifier

MOST_EPOCHS = 100_000
FORMAT = 1  # raise it when the meaning of a recipe changes
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class SupervisedTask:
    """One class-unlearning task; its classifiers come with the package or are trained on first use and cached.

    Device, precision and PyTorch version are no part of a model's key: a checkpoint made on a GPU serves everywhere,
    and ``provenance.json`` beside it says where it was made.

    Attributes:
        name: its name in ``SUPERVISED_TASKS``.
        data: what to forget and what to keep.
        recipe: how original and retrained model are trained.
        scaled: what was scaled down from the benchmark's protocol, in words; empty for the full protocol.
    """

    name: str
    data: UnlearningData
    recipe: SupervisedRecipe
    scaled: str = ""

    def network(self, seed: int) -> nn.Module:
        """Return a freshly initialised network of the task's kind, in eval mode on the CPU."""
        channels = self.data.retain.inputs.shape[1]
        return make_network(self.recipe.network, channels, self.data.num_classes, seed)

    def original(self, device: torch.device = CPU) -> nn.Module:
        """Return the classifier trained on retain and forget set, in eval mode on the CPU.

        Args:
            device: where to train it, if it is not in the cache.
        """
        return self.classifier("original", device)

    def retrained(self, device: torch.device = CPU) -> nn.Module:
        """Return the reference: the same recipe without the forget set."""
        return self.classifier("retrained", device)

    def found(self, role: str) -> Path | None:
        """Return the folder of the model of one of ``ROLES``, with the package or in the cache; None if it is new."""
        return find(f"{self.name}-{role}", self._spec(role))

    def classifier(
        self, role: str, device: torch.device = CPU, position: int = 0, precision: str = FULL
    ) -> nn.Module:
        """Return the classifier of one of ``ROLES``, in eval mode on the CPU.

        Args:
            role: one of ``ROLES``.
            device: where to train it, if it is not there yet.
            position: line of its progress bar.
            precision: of that training's passes, one of ``PRECISIONS``.
        """
        kind, spec = f"{self.name}-{role}", self._spec(role)
        checkpoint = training_file(kind if precision == FULL else f"{kind}-{precision}", spec)

        def make(folder: Path) -> None:
            model = train_classifier(
                joined(*self._training_parts(role)),
                self.data.num_classes,
                self.recipe,
                checkpoint=checkpoint,
                device=device,
                precision=precision,
                title=f"{role} {self.name} model",
                position=position,
            )
            save_file(model.state_dict(), folder / WEIGHTS)
            write_provenance(folder, device, precision)

        folder = ensure(kind, spec, make)
        checkpoint.unlink(missing_ok=True)
        model = self.network(self.recipe.seed)
        model.load_state_dict(load_file(folder / WEIGHTS))
        return model.eval()

    def _training_parts(self, role: str) -> tuple[LabelledSet, ...]:
        retain, forget = self.data.retain, self.data.forget
        return (retain,) if role == "retrained" else (retain, forget)

    def _spec(self, role: str) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "recipe": asdict(self.recipe),
            "data": fingerprint(*self._training_parts(role)),
            "classes": self.data.num_classes,
        }


@dataclass(frozen=True)
class TaskOptions:
    """Keywords of ``get_supervised_task``.

    Attributes:
        forget_class: label to forget.
        forget_indices: numbers of training images to forget instead of a class.
        fraction: share of each class's images that is used, in (0, 1].
        pretrain_epochs: epochs of original and retrained model; None for the task's own number.
        seed: of both trainings.
    """

    forget_class: int = 0
    forget_indices: Sequence[int] | None = None
    fraction: float = 1.0
    pretrain_epochs: int | None = None
    seed: int = 42


@dataclass(frozen=True)
class TaskKind:
    """A data set with the recipe of its classifier."""

    data: str
    recipe: SupervisedRecipe


SUPERVISED_TASKS: dict[str, TaskKind] = {
    "digits": TaskKind("digits", SupervisedRecipe("small_cnn", epochs=30, pad=1, mirror=False)),
    "resnet20-cifar10": TaskKind("cifar10", SupervisedRecipe("resnet20")),
    "vgg16bn-cifar100": TaskKind("cifar100", SupervisedRecipe("vgg16bn")),
    "mobilenetv2-fmnist": TaskKind("fashion_mnist", SupervisedRecipe("mobilenetv2")),
}
"""Name → data set and recipe: the benchmark's three tasks (80 epochs) and the embedded one (30 epochs)."""


def get_supervised_task(name: str, /, **options: Any) -> SupervisedTask:
    """Return a registered task; the keywords are those of ``TaskOptions``.

    Raises:
        UserError: for an unknown name or keyword, or a value out of range.
    """
    if name not in SUPERVISED_TASKS:
        known = ", ".join(sorted(SUPERVISED_TASKS))
        raise UserError(f"There is no classification task {name!r}; choose one of {known}.")
    allowed = [field.name for field in fields(TaskOptions)]
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise UserError(f"{unknown[0]!r} is no keyword of a task; allowed are {', '.join(allowed)}.")
    chosen, kind = TaskOptions(**options), SUPERVISED_TASKS[name]
    epochs = kind.recipe.epochs if chosen.pretrain_epochs is None else chosen.pretrain_epochs
    whole("pretrain_epochs", epochs, 1, MOST_EPOCHS)
    whole("seed", chosen.seed, 0, LARGEST_SEED)
    data = class_unlearning(kind.data, chosen.forget_class, chosen.forget_indices, chosen.fraction)
    recipe = replace(kind.recipe, epochs=epochs, seed=chosen.seed)
    return SupervisedTask(name, data, recipe, _scaled(chosen, kind.recipe.epochs, epochs))


def prepare(name: str, device: torch.device = CPU, precision: str = FULL, **options: Any) -> list[Path]:
    """Make both classifiers of a task where they are not there yet, in parallel processes.

    The processes are spawned: a script that calls this needs ``if __name__ == "__main__":``. Each reads the data
    anew, which costs less than handing it 600 MB of images. One that is killed goes on where it was when it is
    called again.

    Args:
        name: one of ``SUPERVISED_TASKS``.
        device: where to train.
        precision: of the passes, one of ``PRECISIONS``.
        **options: those of ``get_supervised_task``.

    Returns:
        Their folders, with the package or in the cache.

    Raises:
        UserError: for an unknown name or option, or when a training process fails.
    """
    task = get_supervised_task(name, **options)
    missing = [role for role in ROLES if task.found(role) is None]
    train_in_processes(partial(_train, name, options, device, precision), missing, name)
    return [folder for role in ROLES if (folder := task.found(role))]


def _train(
    name: str, options: dict[str, Any], device: torch.device, precision: str, role: str, position: int
) -> None:
    get_supervised_task(name, **options).classifier(role, device, position, precision)


def _scaled(options: TaskOptions, published: int, epochs: int) -> str:
    notes = []
    if epochs != published:
        notes.append(f"{epochs} of {published} pretraining epochs")
    if options.fraction != 1:
        notes.append(f"{options.fraction:.1%} of the images")
    return ", ".join(notes)
