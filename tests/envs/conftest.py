"""Small stand-ins for the data sets of the hub, in the same layout, for every test of the environments."""

import numpy as np
import pytest

from tests.data.test_classes import write_split
from tests.envs.shortened import shortened

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
def barely_trained(hub_stand_ins, monkeypatch):
    """Give the tasks that would be trained for long networks after one step; test_trousers.py has the real one."""
    for tasks, name, make in shortened():
        monkeypatch.setitem(tasks, name, make)
