"""Fixtures that several test folders share."""

import pytest

from unlearn_gym.models.diffusion.tasks import Task, get_task


@pytest.fixture(scope="session")
def digits_task() -> Task:
    """The embedded digits task; its models come with the package."""
    return get_task("digits")
