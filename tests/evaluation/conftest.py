import pytest

from unlearn_gym.evaluation import Entry, Experiment

from .tiny_agents import Noisy, constant


@pytest.fixture
def experiment():
    agents = (constant(0.5), constant(0.7), Entry("noisy", Noisy, "learned"))
    return Experiment("unlearn_gym/Quadratic-v0", agents, seeds=(1000, 1001, 1002, 1003))
