"""Runs and trainings on a Ray cluster of two nodes, each with a cache of its own, give what they give here."""

import json
import os
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from unlearn_gym.cli import main
from unlearn_gym.errors import UserError
from unlearn_gym.runtime.workers import WorkerTraceback
from unlearn_gym.storage.bundles import pack

ray = pytest.importorskip("ray", reason="needs the extra: pip install -e '.[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

QUADRATIC = ["evaluate", "--env", "Quadratic-v0", "--seeds", "3", "--agents", "static:0.5", "random"]
RAY = ["--engine", "ray", "--address", "auto"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNLEARN_GYM_CACHE", str(tmp_path_factory.mktemp("driver")))
        patch.setenv(
            "RAY_AUTH_MODE", "disabled"
        )  # Cluster starts its nodes without a token, unlike ray start
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        made.caches, made.crew = [], []

        def add():
            made.caches.append(tmp_path_factory.mktemp("node"))
            made.crew.append(made.add_node(num_cpus=1, env_vars={"UNLEARN_GYM_CACHE": str(made.caches[-1])}))

        made.add = add
        add()
        add()
        yield made
        ray.shutdown()
        made.shutdown()


@pytest.fixture
def both(cluster, tmp_path, monkeypatch):
    """Run a command here and on the cluster, in folders of their own, and return these."""

    def run(words, meanwhile=None, status=0):
        folders = [tmp_path / "here", tmp_path / "there"]
        for folder, more in zip(folders, ([], RAY), strict=True):
            folder.mkdir(exist_ok=True)
            monkeypatch.chdir(folder)
            if more and meanwhile is not None:
                threading.Thread(target=meanwhile, args=(folder,), daemon=True).start()
            assert main([*words, *more]) == status
        return folders

    return run


def results(folder):
    return (folder / "reports" / "evaluation" / "results.json").read_text()


def test_runs_are_the_same(both):
    here, there = both(QUADRATIC)
    assert results(here) == results(there)
    assert len(json.loads(results(here))["seeds"]) == 3


def test_runs_of_a_diffusion_model_are_the_same(both):
    words = ["evaluate", "--env", "SISS-Digits-v0", "--agents", "static:0.5", "--seeds", "2"]
    words += ["--samples", "4", "--class_samples", "2", "--sampling_steps", "2", "--probe", "8"]
    here, there = both([*words, "--env_kwargs.horizon", "3"])
    assert results(here) == results(there)
    pictures = [sorted((each / "reports/evaluation/runs").glob("*.npz")) for each in (here, there)]
    assert pictures[0] and [file.read_bytes() for file in pictures[0]] == [
        file.read_bytes() for file in pictures[1]
    ]


def test_a_model_is_made_once_and_sent(cluster, both, tmp_path):
    words = ["evaluate", "--env", "EMSE-Digits-v0", "--agents", "static:0.1", "random", "--seeds", "2"]
    words += ["--env_kwargs.horizon", "3", "--env_kwargs.task_kwargs", "{pretrain_epochs: 1}"]
    assert main([*words, "--output", str(tmp_path / "first")]) == 0  # makes the models
    manifests = sorted(Path(os.environ["UNLEARN_GYM_CACHE"], "models").glob("*/manifest.json"))
    for file in manifests:
        file.write_text(json.dumps({**json.loads(file.read_text()), "marked": True}))
    here, there = both(words)
    assert results(here) == results(there) and manifests
    sent = [file for cache in cluster.caches for file in (cache / "models").glob("*/manifest.json")]
    assert {file.parent.name for file in sent} == {file.parent.name for file in manifests}
    assert all(json.loads(file.read_text())["marked"] for file in sent)  # made again they would have no mark


def test_trainings_come_back_whole(both):
    words = ["train", "--env", "Quadratic-v0", "--agent", "cem", "--total_timesteps", "40", "--seeds", "2"]
    words += ["--hyperparameters", "{population: 2, episodes: 1, elites: 1}"]
    here, there = both(words)
    runs = [pack(each / "runs" / "cem") for each in (here, there)]
    kept = [{name: run[name] for name in run if "tensorboard" not in name} for run in runs]
    assert kept[0] == kept[1]
    assert {"seed0/config.yaml", "seed1/agent/agent.safetensors", "seed1/progress.csv"} <= kept[0].keys()


def test_rows_that_learn_are_trained_and_run_there(both, tmp_path):
    row = {"total_timesteps": 20, "hyperparameters": {"n_steps": 10, "batch_size": 5}}
    rows = {"half": {"agent": "static:0.5"}, "PPO": {"agent": "ppo", "train": row}}
    here, there = both(["evaluate", "--env", "Quadratic-v0", "--seeds", "2", f"--rows={json.dumps(rows)}"])
    assert results(here) == results(there)


def test_a_search_with_optunas_own_storage_is_the_same(both):
    pytest.importorskip("optuna")
    words = ["tune", "cem", "--env", "Quadratic-v0", "--trials", "4", "--parallel", "2", "--evaluations", "2"]
    words += ["--total_timesteps", "40", "--evaluate_seeds", "2", "--startup", "1"]
    words += ["--hyperparameters", "{population: 2, episodes: 1, elites: 1}", "--space.min_std", "null"]
    here, there = both(words)
    for name in ("trials.csv", "best.yaml", "search.yaml"):
        assert (here / "runs/tune" / name).read_bytes() == (there / "runs/tune" / name).read_bytes()
    assert (there / "runs/tune/trials.db").stat().st_size and not list(
        there.glob("runs/tune/trials/*/checkpoints")
    )


AGENTS = """
import time
import numpy as np

class Slow:
    def __init__(self, env):
        pass
    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        time.sleep(0.1)
        return np.array([0.4], np.float32), state

class Broken(Slow):
    def predict(self, *words, **more):
        raise ValueError("no such luck")
"""


def test_a_run_that_fails_is_reported_once(both, tmp_path, capsys):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(AGENTS)
    here, there = both([*QUADRATIC, "mine.py:Broken"], status=2)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(said) == 2 and said[0].replace("/here/", "/there/") == said[1]
    assert "The run of 'mine.py:Broken' with seed 1000 failed" in said[1] and "no such luck" in said[1]
    made = [len(list((each / "reports/evaluation/runs").glob("*.json"))) for each in (here, there)]
    assert made == [9, 9]


def test_a_task_that_raises_is_done_once(cluster, tmp_path):
    from unlearn_gym.runtime.on_ray import OnRay

    def prepare(log):
        def task(number):
            with log.open("a") as file:
                file.write(f"{number} ")
            raise ValueError("for its own reasons")

        return task

    engine = OnRay(1, "auto")
    with pytest.raises(ValueError, match="for its own reasons") as caught:
        list(engine.run(partial(prepare, tmp_path / "log"), [(1,), (2,)], 2))
    assert isinstance(caught.value.__cause__, WorkerTraceback)
    assert (tmp_path / "log").read_text() == "1 "


def test_files_go_ahead_to_a_machine_without_the_folder(cluster, tmp_path, monkeypatch):
    from unlearn_gym.runtime import on_ray

    def prepare(path):
        return lambda: (os.getcwd(), path.read_text())

    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep").mkdir()
    file = (tmp_path / "deep" / "own.txt").relative_to(tmp_path)
    file.write_text("sent")
    with monkeypatch.context() as patch:
        patch.setattr(on_ray.os, "getcwd", lambda: "/no/such/folder")
        found = list(on_ray.OnRay(1, "auto").run(partial(prepare, file), [()], 1, files=[file]))
    assert found[0][1] == "sent" and any(found[0][0].startswith(str(cache)) for cache in cluster.caches)


def test_other_code_is_refused(cluster, monkeypatch):
    from unlearn_gym.runtime import on_ray

    monkeypatch.setattr(on_ray, "installed", lambda: "another")
    with pytest.raises(UserError, match="has another version of unlearn-gym"):
        list(on_ray.OnRay(1, "auto").run(lambda: lambda: None, [()], 1))


def test_a_node_killed_in_the_middle_changes_nothing(cluster, both, tmp_path):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text(AGENTS)
    killed = []

    def kill(folder):
        while len(list((folder / "reports/evaluation/runs").glob("*Slow*.json"))) < 1:
            time.sleep(0.02)
        cluster.remove_node(cluster.crew.pop(0), allow_graceful=False)
        killed.append(len(list((folder / "reports/evaluation/runs").glob("*.json"))))
        cluster.add()

    here, there = both([*QUADRATIC, "mine.py:Slow", "--env_kwargs.horizon", "10"], kill)
    assert results(here) == results(there)
    assert killed and killed[0] < 12
