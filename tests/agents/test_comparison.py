import shutil
from dataclasses import replace

import pytest

from unlearn_gym.agents.training import TrainConfig, train
from unlearn_gym.agents.training.comparison import read_rows, train_all, training_of
from unlearn_gym.errors import UserError

QUADRATIC = "unlearn_gym/Quadratic-v0"


def training(tmp_path, **train):
    row = read_rows({"mine": {"agent": "ppo", "env_kwargs": {"horizon": 5}, "train": train}})["mine"]
    return training_of(row, QUADRATIC, {"horizon": 9, "noise": 0.0}, tmp_path / "mine")


def test_keywords_are_merged_from_comparison_to_training(tmp_path):
    config = training(tmp_path, total_timesteps=7, env_kwargs={"noise": 0.5})
    assert (config.env, config.agent, config.total_timesteps) == (QUADRATIC, "ppo", 7)
    assert config.env_kwargs == {"horizon": 5, "noise": 0.5}
    other = training(tmp_path, env="SISS-Digits-v0")
    assert other.env == "unlearn_gym/SISS-Digits-v0"


def test_a_row_without_training_has_none(tmp_path):
    row = read_rows({"constant": {"agent": "static:0.5", "env": "Quadratic-v0"}})["constant"]
    assert row.env == QUADRATIC
    assert training_of(row, QUADRATIC, {}, tmp_path) is None


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ({"mine": {"agnt": "ppo"}}, "The row 'mine': 'agnt' is not known; allowed are agent, kind"),
        ({"mine": {"agent": "ppo", "kind": "best"}}, "kind"),
    ],
)
def test_bad_rows_are_named(rows, sentence):
    with pytest.raises(UserError, match=sentence):
        read_rows(rows)


def test_a_bad_training_is_named(tmp_path):
    with pytest.raises(UserError, match="The training of 'mine': 'steps' is not known"):
        training(tmp_path, steps=3)


def test_a_killed_training_goes_on_to_the_same_agent_and_a_finished_one_is_kept(tmp_path):
    words = {
        "hyperparameters": {"n_steps": 10, "batch_size": 5},
        "checkpoint_every": 10,
        "total_timesteps": 20,
    }
    train_all([training(tmp_path, **words)], jobs=1)
    agent = tmp_path / "mine" / "agent"
    weights, made = (agent / "agent.safetensors").read_bytes(), agent.stat().st_mtime_ns
    train_all([training(tmp_path, **words)], jobs=1)
    assert agent.stat().st_mtime_ns == made

    shutil.rmtree(agent)  # as if it had been killed after its first checkpoint
    shutil.rmtree(max((tmp_path / "mine" / "checkpoints").iterdir()))
    train_all([training(tmp_path, **words)], jobs=1)
    assert (agent / "agent.safetensors").read_bytes() == weights

    with pytest.raises(UserError, match=r"total_timesteps=30 differs from 20 .* delete that folder"):
        train_all([training(tmp_path, **words | {"total_timesteps": 30})], jobs=1)
    with pytest.raises(UserError, match="gamma"):
        train_all([training(tmp_path, **words | {"hyperparameters": {"gamma": 0.5}})], jobs=1)


CLUMSY = """
import gymnasium as gym
from unlearn_gym.envs.quadratic import QuadraticEnv

class Clumsy(QuadraticEnv):
    def step(self, action):
        if self._step == 3:
            raise ZeroDivisionError("my own")
        return super().step(action)

gym.register("clumsy/Quadratic-v0", Clumsy)
"""


@pytest.mark.parametrize("by", ["a worker that trains", "a worker of the training"])
def test_what_a_worker_raises_is_one_sentence_and_its_traceback_a_file(by, tmp_path, monkeypatch):
    (tmp_path / "clumsy_module.py").write_text(CLUMSY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    keys = {"env": "clumsy_module:clumsy/Quadratic-v0", "total_timesteps": 20, "agent": "adaptive_vi"}
    config = TrainConfig(**keys, output="run", progress_bar=False)
    with pytest.raises(
        UserError, match=r"run failed \(ZeroDivisionError: my own\); its traceback is in"
    ) as caught:
        if by == "a worker that trains":
            train_all([config], 1)
        else:
            train(replace(config, agent="ppo", n_envs=2))
    assert "\n" not in str(caught.value)
    assert "in step" in (tmp_path / "run" / "training-error.log").read_text()
    with pytest.raises(UserError, match="--overwrite"):  # the log is the run's own
        train(config)
