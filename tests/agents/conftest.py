"""Small networks: one thread each, or two busy processes on two cores wait for each other."""

import pytest

from unlearn_gym.models.threads import one_thread


@pytest.fixture(autouse=True)
def single_thread():
    with one_thread():
        yield
