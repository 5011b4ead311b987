"""The study of deletion requests: its statistics against hand-made tables, and all of it, as small as it can be."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from unlearn_gym.cli import main
from unlearn_gym.data.requests.ready import ready
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.evaluators import requests as requests_evaluator
from unlearn_gym.evaluation.evaluators.base import EvaluatorSettings
from unlearn_gym.evaluation.experiment import Entry, Experiment
from unlearn_gym.evaluation.runner import Runner
from unlearn_gym.evaluation.studies import Pipeline, run_study
from unlearn_gym.evaluation.studies.requests import statistics, study
from unlearn_gym.evaluation.studies.requests.study import drawn, seeds_of
from unlearn_gym.metrics.outcomes.outcome import Outcome

TINY = """
study: requests
study_settings:
  tuning_requests: 2
  test_requests: 3
  seeds: 1
  training_seeds: 1
  samples: 4
  class_samples: 2
  sampling_steps: 2
  problems:
    plain:
      env: Weighted-Requests-v0
      env_kwargs:
        state: lagged
        horizon: 2
        batch_size: 4
        reward_kwargs: {samples: 2, class_samples: 1, sampling_steps: 1}  # of trainings
      constants: [0.06, 0.35]
      schedules: ["schedule:linear:0.35:0.03"]
      controllers: ["feedback:threshold:0.35:0.03:0.5"]
      learners:
        CEM: &cem
          agent: cem
          total_timesteps: 4
          log_every: 2
          hyperparameters: {population: 2, episodes: 1, elites: 1}
      transfer: {digits: 2}
    another:
      env: EMSE-Requests-v0
      requests: poisoned-digits
      env_kwargs: {state: lagged, horizon: 2, batch_size: 4}
      constants: [0.1]
      learners:
        CEM: {<<: *cem, env_kwargs: {observation: judged, reward_kwargs: {baseline: 0.1}}}
