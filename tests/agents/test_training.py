import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.torch import load_file

from unlearn_gym.agents import training
from unlearn_gym.agents.training import Run, TrainConfig, train
from unlearn_gym.agents.training.logs import SECONDS, Logbook
from unlearn_gym.errors import UserError

SMALL = {
    "ppo": {"n_steps": 20, "batch_size": 20, "n_epochs": 2},
    "recurrent_ppo": {"n_steps": 24, "batch_size": 24, "n_epochs": 2, "lstm_hidden_size": 8},
    "sac": {"learning_starts": 20, "batch_size": 16, "buffer_size": 60},
    "tqc": {"learning_starts": 20, "batch_size": 16},
    "crossq": {"learning_starts": 20, "batch_size": 16},
    "adaptive_vi": {},
    "primal_dual": {"warmup": 1},
    "cem": {"population": 3, "episodes": 2, "elites": 1},
}


def quadratic(output, agent="ppo", **changes) -> TrainConfig:
    settings = {
        "env": "unlearn_gym/Quadratic-v0",
        "agent": agent,
        "total_timesteps": 120,
        "output": str(output),
        "hyperparameters": SMALL[agent],
        "log_every": 15,
        "checkpoint_every": 30,
        "progress_bar": False,
    }
    return TrainConfig(**{**settings, **changes})


