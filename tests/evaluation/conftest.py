import pytest

from unlearn_gym.evaluation import Entry, Experiment

from .tiny_agents import Noisy, constant
from .tiny_diffusion import as_task, own_env


@pytest.fixture
def experiment():
    agents = (constant(0.5), constant(0.7), Entry("noisy", Noisy, "learned"))
    return Experiment("unlearn_gym/Quadratic-v0", agents, seeds=(1000, 1001, 1002, 1003))


@pytest.fixture
def env(tmp_path):
    return own_env(tmp_path)


@pytest.fixture
def task_env(env):
    return as_task(env)
