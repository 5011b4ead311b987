"""``evaluate.py`` as a user calls it."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest

from unlearn_gym import agents, cli, configs

SCRIPT = Path(__file__).parents[1] / "evaluate.py"


def evaluate(*words, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, SCRIPT, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def call(monkeypatch, tmp_path, capsys):
    """Call the script in this process and return its exit status, output and errors."""
    specification = importlib.util.spec_from_file_location("evaluate_script", SCRIPT)
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "evaluate_script", module)
    specification.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)

    def inner(*words):
        monkeypatch.setattr(sys, "argv", ["evaluate.py", *words])
        with pytest.raises(SystemExit) as left:
            cli.run(module.main)
        return left.value.code, *capsys.readouterr()

    return inner


AGENT = """
import numpy as np

class Mine:
    def __init__(self, env):
        self.env = env

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.array([0.6], np.float32), state
"""


def test_a_report(tmp_path):
    (tmp_path / "mine.py").write_text(AGENT, encoding="utf-8")
    (tmp_path / "options.yaml").write_text("env: Quadratic-v0\nseeds: 4\noutput: reports\n", encoding="utf-8")
    names = ("static:0.5", "static:0.7", "random", "mine.py:Mine")
    finished = evaluate(
        *("--config", "options.yaml", "--agents", *names, "--seeds", "3", "--env_kwargs.horizon", "5"),
        folder=tmp_path,
    )
    assert finished.returncode == 0, finished.stderr
    content = json.loads((tmp_path / "reports" / "results.json").read_text())
    assert content["seeds"] == [1000, 1001, 1002]
    assert content["settings"]["env_kwargs"] == {"horizon": 5}
    assert tuple(content["agents"]) == names
    assert "--agents static:0.5" in content["command"]
    for name in ("report.md", "lambda.png", "metrics.png", "trade_off.png"):
        assert str(Path("reports") / name) in finished.stdout
        assert (tmp_path / "reports" / name).stat().st_size > 1000
    assert "static:0.7" in finished.stdout and "return ↑" in finished.stdout


def test_a_second_call_makes_only_what_is_missing(call, tmp_path):
    words = ("--env", "Quadratic-v0", "--agents", "static:0.5", "random", "--output", "reports")
    assert call(*words, "--seeds", "2")[0] == 0
    records = {path: path.stat().st_mtime_ns for path in (tmp_path / "reports" / "runs").iterdir()}
    assert call(*words, "--seeds", "3", "--metrics", "return")[0] == 0
    assert len(list((tmp_path / "reports" / "runs").iterdir())) == 3 * 3
    assert all(path.stat().st_mtime_ns == time for path, time in records.items())
    content = json.loads((tmp_path / "reports" / "results.json").read_text())
    assert list(content["agents"]["random"]["metrics"]) == ["return"]


def test_a_run_folder_counts_as_learned(call, tmp_path):
    environment = gym.make("unlearn_gym/Quadratic-v0")
    agents.make("static:0.6", environment).save(tmp_path / "runs" / "learned" / "agent")
    status, printed, errors = call(
        *("--env", "Quadratic-v0", "--agents", "static:0.7", "runs/learned/", "--output", "reports")
    )
    assert status == 0, errors
    content = json.loads((tmp_path / "reports" / "results.json").read_text())
    assert content["agents"]["runs/learned"]["kind"] == "learned"
    assert {pair["a"] for pair in content["pairs"]} == {"runs/learned"}
    assert "No learned agent is better" in printed


def test_print_config(call):
    status, printed, _ = call("--env", "Quadratic-v0", "--print_config")
    assert status == 0
    assert "seeds: 5" in printed and "env: Quadratic-v0" in printed


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--agents", "nobody"), "'nobody' is not known"),
        (("--agents", "static:7"), "static"),
        (("--agents", "runs/none"), "runs/none"),
        (("--agents", "static:0.5", "static:0.5"), "'static:0.5' is taken"),
        (("--seeds", "0"), "seeds"),
        (("--metrics", "fud"), "'fud'"),
        (("--metrics", "fid_forget", "--agents", "static:0.5"), "does not measure 'fid_forget'"),
        (("--experiment", "none"), "no experiment 'none'"),
        (("--colour", "red"), "colour"),
        (("--env_kwargs.colour", "red", "--agents", "static:0.5"), "colour"),
    ],
)
def test_bad_input_is_one_sentence(words, sentence, call, tmp_path):
    status, _, errors = call("--env", "Quadratic-v0", "--output", "reports", *words)
    assert status == 2
    assert errors.startswith("error: ") and errors.count("\n") == 1
    assert sentence in errors
    assert not (tmp_path / "reports").exists()


ROWS = """
env: Quadratic-v0
baseline: half
seeds: 2
output: reports
rows:
  half: {agent: "static:0.5", group: a}
  more: {agent: "static:0.8", group: a}
  learned: {agent: ppo, group: a, train: {total_timesteps: 10, hyperparameters: {n_steps: 10, batch_size: 5}}}
  short: {agent: "static:0.8", group: b, description: three updates, env_kwargs: {horizon: 3}}
"""


def test_rows_are_trained_run_and_compared(tmp_path):
    (tmp_path / "rows.yaml").write_text(ROWS, encoding="utf-8")
    finished = evaluate("--config", "rows.yaml", folder=tmp_path)
    assert finished.returncode == 0, finished.stderr
    reports = tmp_path / "reports"
    content = json.loads((reports / "results.json").read_text())
    assert content["agents"]["learned"]["kind"] == "learned"
    assert content["agents"]["short"]["env_kwargs"] == {"horizon": 3}
    assert {pair["b"] for pair in content["pairs"] if pair["a"] == "learned"} == {"half", "more"}
    assert (reports / "agents" / "learned" / "config.yaml").is_file()
    text = (reports / "report.md").read_text()
    assert "| short | b | three updates | `unlearn_gym/Quadratic-v0` | horizon=3 |" in text
    assert "## Against half" in text and "lambda-b.png" in text
    assert (reports / "report.html").read_text().count("data:image/png") == text.count("](")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("agent: ppo", "agnt: ppo", "The row 'learned': 'agnt' is not known"),
        ("total_timesteps", "steps", "The training of 'learned': 'steps' is not known"),
        ("baseline: half", "baseline: none", "The baseline 'none' is not among the agents"),
        ("horizon: 3", "horizn: 3", "has no keyword 'horizn'"),
    ],
)
def test_bad_rows_are_one_sentence(call, tmp_path, old, new, sentence):
    (tmp_path / "rows.yaml").write_text(ROWS.replace(old, new), encoding="utf-8")
    status, _, errors = call("--config", "rows.yaml")
    assert status == 2 and sentence in errors and "Traceback" not in errors


def test_another_configuration_file_is_another_agent(call, tmp_path, monkeypatch):
    def run(step_size):
        (tmp_path / "primal_dual.yaml").write_text(f"default: {{step_size: {step_size}, warmup: 1}}\n")
        words = ("--env", "Quadratic-v0", "--agents", "primal_dual", "--seeds", "1", "--output", "reports")
        assert call(*words, "--metrics", "return")[0] == 0
        return json.loads((tmp_path / "reports" / "results.json").read_text())["agents"]

    monkeypatch.setattr(configs.resources, "files", lambda package: tmp_path)
    first, second = run(0.1), run(0.4)
    assert first != second and run(0.1) == first
