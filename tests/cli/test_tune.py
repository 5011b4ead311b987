"""The search for settings; Optuna is an extra, but the tests of CI have it."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import yaml

from unlearn_gym import agents, configs
from unlearn_gym.agents.cem import CEMAgent
from unlearn_gym.agents.common.base import Agent
from unlearn_gym.agents.training import Run, TrainConfig, train
from unlearn_gym.agents.tuning.config import TuneConfig
from unlearn_gym.agents.tuning.spaces import Choices, search_space
from unlearn_gym.cli import main, tune
from unlearn_gym.errors import UserError

pytest.importorskip("optuna", reason="needs the extra: pip install -e '.[tune]'")
pytestmark = pytest.mark.filterwarnings("ignore:cem has learned nothing yet")

FIXED = {"population": 2, "episodes": 1, "elites": 1}
SPACE = {"initial_std": {"low": 0.1, "high": 3.0}, "smoothing": [0.0, 0.5], "min_std": None}
SIZE = {"total_timesteps": 40, "evaluations": 2, "evaluate_seeds": 2, "startup": 3, "trials": 5}
WORDS = ["--env", "Quadratic-v0", "--space.initial_std.low", "0.1", "--space.initial_std.high", "3"]
WORDS += ["--space.smoothing", "[0.0, 0.5]", "--space.min_std", "null"]
WORDS += [f"--{name}={value}" for name, value in SIZE.items()]
WORDS += [f"--hyperparameters.{name}={value}" for name, value in FIXED.items()]


def search(output, score=None, **changes):
    from unlearn_gym.agents.tuning.search import tune as run

    settings = {"agent": "cem", "env": "Quadratic-v0", "hyperparameters": FIXED, "space": SPACE, **SIZE}
    config = TuneConfig(**{**settings, "output": str(output), **changes})
    return run(config, score or by_settings)


def by_settings(folder: Path) -> list[float]:
    """What a trial is worth, from its settings: best where initial_std is 1."""
    settings = yaml.safe_load((folder / "config.yaml").read_text())["hyperparameters"]
    return [-abs(settings["initial_std"] - 1.0), -0.5 * settings["smoothing"]]


def rows(folder: Path) -> list[dict]:
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return search(tmp_path_factory.mktemp("searches") / "whole")


def left(folder: Path) -> tuple[str, str]:
    return (folder / "trials.csv").read_text(), (folder / "best.yaml").read_text()


def test_the_best_settings_train_the_agent_of_their_trial(tmp_path, whole):
    found = rows(whole)
    values = [float(row["mean_return"]) if row["state"] == "complete" else -np.inf for row in found]
    best, text = int(np.argmax(values)), (whole / "best.yaml").read_text()
    assert len(found) == 5 and text.startswith(f"# Trial {best}: mean return {values[best]:.6g} over 2 ")
    config = yaml.safe_load(text)
    assert config["hyperparameters"].keys() == {*FIXED, "initial_std", "smoothing"}
    assert float(found[best]["initial_std"]) == config["hyperparameters"]["initial_std"]
    run = train(TrainConfig(**config, output=str(tmp_path / "run"), progress_bar=False))
    env = gym.make("unlearn_gym/Quadratic-v0")
    again, kept = (agents.load(each, env) for each in (run, whole / "trials" / f"{best:04d}"))
    assert (again.mean == kept.mean).all() and kept.generation == 2
    assert (whole / "search.png").stat().st_size > 10_000


class Killed(BaseException):
    pass


@pytest.mark.parametrize("place", ["first training", "first score", "second training", "tell"])
def test_a_killed_search_ends_as_one_never_killed(place, whole, tmp_path, monkeypatch):
    """The last random trial is killed; the trials before and after it are the same."""
    from optuna import Study

    stage = 2 if place == "second training" else 1

    def here(output):
        return (output / "trials" / "0002").exists()

    with monkeypatch.context() as patch:
        if place.endswith("training"):

            def step(self, observations, infos, timesteps, original=Run.step):
                original(self, observations, infos, timesteps)
                if here(tmp_path / "search") and timesteps == 20 * stage - 5:
                    raise Killed

            patch.setattr(Run, "step", step)
        if place == "tell":

            def tell(self, *words, original=Study.tell, **more):
                if here(tmp_path / "search"):
                    raise Killed
                return original(self, *words, **more)

            patch.setattr(Study, "tell", tell)
        calls = []

        def score(folder):
            calls.extend([folder.name] * (folder.name == "0002"))
            if place.endswith("score") and len(calls) == stage:
                raise Killed
            return by_settings(folder)

        try:
            search(tmp_path / "search", score)
        except Killed:
            assert len(rows(tmp_path / "search")) == 2
        else:
            pytest.fail("it was not killed")
    assert left(search(tmp_path / "search")) == left(whole)


def test_a_search_killed_between_the_trials_of_a_batch_proposes_the_rest_as_before(tmp_path, monkeypatch):
    """Of the batch 2 and 3 the first is told when the kill comes: the second must not learn from it."""
    from optuna import Study

    size = {"startup": 1, "parallel": 2, "trials": 4}
    whole = search(tmp_path / "whole", **size)

    def tell(self, trial, *words, original=Study.tell, **more):
        if getattr(trial, "number", 0) == 3:
            raise Killed
        return original(self, trial, *words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Study, "tell", tell)
        with pytest.raises(Killed):
            search(tmp_path / "search", **size)
    trained = (tmp_path / "search" / "trials" / "0003" / "agent").stat().st_mtime_ns
    assert left(search(tmp_path / "search", **size)) == left(whole)
    assert (tmp_path / "search" / "trials" / "0003" / "agent").stat().st_mtime_ns == trained


def test_a_search_killed_by_the_system_goes_on(tmp_path, capsys):
    words = ["tune", "cem", *WORDS, "--evaluations", "1", "--trials", "3", "--output"]
    command = [sys.executable, "-m", "unlearn_gym", *words, str(tmp_path / "killed")]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    deadline = time.monotonic() + 120
    while not (tmp_path / "killed" / "trials" / "0001").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the search ended before it could be killed"
    for folder in ("killed", "whole"):
        assert main([*words, str(tmp_path / folder)]) == 0
        said = capsys.readouterr().out
        assert "The best settings are in" in said and ("trial 0:" in said) == (folder == "whole")
    assert left(tmp_path / "killed") == left(tmp_path / "whole")


def test_what_is_worse_than_the_median_is_stopped(tmp_path):
    worse = search(tmp_path / "search", lambda folder: [-float(folder.name)])
    assert [row["state"] for row in rows(worse)] == ["complete"] * 3 + ["pruned"] * 2
    assert [row["steps"] for row in rows(worse)] == ["40"] * 3 + ["20"] * 2


def test_a_training_that_fails_is_a_trial_that_was_stopped(tmp_path, monkeypatch, capsys):
    def save(self, folder, original=CEMAgent.save):
        if "0001" in str(folder):
            raise UserError("it diverged")
        original(self, folder)

    monkeypatch.setattr(CEMAgent, "save", save)
    found = rows(search(tmp_path / "search", trials=3))
    assert [row["state"] for row in found] == ["complete", "failed", "complete"]
    assert found[1]["error"] == "it diverged" and "trial 1: failed" in capsys.readouterr().out
    monkeypatch.setattr(CEMAgent, "save", lambda *words: save(words[0], "0001"))
    with pytest.raises(UserError, match=r"No trial of the search in .* was finished: it diverged"):
        search(tmp_path / "other", trials=2)


def test_evaluations_have_keywords_and_seeds_of_their_own(tmp_path, capsys):
    words = ["tune", "cem", *WORDS, "--trials", "1", "--evaluations", "1", "--output"]
    found = []
    for number, more in enumerate(
        ([], ["--evaluation-env-kwargs.best_lambda", "0.2"], ["--first-seed", "7"])
    ):
        assert main([*words, str(tmp_path / str(number)), *more]) == 0, capsys.readouterr().err
        found.append(rows(tmp_path / str(number))[0])
    assert len({row["initial_std"] for row in found}) == 1
    assert len({row["mean_return"] for row in found}) == 3


def test_a_second_call_may_ask_for_more_trials_and_for_nothing_else(tmp_path):
    folder = search(tmp_path / "search", trials=2)
    first = rows(folder)
    assert rows(search(folder, trials=3))[:2] == first
    with pytest.raises(UserError, match="total_timesteps=41 differs from 40"):
        search(folder, total_timesteps=41)
    (folder / "trials.db").write_bytes(b"not a database")
    with pytest.raises(UserError, match=r"trials\.db cannot be used"):
        search(folder, trials=4)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.md").write_text("x")
    with pytest.raises(UserError, match=r"holds notes\.md and no search"):
        search(tmp_path / "mine")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["static"], "The agent 'static' has nothing to learn"),
        (["nothing"], "The agent 'nothing' is not known"),
        (["ppo", "--env", "No-v0"], "The environment 'unlearn_gym/No-v0' is not known"),
        (["ppo", "--trials", "0"], "trials: "),
        (["primal_dual"], "There is nothing to search: primal_dual has no file"),
        (["ppo", "--space.gama", "[0.9]"], "The search space of ppo: 'gama' is not known"),
        (["ppo", "--space.gamma", "[0.9, 2]"], "The search space of ppo: gamma: "),
        (["ppo", "--space.gamma", "0.9"], "The search space of gamma, 0.9, is no list of choices"),
        (["cem", "--space.min_std.low", "0"], "and log: true only where low is above 0"),
        (["cem", "--space.population.low", "2"], "The search space of population"),
        (["cem", "--hyperparameters.elites", "9"], "settings of cem: elites=9"),
        (["cem", "--env-kwargs.horizont", "9"], "'horizont'"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(words, sentence, tmp_path, capsys):
    env = [] if "--env" in words else ["--env", "Quadratic-v0"]
    assert main(["tune", *words, *env, "--output", str(tmp_path / "search")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and sentence in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_without_optuna_the_extra_is_named(monkeypatch, capsys):
    monkeypatch.setattr(tune, "find_spec", lambda name: None)
    assert main(["tune", "cem"]) == 2
    assert "pip install 'unlearn-gym[tune]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in (Path(configs.__file__).parent / "tuning").glob("*.yaml"))
)
def test_the_corners_of_every_space_that_comes_along_make_the_agent(name):
    space, env = search_space(name, {}, {}), gym.make("unlearn_gym/Quadratic-v0")
    for corner in (0, -1):
        made = agents.make(name, env, **{key: each.ends()[corner] for key, each in space.items()})
        assert isinstance(made, Agent)


def test_whole_numbers_are_searched_where_the_setting_is_one():
    changes = {"elites": {"low": 1, "high": 4}, "smoothing": {"low": 0, "high": 0.5}}
    space = search_space("cem", changes, {"population": 8})
    assert space["elites"].whole and not space["smoothing"].whole and "population" not in space
    assert space["smoothing"].high == 0.5 and space["episodes"] == Choices((2, 3, 5))
