"""The examples of docs/extending.md work, and each is at most 20 lines of code."""

import importlib.util
import math
import re
from pathlib import Path

import gymnasium as gym
import pytest

from unlearn_gym import agents
from unlearn_gym.data import DATA
from unlearn_gym.envs.rewards import REWARDS
from unlearn_gym.evaluation.run import rollout
from unlearn_gym.models.diffusion.tasks import TASKS
from unlearn_gym.objectives import DIFFUSION_OBJECTIVES

PAGE = Path(__file__).parent.parent / "docs" / "extending.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def names(monkeypatch, tmp_path):
    """Run every block of the page in one namespace, with a cache of its own; the registries are put back."""
    monkeypatch.setenv("UNLEARN_GYM_CACHE", str(tmp_path / "cache"))
    for registry in (DIFFUSION_OBJECTIVES, DATA, TASKS, REWARDS):
        for name in list(registry):
            monkeypatch.setitem(registry, name, registry[name])
    before = [dict(registry) for registry in (DIFFUSION_OBJECTIVES, DATA, TASKS, REWARDS)]
    namespace = {"math": math, "__name__": "extending"}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), namespace)
    yield namespace
    for registry, entries in zip((DIFFUSION_OBJECTIVES, DATA, TASKS, REWARDS), before, strict=True):
        registry.clear()
        registry.update(entries)


def test_there_are_five_examples_of_at_most_twenty_lines():
    assert len(BLOCKS) == 5
    for block in BLOCKS:
        assert sum(bool(line.strip()) for line in block.splitlines()) <= 20


def test_the_new_parts_work_together(names, tmp_path):
    env = gym.make(
        "unlearn_gym/SISS-Digits-v0",
        task="tiny",
        objective="ascent",
        objective_kwargs={"pull": 2.0},
        reward="bounded",
        reward_kwargs={"cap": 0.5},
        horizon=3,
        batch_size=8,
    )
    run = rollout(env, names["Thermostat"](env), seed=0)
    assert len(run.lambdas) == 3 and all(math.isfinite(reward) for reward in run.rewards)
    assert (tmp_path / "cache").exists()


def test_an_agent_in_a_file_is_found(names, tmp_path):
    file = tmp_path / "my_agents.py"
    file.write_text(BLOCKS[-1], encoding="utf-8")
    env = gym.make("unlearn_gym/Quadratic-v0")
    agent = agents.resolve(f"{file}:Thermostat", env)
    assert len(rollout(env, agent, seed=0).lambdas) == 10
    assert importlib.util.find_spec("my_agents") is None
