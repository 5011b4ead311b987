"""The study of logged requests, as small as it can be."""

import json

import pytest

from unlearn_gym.cli import main
from unlearn_gym.evaluation.studies.offline import _seeds
from unlearn_gym.trajectories import datasets

TINY = """
study: offline
study_settings:
  env: EMSE-Requests-v0
  requests: poisoned-digits
  env_kwargs: {state: lagged, horizon: 2, batch_size: 4}
  dataset: tiny/behaviours
  episodes: 2
  constants: ["static:0.1"]
  learners:
    IQL: {agent: iql, dataset: tiny/behaviours, total_timesteps: 3}
    CEM: {agent: cem, hyperparameters: {population: 2, episodes: 1, elites: 1}}
  training_seeds: 1
  test_requests: 2
"""


def test_seeds_meet_requests_in_turn():
    seeds = _seeds(7, 3)
    assert len(set(seeds)) == 7
    assert all(sum(seed % 3 == number for seed in seeds) in (2, 3) for number in range(3))
    assert len(_seeds(2, 3)) == 2


@pytest.mark.slow
def test_it_logs_learns_and_compares(tmp_path, monkeypatch, capsys):
    pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    words = ["evaluate", "--config", "tiny.yaml", "--output", "out"]
    assert main(words) == 0, capsys.readouterr().err
    data = datasets.read("tiny/behaviours")
    assert [e.agent for e in data.episodes] == [
        name for name in ("random_constant", "walk", "random_policy") for _ in range(2)
    ]
    assert len({episode.request for episode in data.episodes}) == 2
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert set(results["agents"]) == {"static:0.1", "IQL", "CEM"}
    stored = (tmp_path / "out" / "agents" / "CEM" / "config.yaml").read_text()
    assert "total_timesteps: 12" in stored  # as many as were logged: 3 behaviours, 2 episodes, 2 updates
    assert main(words) == 0  # nothing is made again, and the data set is the same
