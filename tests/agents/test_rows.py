import pytest

from unlearn_gym.agents.rows import read_rows, train_all, training_of
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


def test_training_goes_on_where_it_was_and_is_not_repeated(tmp_path):
    words = {"hyperparameters": {"n_steps": 10, "batch_size": 5}, "checkpoint_every": 10}
    half = training(tmp_path, total_timesteps=10, **words)
    train_all([half], jobs=1)
    agent = tmp_path / "mine" / "agent"
    made = agent.stat().st_mtime_ns
    train_all([half], jobs=1)
    assert agent.stat().st_mtime_ns == made

    for file in agent.iterdir():
        file.unlink()
    agent.rmdir()  # as if it had been killed after its first checkpoint
    train_all([training(tmp_path, total_timesteps=20, **words)], jobs=1)
    whole = training(tmp_path / "whole", total_timesteps=20, **words)
    train_all([whole], jobs=1)
    weights = "agent.safetensors"
    assert (agent / weights).read_bytes() == (tmp_path / "whole" / "mine" / "agent" / weights).read_bytes()
