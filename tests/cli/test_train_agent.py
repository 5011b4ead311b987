"""The script as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def run(*words, cwd) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(ROOT / "train_agent.py"), *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_configuration_file_overrides_and_results(tmp_path):
    (tmp_path / "small.yaml").write_text(
        "env: unlearn_gym/Quadratic-v0\nagent: ppo\ntotal_timesteps: 100000\n"
        "hyperparameters: {n_steps: 20, batch_size: 20, n_epochs: 1, learning_rate: 3e-4}\n"
    )
    words = ["--config", "small.yaml", "--total-timesteps", "60", "--hyperparameters.gamma", "0.95"]
    done = run(*words, "--env-kwargs.horizon=20", "--output", "runs/x", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "runs/x" in done.stdout
    folder = tmp_path / "runs" / "x"
    assert {"config.yaml", "agent", "progress.csv", "tensorboard", "checkpoints"} == {
        p.name for p in folder.iterdir()
    }
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["total_timesteps"] == 60 and config["env_kwargs"] == {"horizon": 20}
    assert config["hyperparameters"]["gamma"] == 0.95 and config["hyperparameters"]["learning_rate"] == 3e-4

    again = run(*words, "--output", "runs/x", cwd=tmp_path)
    assert again.returncode == 2 and "--resume runs/x" in again.stderr
    resumed = run("--resume", "runs/x", "--seed", "7", cwd=tmp_path)
    assert resumed.returncode == 2 and "seed=7 differs from 0" in resumed.stderr
    assert run("--resume", "runs/x", "--total-timesteps", "80", cwd=tmp_path).returncode == 0


def test_print_config(tmp_path):
    done = run("--agent", "sac", "--seed", "3", "--print_config", cwd=tmp_path)
    config = yaml.safe_load(done.stdout)
    assert done.returncode == 0 and config["agent"] == "sac" and config["seed"] == 3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--agnt", "ppo"], "'--agnt' is not known; allowed are env, agent"),
        (["--total-timesteps", "-3"], "total_timesteps"),
        (["--env", "unlearn_gym/Quadratic-v0", "--hyperparameters.gamma", "2"], "gamma"),
        (["--env", "Quadratic-v0", "--output", "/dev/null/x"], "/dev/null/x"),
        (["--resume", "nowhere"], "nowhere holds no run"),
    ],
)
def test_errors_are_one_sentence_and_status_two(words, message, tmp_path):
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
