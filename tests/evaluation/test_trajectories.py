"""The runs of an evaluation as Minari data sets."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from unlearn_gym import agents
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import Entry, evaluate, trajectories
from unlearn_gym.trajectories import datasets

from .tiny_agents import constant

pytest.importorskip("minari")


@pytest.fixture(autouse=True)
def datasets_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))


@pytest.fixture
def two(experiment):
    """A constant and a policy that draws, twice each."""
    entries = (constant(0.5), Entry("ppo", partial(agents.resolve, "ppo"), "learned"))
    return replace(experiment, entries=entries, seeds=(3, 4), deterministic=False)


def test_every_run_is_an_episode(two, tmp_path):
    results = evaluate(two, tmp_path, progress=False)
    assert [path.name for path in trajectories.write(results, "runs")] == ["runs-v0"]
    found = datasets.read("runs")
    assert [(e.agent, e.seed) for e in found.episodes] == [
        ("static:0.5", 3), ("static:0.5", 4), ("ppo", 3), ("ppo", 4)
    ]  # fmt: skip
    for episode in found.episodes:
        (record,) = (each for each in results.of(episode.agent) if each.seed == episode.seed)
        assert episode.rewards.tolist() == record.run.rewards
        assert episode.observations.tolist() == record.run.observations
        np.testing.assert_allclose(episode.actions[:, 0], record.run.lambdas, rtol=1e-6)
        assert {name: rows.tolist() for name, rows in episode.reward_terms.items()} == record.run.reward_terms
        assert (episode.latent is None) == (episode.agent == "static:0.5")
        assert episode.terminated
    latent = found.episodes[-1].latent
    assert (latent.std > 0).all()
    np.testing.assert_allclose(found.episodes[-1].actions, 0.1 + 0.8 / (1 + np.exp(-latent.z)), rtol=1e-5)


def test_what_is_kept_is_logged_without_another_run(two, tmp_path):
    evaluate(replace(two, seeds=(3,)), tmp_path, progress=False)  # as a killed evaluation leaves it
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    results = evaluate(two, tmp_path, progress=False)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    (folder,) = trajectories.write(results, "runs")
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert list(trajectories.write(results, "runs")) == [folder]  # the same command again
    assert all(path.stat().st_mtime_ns == time for path, time in written.items())
    assert len(datasets.read("runs").episodes) == 4


def test_rows_in_other_environments_are_other_data_sets(two, tmp_path):
    short = replace(constant(0.7), name="short", env_kwargs={"horizon": 3})
    results = evaluate(replace(two, entries=(*two.entries, short), seeds=(3,)), tmp_path, progress=False)
    names = [
        path.relative_to(tmp_path / "minari").as_posix() for path in trajectories.write(results, "runs-v2")
    ]
    assert len(names) == 2
    assert all(name.startswith("runs/Quadratic-v0-") and name.endswith("-v2") for name in names)
    assert [len(datasets.read(name).episodes) for name in names] == [2, 1]
    assert datasets.read(names[1]).env_kwargs["horizon"] == 3


def test_what_cannot_be_logged_is_refused_before_any_run(two, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="in JSON"):
        trajectories.check(replace(two, env_kwargs={"best_lambda": object()}), "runs")
    with pytest.raises(UserError, match="no name of a data set"):
        trajectories.check(two, "my runs")
    results = evaluate(replace(two, seeds=(3,)), tmp_path, progress=False)
    list(trajectories.write(results, "runs"))
    trajectories.check(results.experiment, "runs")
    with pytest.raises(UserError, match="runs-v0 is there already and holds other runs"):
        trajectories.check(two, "runs")
