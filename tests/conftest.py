"""Fixtures that several test folders share."""

import signal

import pytest

from unlearn_gym.models.diffusion.tasks import Task, get_task


@pytest.fixture(scope="session")
def digits_task() -> Task:
    """The embedded digits task; its models come with the package."""
    return get_task("digits")


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Let Ctrl-C mean something: a shell starts what runs in its background without it, and children inherit that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
