"""``evaluate.py`` as a user calls it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest

from unlearn_gym import agents, cli, configs
from unlearn_gym.cli.evaluate import without_engine

SCRIPT = Path(__file__).parents[2] / "evaluate.py"


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
    """Call the command in this process and return its exit status, output and errors."""
    monkeypatch.chdir(tmp_path)

    def inner(*words):
        try:
            status = cli.run("evaluate", words)
        except SystemExit as left:  # --help and --print_config
            status = left.code or 0
        return status, *capsys.readouterr()

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
        (("--certify", "concept_rate=0.1"), "'concept_rate' cannot be certified here"),
        (("--certify", "concept_rate"), "write METRIC=LIMIT"),
        (("--relearn", "mixed"), "relearn was asked for, but nothing judges"),
        (("--rounding", "5"), "rounding has 5; choose from 4, 8"),
        (("--attack", "condition"), "attack was asked for, but nothing judges"),
        (("--attack", "prompt"), "attack has 'prompt'; choose from condition, overlap"),
        (("--agents", "newton"), "newton is exact for least-squares fits only, and QuadraticEnv has none"),
        (("--equal-retain", "2"), "equal_retain=2.0 is no share"),
        (("--first-seed", str(2**32)), "first_seed"),
        (("--first-seed", str(2**32 - 1), "--seeds", "2"), "The seed 4294967296 is out of range"),
        (("--jobs", "-1"), "jobs"),
        (("--deterministic", "perhaps"), "deterministic='perhaps' is no boolean"),
        (("--config", "nowhere.yaml"), "no file nowhere.yaml"),
        (("--config", "/"), "no file /"),
        (("--study", "none"), "no study 'none'"),
        (("--study", "emse_polynomial", "--study-settings.drws", "3"), "'drws' is not known"),
        (("--study", "emse_polynomial", "--study-settings.draws", "-3"), "draws: "),
        (("--study", "emse_polynomial", "--study-settings.lambda_range", "[0]"), "lambda_range=[0.0]"),
        (("--benchmark", "digits", "--env_kwargs.horizn", "3"), "'horizn'"),
        (("--benchmark", "digits", "--methods", "scrb"), "'scrb' is not known"),
        (("--output", "/dev/null/x"), "/dev/null"),
        (("--output", "/dev/null"), "/dev/null"),
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
        ('{agent: "static:0.5", group: a}', "static", "The row 'half': 'static' is no mapping"),
        ("env_kwargs: {horizon: 3}", "env_kwargs: [3]", "The row 'short': env_kwargs"),
        ("total_timesteps: 10,", "total_timesteps: 10, env_kwargs: [1],", "env_kwargs=[1] is no mapping"),
        ("{n_steps", "{n_stps", "n_stps"),
        ("  more:", "  half!:", "have the same folder"),
    ],
)
def test_bad_rows_are_one_sentence(call, tmp_path, old, new, sentence):
    (tmp_path / "rows.yaml").write_text(ROWS.replace(old, new), encoding="utf-8")
    status, _, errors = call("--config", "rows.yaml")
    assert status == 2 and sentence in errors and "Traceback" not in errors


def test_a_wrong_agent_is_noticed_before_any_training(call, tmp_path):
    (tmp_path / "rows.yaml").write_text(ROWS.replace('"static:0.5"', "runs/none"), encoding="utf-8")
    status, _, errors = call("--config", "rows.yaml")
    assert status == 2 and "'runs/none' is not known" in errors
    assert not (tmp_path / "reports" / "agents").exists()


def test_another_configuration_file_is_another_agent(call, tmp_path, monkeypatch):
    def run(step_size):
        (tmp_path / "agents").mkdir(exist_ok=True)
        (tmp_path / "agents" / "primal_dual.yaml").write_text(
            f"default: {{step_size: {step_size}, warmup: 1}}\n"
        )
        words = ("--env", "Quadratic-v0", "--agents", "primal_dual", "--seeds", "1", "--output", "reports")
        assert call(*words, "--metrics", "return")[0] == 0
        return json.loads((tmp_path / "reports" / "results.json").read_text())["agents"]

    monkeypatch.setattr(configs.resources, "files", lambda package: tmp_path)
    first, second = run(0.1), run(0.4)
    assert first != second and run(0.1) == first


RAISES = """
import sys
import numpy as np

if {at_import}:
    {statement}

class Mine:
    def __init__(self, env):
        if {at_building}:
            {statement}

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        {predicting}
        return np.array([0.6], np.float32), state
