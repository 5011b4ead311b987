"""Small stand-ins for the data sets of the hub, in the same layout, for every test of the environments."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from tests.data.test_classes import write_split
from unlearn_gym.models.diffusion.concepts import ConceptRecipe
from unlearn_gym.models.diffusion.tasks import TASKS, cifar10_task, data_task
from unlearn_gym.models.sfd.distillation import DistillationRecipe
from unlearn_gym.models.sfd.tasks import SFD_TASKS, distilled_task
from unlearn_gym.models.vae.tasks import VAE_TASKS, vae_task

FORMS = {
    "cifar10_45k": (32, 3, 10),
    "cifar100": (32, 3, 100),
    "fashion_mnist_sample": (28, 1, 10),
    "mnist": (28, 1, 10),
}


@pytest.fixture(autouse=True, scope="session")
def hub_stand_ins(tmp_path_factory):
    """Point UNLEARN_GYM_DATA at random images of the right sizes, a few of each of the first classes."""
    root = tmp_path_factory.mktemp("data")
    for folder, (size, channels, _) in FORMS.items():
        for split, count in (("train", 24), ("test", 8)):
            labels = np.arange(count) % 4
            write_split(root / folder, split, labels.tolist(), size=size, channels=channels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNLEARN_GYM_DATA", str(root))
        yield root


@pytest.fixture(autouse=True)
def barely_trained_trousers(hub_stand_ins, monkeypatch):
    """Give the tasks of 28x28 images networks after one training step; test_trousers.py has the real one."""
    name, recipe, _ = TASKS["trousers"].args
    short = replace(recipe, widths=(8, 8, 16), norm_groups=4, steps=1, batch_size=4)
    monkeypatch.setitem(TASKS, "trousers", partial(data_task, name, short, ConceptRecipe(steps=1)))
    *names, vae = VAE_TASKS["vae-trousers"].args
    monkeypatch.setitem(VAE_TASKS, "vae-trousers", partial(vae_task, *names, replace(vae, steps=1)))


@pytest.fixture(autouse=True)
def barely_trained_cifar10(hub_stand_ins, monkeypatch):
    """Give the tasks of photographs networks after one training step; their judge is the real one."""
    for task in ("cifar10", "cifar10-random"):
        name, recipe = TASKS[task].args
        short = replace(recipe, widths=(4, 8), norm_groups=2, steps=1, batch_size=4)
        monkeypatch.setitem(TASKS, task, partial(cifar10_task, name, short))


@pytest.fixture(autouse=True)
def barely_distilled_mnist(barely_trained_trousers, monkeypatch):
    """Give the one-step generator of 28x28 images one step of distillation."""
    short = DistillationRecipe(steps=1, batch_size=4)
    monkeypatch.setitem(SFD_TASKS, "mnist", partial(distilled_task, "mnist", "trousers", short))
