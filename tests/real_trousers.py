"""Experiment A's real images and models, for tests that are skipped where there are none."""

import os
from pathlib import Path

import pytest

from unlearn_gym.data.readers.hub import DATA_VARIABLE, local_folder
from unlearn_gym.models.diffusion.tasks import Task, get_task
from unlearn_gym.models.preparation import ROLES

FOLDER = os.environ.get(DATA_VARIABLE)
"""As it was when the tests were collected: some fixtures set the variable for all tests after them."""


def point_to_images(patch: pytest.MonkeyPatch) -> None:
    """Set UNLEARN_GYM_DATA to the user's folder, or skip the test if it lacks MNIST or Fashion-MNIST."""
    if FOLDER is None or not Path(FOLDER).is_dir():
        pytest.skip(f"{DATA_VARIABLE} names no folder of data sets")
    patch.setenv(DATA_VARIABLE, FOLDER)
    if not (local_folder("mnist", "train", "test") and local_folder("fashion_mnist", "train")):
        pytest.skip(f"{DATA_VARIABLE}={FOLDER} lacks mnist or fashion_mnist")


def task_with_models() -> Task:
    """Return the task with both models trained, or skip: a test never trains them."""
    task = get_task("trousers")
    missing = [role for role in ROLES if task.found(role) is None]
    if missing:
        pytest.skip(
            f"the {' and the '.join(missing)} trousers model is neither shipped nor cached; make it with "
            "`python -m unlearn_gym prepare trousers`"
        )
    return task