"""


def tiny(tmp_path, *words):
    """Run the tiny study; returns its status and its folder."""
    config, output = tmp_path / "tiny.yaml", tmp_path / "report"
    config.write_text(TINY, encoding="utf-8")
    return main(["evaluate", "--config", str(config), "--output", str(output), *words]), output


def test_statistics_of_a_table():
    outcomes = np.arange(20.0).reshape(10, 2)
    assert statistics.worst_decile(outcomes) == 0.5
    assert statistics.iqm(outcomes) == 9.5
    assert statistics.share_better(np.array([[1.0, -1.0], [0.0, 2.0]])) == 0.625
    assert statistics.best({"a": outcomes, "b": outcomes + 1}) == "b"
    np.testing.assert_array_equal(statistics.oracle([outcomes[:2], outcomes[1::-1]]), [2.5, 2.5])


def test_an_interval_knows_requests_and_seeds():
    rng = np.random.default_rng(0)
    same_seeds = statistics.bootstrap(np.repeat(rng.normal(size=(40, 1)), 3, axis=1))
    width = same_seeds.ci95[1] - same_seeds.ci95[0]
    assert width == pytest.approx(2 * 1.96 / np.sqrt(40), rel=0.25)  # three seeds that say the same are one
    noisy = statistics.bootstrap(rng.normal(size=(40, 1)) + 5 * rng.normal(size=(40, 3)))
    assert noisy.ci95[1] - noisy.ci95[0] > 2 * width
    flat = statistics.bootstrap(np.ones((4, 2)))
    assert flat.value == 1.0 and flat.ci95 == (1.0, 1.0)


def test_intervals_cover_what_they_should(monkeypatch):
    monkeypatch.setattr(statistics, "RESAMPLES", 400)
    rng = np.random.default_rng(1)
    held = 0
    for k in range(100):
        outcomes = 0.3 * rng.normal(size=(30, 1)) + 0.3 * rng.normal(size=(30, 3))
        low, high = statistics.bootstrap(outcomes, seed=k).ci95
        held += low <= 0 <= high
    assert held >= 88


def test_an_interval_over_contents_takes_budgets_of_one_content_for_one():
    outcomes = np.array([[0.1, 0.3], [0.3, 0.5], [0.6, 0.8], [0.9, 0.9]])
    told = statistics.over_contents(outcomes, ["a", "a", "b", "c"])
    means = np.array([0.3, 0.7, 0.9])
    assert told.values == pytest.approx(means) and told.mean == pytest.approx(means.mean())
    half = stats.t.ppf(0.975, 2) * means.std(ddof=1) / np.sqrt(3)
    assert told.ci95 == pytest.approx((means.mean() - half, means.mean() + half))
    assert statistics.over_contents(outcomes, ["a"] * 4).ci95 is None


class _Diverging:
    """Plays λ = 0.5 in an environment whose second update is ruined."""

    def __init__(self, env):
        process, self._updates = env.unwrapped.process, 0
        update = process.update

        def ruined(lam):
            self._updates += 1
            found = update(lam)
            return replace(found, diverged=True) if self._updates == 2 else found

        process.update = ruined
        self._action = env.unwrapped.encoding.encode(0.5)

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return self._action, state


@pytest.mark.parametrize("own", [{}, {"observation": "relative", "action": "logit"}], ids=str)
def test_a_run_that_diverged_is_worth_nothing_in_whatever_environment_it_ran(own, monkeypatch):
    monkeypatch.setattr(requests_evaluator, "outcome", lambda *_: Outcome(0.5, 0.5, 0.5))
    env_kwargs = {"state": "lagged", "horizon": 3, "batch_size": 4, "split": "test", "reward": "loss"}
    entry = Entry("diverging", _Diverging, env_kwargs=own)
    experiment = Experiment(
        "unlearn_gym/Weighted-Requests-v0", (entry,), (0,), env_kwargs, EvaluatorSettings(4, 2, 2)
    )
    runner = Runner(experiment)
    record = runner.measure("diverging", 0)
    runner.close()
    assert record.run.diverged and record.values["outcome"] == 0.0
    assert record.values["label_kept"] == 0.5


def test_seeds_meet_the_requests_that_were_drawn():
    numbers = drawn(42, 5)
    assert len(set(numbers)) == 5 == len(drawn(5, 0)) and drawn(42, 5) == numbers
    seeds = seeds_of(numbers, 42, 3, 100_000)
    assert min(seeds) >= 100_000 and len(set(seeds)) == 15
    assert [seed % 42 for seed in seeds] == numbers * 3


def test_the_study_from_the_command_line_to_its_report(tmp_path, capsys):
    status, output = tiny(tmp_path)
    assert status == 0
    found = json.loads((output / "results.json").read_text(encoding="utf-8"))
    plain = {"plain, train", "plain, test", "plain, transfer to digits"}
    assert set(found["experiments"]) == plain | {"another, train", "another, test"}
    assert sorted(path.parent.name for path in output.glob("agents/*/CEM")) == ["another", "plain"]
    report = (output / "report.md").read_text(encoding="utf-8")
    for words in (
        "best constant on train",
        "best schedule on train",
        "best controller on train",
        "| CEM |",
        "the same rows on digits",
        "3 test requests × 2 seeds a row",
        "CEM was trained for",
    ):
        assert words in report
    assert all((output / f"{name}.png").stat().st_size for name in ("oracle", "policies"))
    of_run = json.loads(next((output / "runs").glob("*.json")).read_text(encoding="utf-8"))
    test = {request.name for request in ready("intruders").split("test")}
    train = {request.name for request in ready("intruders").split("train")}
    met = {
        name
        for path in (output / "runs").glob("*.json")
        for name in json.loads(path.read_text(encoding="utf-8"))["details"]
    }
    seen = {
        len(json.loads(path.read_text(encoding="utf-8"))["run"]["observations"][0])
        for path in (output / "runs").glob("CEM*.json")
    }
    assert seen == {6, 14}
    assert of_run["details"] and len(met & train) == 2 and len(met & test) == 3


def test_some_of_the_problems_can_be_asked_for(tmp_path):
    status, output = tiny(tmp_path, "--study_settings.only", '["another"]')
    found = json.loads((output / "results.json").read_text(encoding="utf-8"))
    assert status == 0 and set(found["experiments"]) == {"another, train", "another, test"}
    assert "Not measured yet" not in (output / "report.md").read_text(encoding="utf-8")


def test_what_was_measured_is_reported_where_a_later_problem_fails(tmp_path, monkeypatch, capsys):
    measured = study._measure

    def failing(settings, name, problem, pipeline):
        if name == "another":
            raise UserError("The machine is tired.")
        return measured(settings, name, problem, pipeline)

    monkeypatch.setattr(study, "_measure", failing)
    status, output = tiny(tmp_path)
    report = (output / "report.md").read_text(encoding="utf-8")
    assert status != 0 and "The machine is tired." in capsys.readouterr().err
    assert "Not measured yet: another." in report and "| CEM |" in report


def test_data_that_are_missing_are_said_before_any_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("UNLEARN_GYM_DATA", str(tmp_path / "empty"))
    monkeypatch.setenv("UNLEARN_GYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(
        sys.modules[__name__], "TINY", TINY.replace("transfer: {digits: 2}", "transfer: {trousers: 1}")
    )
    status, output = tiny(tmp_path)
    assert status != 0 and "mnist" in capsys.readouterr().err
    assert not list(output.glob("runs/*")) and not list(output.glob("agents/*"))


@pytest.mark.parametrize(
    "values, words",
    [
        ({}, "problems"),
        ({"problems": {}}, "problems is empty"),
        (
            {"problems": {"a": {"env": "SISS-Requests-v0", "schedules": ["schedule:step"]}}},
            "constants is empty",
        ),
        ({"problems": {"a": {"env": "SISS-Requests-v0"}}, "only": ["b"]}, "only='b' is not known; choose a"),
        ({"problems": {"a": {"env": "SISS-Requests-v0", "lambdas": [1]}}}, "lambdas"),
        ({"problems": {"a": {"env": "SISS-Requests-v0", "constants": [0.5], "requests": "cats"}}}, "cats"),
    ],
)
def test_wrong_settings_are_one_sentence(tmp_path, values, words):
    with pytest.raises(UserError, match=words):
        run_study("requests", values, Pipeline(tmp_path, 1, lambda *_: (), "the command"))
