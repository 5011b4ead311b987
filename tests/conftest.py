"""Fixtures that several test folders share."""

import pytest

from unlearn_gym.models.diffusion.tasks import Task, get_task


@pytest.fixture(scope="session")
def digits_task() -> Task:
    """The embedded digits task; its models come from the default cache and are trained on first use."""
    return get_task("digits")