def numbers(run: Path) -> tuple[list[dict], dict]:
    """Rows of progress.csv without the clock, and the tensors of the agent."""
    with (run / "progress.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        del row["time/seconds"]
    return rows, load_file(run / "agent" / "agent.safetensors")


def assert_same(run: Path, other: Path) -> None:
    rows, tensors = numbers(run)
    other_rows, other_tensors = numbers(other)
    assert rows == other_rows
    assert tensors.keys() == other_tensors.keys()
    for key, value in tensors.items():
        assert value.equal(other_tensors[key]), key


class Killed(BaseException):
    pass


@pytest.fixture
def die_at(monkeypatch):
    """Break training off at a step, as a kill would: nothing is saved or closed in order."""

    def arm(step):
        def dying(self, observations, infos, timesteps, original=Run.step):
            original(self, observations, infos, timesteps)
            if timesteps >= step:
                raise Killed

        monkeypatch.setattr(Run, "step", dying)

    yield arm


def resume(folder) -> Path:
    stored = training.stored_config(str(folder))
    return train(training.resumed(TrainConfig(**stored), stored))


@pytest.mark.parametrize("agent", SMALL)
def test_resumed_run_ends_with_the_numbers_of_one_never_broken_off(agent, tmp_path, die_at, monkeypatch):
    whole = train(quadratic(tmp_path / "whole", agent))
    for step in (10, 50, 97):  # before the first checkpoint, and twice after one
        broken = tmp_path / f"broken{step}"
        with monkeypatch.context() as patch:
            patch.setattr(Run, "step", Run.step)
            die_at(step)
            with pytest.raises(Killed):
                train(quadratic(broken, agent))
        monkeypatch.undo()
        assert_same(resume(broken), whole)


@pytest.mark.parametrize("changes", [{"window": 70}, {"prior": "gaussian"}, {"noise_steps": 7}], ids=str)
def test_ppo_variants_resume(changes, tmp_path, die_at, monkeypatch):
    config = quadratic(tmp_path / "whole", hyperparameters={**SMALL["ppo"], **changes})
    whole = train(config)
    die_at(90)
    with pytest.raises(Killed):
        train(replace(config, output=str(tmp_path / "broken")))
    monkeypatch.undo()
    assert_same(resume(tmp_path / "broken"), whole)


@pytest.mark.parametrize(("agent", "n_envs"), [("ppo", 2), ("sac", 1)])
def test_run_killed_by_the_system_resumes(agent, n_envs, tmp_path):
    config = quadratic(tmp_path / "whole", agent, n_envs=n_envs, total_timesteps=400)
    whole = train(config)
    words = (
        f"--env {config.env} --agent {agent} --n-envs {n_envs} --output {tmp_path / 'killed'} "
        "--total-timesteps 400 --log-every 15 --checkpoint-every 30 --progress-bar false"
    ).split() + [f"--hyperparameters.{key}={value}" for key, value in SMALL[agent].items()]
    script = Path(__file__).parents[2] / "train_agent.py"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, str(script), *words], env=environment)
    deadline = time.monotonic() + 120
    while not list((tmp_path / "killed" / "checkpoints").glob("0*")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert not (tmp_path / "killed" / "agent").exists()
    assert_same(resume(tmp_path / "killed"), whole)


def test_finished_run_can_be_resumed_and_extended(tmp_path):
    run = train(quadratic(tmp_path / "run"))
    before = numbers(run)[1]
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["000000000120"]
    resume(run)
    assert all(value.equal(before[key]) for key, value in numbers(run)[1].items())
    stored = training.stored_config(str(run))
    train(training.resumed(TrainConfig(**{**stored, "total_timesteps": 200}), stored))
    longer = train(quadratic(tmp_path / "longer", total_timesteps=200))
    assert numbers(run)[0] == numbers(longer)[0]


def test_run_folder_holds_configuration_logs_and_agent(tmp_path):
    run = train(quadratic(tmp_path / "run", total_timesteps=60))
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["hyperparameters"]["gamma"] == 0.99 and config["hyperparameters"]["n_steps"] == 20
    rows, _ = numbers(run)
    assert [row["time/total_timesteps"] for row in rows] == ["15", "30", "45", "60"]
    for row in rows:
        terms = sum(float(row[f"reward/{term}"]) for term in ("retain", "forget", "smoothness"))
        assert 0.1 <= float(row["env/lambda"]) <= 0.9 and abs(terms) < 1
    assert list((run / "tensorboard").iterdir())


def test_resume_continues_tensorboard(tmp_path, die_at, monkeypatch):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    die_at(100)
    with pytest.raises(Killed):
        train(quadratic(tmp_path / "run"))
    monkeypatch.undo()
    run = resume(tmp_path / "run")
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    steps = [event.step for event in events.Scalars("env/lambda")]
    assert steps == list(range(15, 121, 15))


def test_the_time_of_a_resumed_training_counts_on(tmp_path):
    log = Logbook(tmp_path, 1)
    log.logger.record(SECONDS, 100.0)
    log.logger.dump(1)
    state = log.state_dict()
    log.close()
    again = Logbook(tmp_path, 1, state)
    again.step(np.zeros((1, 6)), [{}], 2)
    again.close()
    with (tmp_path / "progress.csv").open(newline="") as file:
        assert [float(row[SECONDS]) >= 100.0 for row in csv.DictReader(file)] == [True, True]


def test_changing_a_number_on_resume_is_refused(tmp_path):
    run = train(quadratic(tmp_path / "run", total_timesteps=40))
    stored = training.stored_config(str(run))
    with pytest.raises(UserError, match="seed=5 differs from 0"):
        training.resumed(TrainConfig(**{**stored, "seed": 5}), stored)


def test_output_with_something_in_it_is_kept(tmp_path):
    run = train(quadratic(tmp_path / "run", total_timesteps=40))
    with pytest.raises(UserError, match="not empty"):
        train(quadratic(run))
    train(quadratic(run, total_timesteps=40, overwrite=True))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="holds no run"):
        train(quadratic(tmp_path / "mine", overwrite=True))
    assert (tmp_path / "mine" / "thesis.tex").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"env": "unlearn_gym/Nothing-v0"}, "unlearn_gym/Quadratic-v0"),
        ({"env_kwargs": {"horizont": 3}}, "'horizont'; allowed are horizon, best_lambda"),
        ({"env_kwargs": {"horizon": 0}}, "horizon=0"),
        ({"env": "no_such_module:X-v0"}, "cannot be imported"),
        ({"device": "abacus"}, "device='abacus'"),
        ({"hyperparameters": {"gama": 1}}, "'gama' is not known; allowed are learning_rate"),
        ({"hyperparameters": {"gamma": 1.5}}, "gamma"),
        ({"hyperparameters": {"prior": "beta"}}, "prior: expected one of"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(changes, message, tmp_path):
    with pytest.raises(UserError, match=message):
        train(quadratic(tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


def test_words_after_the_colon_win_over_the_agents_file(tmp_path):
    config = TrainConfig(
        env="Quadratic-v0",  # the prefix may be left out
        agent="adaptive_vi:variance",
        total_timesteps=5,
        output=str(tmp_path / "run"),
        progress_bar=False,
    )
    assert config.env == "unlearn_gym/Quadratic-v0"
    stored = training.stored_config(str(train(config)))
    assert stored["hyperparameters"]["estimator"] == "variance" and stored["env"] == config.env


def test_agents_that_cannot_be_trained_are_named(tmp_path):
    with pytest.raises(UserError, match="nothing to learn; train one of adaptive_vi"):
        train(TrainConfig(env="unlearn_gym/Quadratic-v0", agent="static", output=str(tmp_path / "run")))
    with pytest.raises(UserError, match="n_envs=2"):
        train(quadratic(tmp_path / "run", "adaptive_vi", n_envs=2))


def test_training_leaves_the_global_generators_alone(tmp_path):
    import random

    import numpy as np
    import torch

    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    train(quadratic(tmp_path / "run", "sac", total_timesteps=60))
    assert states == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
