"""The examples of docs/extending.md work, and each is at most 20 lines of code."""

import importlib.util
import json
import math
import re
import sys
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import pytest

from unlearn_gym import agents, cli
from unlearn_gym.data import DATA
from unlearn_gym.envs.rewards import REWARDS
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import Entry, Experiment, execution
from unlearn_gym.evaluation.run import rollout
from unlearn_gym.evaluation.runner import Runner
from unlearn_gym.evaluation.sources import registered
from unlearn_gym.metrics.glossary import GLOSSARY
from unlearn_gym.models.diffusion.tasks import TASKS
from unlearn_gym.objectives import DIFFUSION_OBJECTIVES

PAGE = Path(__file__).parent.parent / "docs" / "extending.md"
REGISTRIES = (DIFFUSION_OBJECTIVES, DATA, TASKS, REWARDS, GLOSSARY)
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def names(monkeypatch, tmp_path):
    """Run every block of the page in one namespace, with a cache of its own; the registries are put back."""
    monkeypatch.setenv("UNLEARN_GYM_CACHE", str(tmp_path / "cache"))
    for registry in REGISTRIES:
        for name in list(registry):
            monkeypatch.setitem(registry, name, registry[name])
    before = [dict(registry) for registry in REGISTRIES]
    namespace = {"math": math, "__name__": "extending"}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), namespace)
    yield namespace
    for registry, entries in zip(REGISTRIES, before, strict=True):
        registry.clear()
        registry.update(entries)


def test_there_are_six_examples_of_at_most_twenty_lines():
    assert len(BLOCKS) == 6
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


@pytest.fixture
def my_metric(tmp_path, monkeypatch):
    """The page's metric in a module of its own."""
    (block,) = (block for block in BLOCKS if "GLOSSARY" in block)
    file = tmp_path / "my_metric.py"
    file.write_text(f"import math\n\n{block}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    before = dict(GLOSSARY)
    yield file
    GLOSSARY.clear()
    GLOSSARY.update(before)
    sys.modules.pop("my_metric", None)


def test_a_metric_in_a_file_is_shown_everywhere(my_metric):
    words = ("--env", "my_metric:unlearn_gym/EMSE-Polynomial-v0", "--env_kwargs.horizon", "2")
    assert cli.run("evaluate", [*words, "--agents", "static:0.1", "--seeds", "2", "--output", "reports"]) == 0
    reports = my_metric.parent / "reports"
    content = json.loads((reports / "results.json").read_text(encoding="utf-8"))
    found = content["agents"]["static:0.1"]["metrics"]["weight_distance"]
    assert found["better"] == "lower" and min(found["values"]) > 0.1
    assert content["references"]["retrained"]["metrics"]["weight_distance"]["mean"] == 0.0
    for name, heading in (
        ("report.md", "| weight_distance ↓ |"),
        ("report.html", "<th>weight_distance ↓</th>"),
    ):
        text = (reports / name).read_text(encoding="utf-8")
        assert heading in text and "Distance of the weights to the retrained model" in text


def test_another_file_of_a_metric_is_another_run(my_metric):
    importlib.import_module("my_metric")
    before = registered()
    my_metric.write_text(my_metric.read_text(encoding="utf-8") + "EXTRA = 1\n", encoding="utf-8")
    assert before.keys() == registered().keys() == {"weight_distance"} and registered() != before


def mistyped(subject):
    return "many"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"measure": mistyped}, "The metric 'weight_distance' returned 'many'; return one number"),
        (
            {"of": ("polynomial",)},
            "is of 'polynomial'; choose from diffusion, generator, plain, regression, requests, supervised, vae",
        ),
    ],
)
def test_bad_metrics_are_one_sentence(my_metric, change, sentence, capsys):
    importlib.import_module("my_metric")
    GLOSSARY["weight_distance"] = replace(GLOSSARY["weight_distance"], **change)
    words = ("--env", "EMSE-Polynomial-v0", "--env_kwargs.horizon", "2", "--agents", "static:0.1")
    assert cli.run("evaluate", words) == 2
    assert sentence in capsys.readouterr().err.replace("\n", " ")


def test_a_process_without_the_metric_says_so(my_metric):
    experiment = Experiment("unlearn_gym/Quadratic-v0", (Entry("static:0.5", object),), (0,))
    with pytest.raises(UserError, match="'weight_distance' is not known in other processes"):
        execution._measuring(Runner, experiment, ("return", "weight_distance"))
    importlib.import_module("my_metric")
    assert execution._measuring(Runner, experiment, ("return", "weight_distance"))
