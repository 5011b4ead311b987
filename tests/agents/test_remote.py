"""A training whose folder travels: what arrives is what a training here leaves."""

from dataclasses import replace

import pytest

from unlearn_gym.agents.cem import CEMAgent
from unlearn_gym.agents.training import TrainConfig, remote, stored_config, train
from unlearn_gym.agents.training.folder import ERRORS
from unlearn_gym.errors import UserError
from unlearn_gym.storage.bundles import pack

pytestmark = pytest.mark.filterwarnings("ignore:cem has learned nothing yet")


@pytest.fixture
def config(tmp_path):
    settings = {"population": 2, "episodes": 1, "elites": 1}
    return TrainConfig(
        env="Quadratic-v0",
        agent="cem",
        total_timesteps=40,
        hyperparameters=settings,
        output=str(tmp_path / "run"),
        progress_bar=False,
    )


def files(folder):
    """All but TensorBoard's, which are named after time and process."""
    return {name: content for name, content in pack(folder).items() if not name.startswith("tensorboard/")}


def test_what_arrives_is_what_a_training_here_leaves(config, tmp_path):
    here = train(config).rename(tmp_path / "here")
    there = remote.train_and_pack(*remote.task(config)).unpack()
    assert files(here) == files(there)


def test_a_begun_training_goes_there_and_comes_back_finished(config, tmp_path):
    here = train(config).rename(tmp_path / "here")
    folder = train(replace(config, total_timesteps=20))
    (folder / ERRORS).write_text("of a run that failed")
    (folder / ".lock").touch()
    stored = stored_config(str(folder))
    resumed = TrainConfig(**{**stored, "total_timesteps": 40, "resume": str(folder)})
    remote.train_and_pack(*remote.task(resumed)).unpack()
    assert (folder / "agent/agent.safetensors").read_bytes() == (
        here / "agent/agent.safetensors"
    ).read_bytes()
    assert not (folder / ERRORS).exists() and not (folder / ".lock").exists()


def test_the_judge_looks_where_the_training_was_made(config):
    run = remote.train_and_pack(config, {}, lambda folder: (folder.parent.exists(), str(folder)))
    assert run.verdict[0] and run.verdict[1] != config.output


def test_an_error_names_the_folder_where_the_run_belongs(config, monkeypatch):
    def fail(self, *words, **more):
        raise RuntimeError("no such luck")

    monkeypatch.setattr(CEMAgent, "learn", fail)
    run = remote.train_and_pack(config, {})
    with pytest.raises(UserError, match="no such luck") as caught:
        run.unpack()
    assert f"The training in {config.output} failed" in str(caught.value)
    assert "RuntimeError: no such luck" in (run.folder / ERRORS).read_text()