"""


@pytest.mark.parametrize("where", ["at_import", "at_building"])
@pytest.mark.parametrize(
    "statement",
    ["raise SystemExit(3)", "raise KeyboardInterrupt", "sys.exit()", "1 / 0", "raise OSError(5, 'x')"],
)
def test_an_agent_file_that_raises_is_one_sentence(where, statement, call, tmp_path):
    at = {"at_import": False, "at_building": False} | {where: True}
    (tmp_path / "mine.py").write_text(
        RAISES.format(statement=statement, predicting="pass", **at), encoding="utf-8"
    )
    words = ("--env", "Quadratic-v0", "--output", "reports", "--agents", "static:0.5", "mine.py:Mine")
    status, _, errors = call(*words)
    assert status == 2 and errors.startswith("error: ") and errors.count("\n") == 1
    line = 6 if where == "at_import" else 11
    assert f"mine.py, line {line}" in errors
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("statement", "cause"),
    [
        ("raise ValueError('no λ')", "mine.py, line 14, in predict raised ValueError: no λ"),
        ("return np.array([np.nan]), None", "is not one finite λ"),
        ("return None", "predict returned None, not the action and the state"),
        ("return np.array([0.5, 0.5])", "predict returned array([0.5, 0.5]), not the action and the state"),
    ],
)
def test_an_agent_that_raises_in_its_run_costs_only_its_own_row(statement, cause, jobs, call, tmp_path):
    text = RAISES.format(statement="pass", predicting=statement, at_import=False, at_building=False)
    (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    words = ("--env", "Quadratic-v0", "--output", "reports", "--agents", "mine.py:Mine", "static:0.5")
    status, _, errors = call(*words, "--seeds", "3", "--jobs", str(jobs))
    last = errors.replace("\r", "\n").splitlines()[-1]
    assert status == 2 and "Traceback" not in errors
    assert last.startswith("error: The run of 'mine.py:Mine' with seed 1000 failed: ") and cause in last
    assert "All other runs are kept" in last
    kept = [path.name.partition("-seed")[0] for path in (tmp_path / "reports" / "runs").glob("*.json")]
    assert sorted(set(kept)) == ["before", "static-0.5"] and len(kept) == 6


def test_the_home_folder_may_be_written_short(call, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    file = tmp_path / "home" / "mine.py"
    file.write_text(AGENT, encoding="utf-8")
    (tmp_path / "home" / "mine.yaml").write_text("seeds: 1\nenv: Quadratic-v0\n", encoding="utf-8")
    words = ("--config=~/mine.yaml", "--agents", "~/mine.py:Mine", "--output", "~/report")
    assert call(*words)[0] == 0
    first = set((tmp_path / "home" / "report" / "runs").glob("*.json"))
    assert len(first) == 2 and not (tmp_path / "~").exists()
    file.write_text(AGENT.replace("0.6", "0.7"), encoding="utf-8")
    assert call(*words)[0] == 0  # another file is another agent, here too
    assert len(set((tmp_path / "home" / "report" / "runs").glob("*.json")) - first) == 1


def test_jobs_is_left_out_of_the_command():
    words = ["--agents", "a", "--jobs", "2", "--seeds", "3", "--jobs=4"]
    words += ["--engine", "ray", "--address=auto", "--gpus", "0.5"]
    assert without_engine(words) == ["--agents", "a", "--seeds", "3"]


def test_attacks_and_certificates_are_in_the_report(call, tmp_path):
    status, _, errors = call(
        *("--env", "EMSE-Digits-v0", "--agents", "static:0.1", "--seeds", "1", "--env_kwargs.horizon", "2"),
        *("--relearn", "retain", "--rounding", "8", "--equal-retain", "0.9"),
        *("--certify", "forget_acc=0.2", "retain_acc=0.5", "--delta", "0.1", "--output", "reports"),
    )
    assert status == 0, errors
    content = json.loads((tmp_path / "reports" / "results.json").read_text())
    measured = content["agents"]["static:0.1"]["metrics"]
    assert {"relearn_gap_retain", "quantised_forget_acc_8bit", "alpha_at_retain"} <= set(measured)
    assert content["references"]["retrained"]["metrics"]["relearn_gap_retain"]["mean"] == 0
    assert content["certificates"][0]["samples"]["retain_acc"] == 486
    report = (tmp_path / "reports" / "report.md").read_text()
    assert "## Certificates" in report and "1 seed certifies nothing better than 90%" in report
