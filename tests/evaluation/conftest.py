import pytest

from unlearn_gym.evaluation import Campaign, Contestant

from .tiny_agents import Noisy, constant


@pytest.fixture
def campaign():
    agents = (constant(0.5), constant(0.7), Contestant("noisy", Noisy, "learned"))
    return Campaign("unlearn_gym/Quadratic-v0", agents, seeds=(1000, 1001, 1002, 1003))
