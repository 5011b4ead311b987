"""Train the models of a task, unless they come with the package or are in the cache; a killed training goes on.

unlearn-gym prepare trousers
unlearn-gym prepare sfd-mnist    (distils the one-step generator of MNIST's diffusion model)
unlearn-gym prepare resnet20-cifar10 --device cuda
unlearn-gym prepare resnet20-cifar10 --precision bfloat16    (hours on two cores; killed, it goes on)
unlearn-gym prepare cifar10 --precision bfloat16    (about an hour of one core for each model; killed, it goes on)
unlearn-gym prepare emse-digits --forget-class 3 --pretrain-epochs 10
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from unlearn_gym.envs.options import as_device
from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion import tasks
from unlearn_gym.models.sfd import tasks as sfd_tasks
from unlearn_gym.models.store import SHIPPED
from unlearn_gym.models.supervised import tasks as supervised_tasks
from unlearn_gym.models.vae import tasks as vae_tasks
from unlearn_gym.runtime import command_line


@dataclass
class Options:
    """Whose models, and which; all but task, device and precision belong to classification tasks.

    Args:
        task: its name; see ``unlearn-gym list``.
        device: where to train.
        precision: of the passes of a classifier's or diffusion model's training; bfloat16 is mixed, and faster where
            the machine knows it.
        forget_class: label to forget.
        forget_indices: numbers of the training images to forget instead, such as 3 17 256.
        fraction: share of each class's images that is used.
        pretrain_epochs: epochs of original and retrained model, the task's own by default.
        seed: of both trainings.
    """

    task: str = "digits"
    device: str = "cpu"
    precision: Literal["float32", "bfloat16"] = "float32"
    forget_class: int = 0
    forget_indices: list[int] = field(default_factory=list)
    fraction: float = 1.0
    pretrain_epochs: int | None = None
    seed: int = 42


def main(words: Sequence[str], program: Sequence[str]) -> None:
    """Make the models, or find them, and say how long it took and where they are."""
    options = command_line.parse(
        Options, words, description=__doc__ or "", program=shlex.join(program), leading="task"
    )
    started = time.perf_counter()
    folders = {folder.parent for folder in models(options)}
    own = "they come with the package, in" if folders == {SHIPPED} else "they are in"
    places = " and ".join(sorted(map(str, folders)))
    print(
        f"The models of {options.task!r} are ready ({time.perf_counter() - started:.0f} s): {own} {places}."
    )


def models(options: Options) -> list[Path]:
    """Make the models of a task where they are not there yet, and return their folders.

    Raises:
        UserError: for an unknown task, or an option that it does not have.
    """
    where = as_device(options.device)  # before the data are read
    name, classifiers = options.task, classifier_names()
    given = {key: value for key, value in asdict(options).items() if value != getattr(Options(), key)}
    for key in ("task", "device"):
        given.pop(key, None)
    if name in classifiers:
        return supervised_tasks.prepare(classifiers[name], where, **given)
    generators = generator_names()
    if name not in (*tasks.TASKS, *vae_tasks.VAE_TASKS, *generators):
        raise UserError(
            f"There is no task {name!r}; choose one of {', '.join(diffusion_names())} (diffusion models), "
            f"{', '.join(vae_names())} (VAEs), {', '.join(generators)} (one-step generators) or "
            f"{', '.join(classifiers)} (classifiers)."
        )
    if name in tasks.TASKS:
        given.pop("precision", None)
    if given:
        raise UserError(
            f"{next(iter(given))} was given, but the task {name!r} has no options here; leave it out."
        )
    if name in generators:
        return sfd_tasks.prepare(sfd_tasks.get_sfd_task(generators[name]), where)
    if name in vae_tasks.VAE_TASKS:
        return vae_tasks.prepare(vae_tasks.get_vae_task(name), where)
    return tasks.prepare(tasks.get_task(name), where, options.precision)


def diffusion_names() -> list[str]:
    """Return the names of the diffusion tasks."""
    return sorted(tasks.TASKS)


def vae_names() -> list[str]:
    """Return the names of the tasks of VAEs."""
    return sorted(vae_tasks.VAE_TASKS)


def generator_names() -> dict[str, str]:
    """Return what the command line calls each one-step generator: its name."""
    return {f"sfd-{name}": name for name in sorted(sfd_tasks.SFD_TASKS)}


def classifier_names() -> dict[str, str]:
    """Return what the command line calls each classification task: its name, unless a diffusion task has it."""
    named = {
        f"emse-{name}" if name in tasks.TASKS else name: name for name in supervised_tasks.SUPERVISED_TASKS
    }
    return dict(sorted(named.items()))
