"""Runs whose files were damaged, or that ran out of disk: a sentence, never a silent restart, equal numbers after."""

import csv
import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from unlearn_gym.agents import training
from unlearn_gym.agents.training import Run, TrainConfig, checkpoints, train
from unlearn_gym.errors import UserError
from unlearn_gym.storage import files
from unlearn_gym.storage.checksums import MANIFEST, checksums

CONFIG = TrainConfig(
    env="Quadratic-v0",
    agent="ppo",
    total_timesteps=120,
    hyperparameters={"n_steps": 20, "batch_size": 20, "n_epochs": 1},
    log_every=15,
    checkpoint_every=30,
    progress_bar=False,
)


class Killed(BaseException):
    pass


def broken_off(folder, monkeypatch, step):
    """A run that was killed at a step."""

    def dying(self, observations, infos, timesteps, original=Run.step):
        original(self, observations, infos, timesteps)
        if timesteps >= step:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Run, "step", dying)
        with pytest.raises(Killed):
            train(replace(CONFIG, output=str(folder)))
    return folder


def resume(folder):
    stored = training.stored_config(str(folder))
    return train(training.resumed(TrainConfig(**stored), stored))


def rows(folder):
    with (folder / "progress.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "time/seconds"} for row in csv.DictReader(file)]


def points(folder):
    """(step, value) of a curve as TensorBoard shows it."""
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars("state/retain_loss")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return train(replace(CONFIG, output=str(tmp_path_factory.mktemp("runs") / "whole")))


def assert_same(run, whole):
    assert rows(run) == rows(whole) and points(run) == points(whole)
    found, expected = (load_file(folder / "agent" / "agent.safetensors") for folder in (run, whole))
    assert found.keys() == expected.keys() and all(found[key].equal(expected[key]) for key in found)


@pytest.mark.parametrize("step", [10, 22, 50, 97])  # before the first row, the first checkpoint, and after
def test_tensorboard_shows_every_point_once(step, whole, tmp_path, monkeypatch):
    run = broken_off(tmp_path / "run", monkeypatch, step)
    assert_same(resume(run), whole)
    assert len({step for step, _ in points(run)}) == len(points(run))


@pytest.mark.parametrize("text", ["", "a,b\n1", None])
def test_a_truncated_progress_file_loses_no_rows(text, whole, tmp_path, monkeypatch):
    run = broken_off(tmp_path / "run", monkeypatch, 97)
    if text is None:
        (run / "progress.csv").unlink()
    else:
        (run / "progress.csv").write_text(text)
    assert_same(resume(run), whole)


def edited(change):
    def act(file):
        state = json.loads(file.read_text())
        change(state)
        file.write_text(json.dumps(state))

    return act


DAMAGES = {
    "empty object": lambda file: file.write_text("{}"),
    "empty list": lambda file: file.write_text("[]"),
    "null": lambda file: file.write_text("null"),
    "list": lambda file: file.write_text("[1]"),
    "no file": lambda file: file.unlink(),
    "empty": lambda file: file.write_text(""),
    "half": lambda file: file.write_text(file.read_text()[:99]),
    "no agent": edited(lambda state: state.pop("agent")),
    "agent of another type": edited(lambda state: state.update(agent=[1])),
    "timesteps of another type": edited(lambda state: state.update(timesteps="x")),
    "no log": edited(lambda state: state.update(logbook=None)),
    "no environments": edited(lambda state: state["agent"].update(environments=[{}])),
    "counter of another type": edited(lambda state: state["agent"].update(counters=[])),
    "weights of another type": edited(lambda state: state["agent"]["parameters"].update(policy=3)),
}


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return broken_off(tmp_path_factory.mktemp("runs") / "killed", patch, 97)


@pytest.mark.parametrize("manifest", ["right", "missing", "wrong"])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.filterwarnings("ignore:.*has no manifest")
def test_a_damaged_checkpoint_is_a_sentence_not_a_restart(damage, manifest, killed, tmp_path):
    run = copied(killed, tmp_path / "run")
    folder = checkpoints.latest_folder(run)
    damage(folder / "checkpoint.json")
    if manifest == "right":
        (folder / MANIFEST).write_text(json.dumps({"sha256": checksums(folder)}))
    elif manifest == "missing":
        (folder / MANIFEST).unlink()
    before = (run / "progress.csv").read_bytes()
    with pytest.raises(UserError, match="to start") as error:
        resume(run)
    assert folder.name in str(error.value) and "\n" not in str(error.value)
    assert folder.is_dir() and not (run / "agent").exists()
    assert (run / "progress.csv").read_bytes() == before or manifest != "wrong"


def copied(run, target):
    shutil.copytree(run, target)
    return target


def test_a_checkpoint_of_an_early_version_goes_on_with_a_warning(killed, whole, tmp_path):
    run = copied(killed, tmp_path / "run")
    (checkpoints.latest_folder(run) / MANIFEST).unlink()
    with pytest.warns(UserWarning, match="no manifest"):
        resume(run)
    assert_same(run, whole)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a mapping"),
        (b"\xff\xfe\x00", "is no text in UTF-8"),
        (b"[1, 2]", "is not a mapping"),
        (b"a: [", "is not YAML"),
        (b"agent: ppo\nagnt: sac", "'agnt' is not known"),
        (b"total_timesteps: many", "total_timesteps"),
        (b"seed: -1", "seed"),
        (b"seed: 4294967296", "seed: .*4294967296"),
        (b"env_kwargs: 3", "env_kwargs"),
        (b"hyperparameters: [1]", "hyperparameters"),
        (b"log_every: .inf", "log_every"),
    ],
)
def test_a_damaged_configuration_is_a_sentence(content, message, killed, tmp_path):
    run = copied(killed, tmp_path / "run")
    (run / "config.yaml").write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        resume(run)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: text.index("hyperparameters:")],  # the rest would be defaults
        lambda text: text.replace("seed: 0", "seed: 1"),
    ],
)
def test_a_configuration_that_was_changed_is_a_sentence(damage, killed, tmp_path):
    file = copied(killed, tmp_path / "run") / "config.yaml"
    whole = file.read_text()
    assert damage(whole) != whole
    file.write_text(damage(whole))
    with pytest.raises(UserError, match=r"config.yaml was changed or damaged.* put it back"):
        resume(file.parent)


@pytest.mark.parametrize(
    "changes",
    [
        {"hyperparameters": {"learning_rate": float("inf")}},
        {"hyperparameters": {"ent_coef": float("inf")}},
        {"hyperparameters": {"vf_coef": float("nan")}},
        {"hyperparameters": {"clip_range": float("-inf")}},
        {"agent": "sac", "hyperparameters": {"ent_coef": float("inf")}},
        {"agent": "sac", "hyperparameters": {"gradient_steps": 0}},
        {"agent": "sac", "hyperparameters": {"gradient_steps": -2}},
        {"agent": "sac", "hyperparameters": {"buffer_size": 10**15}},
        {"agent": "tqc", "hyperparameters": {"top_quantiles_to_drop_per_net": 25}},
        {"agent": "adaptive_vi", "hyperparameters": {"beta": float("inf")}},
        {"agent": "primal_dual", "hyperparameters": {"epsilon": float("inf")}},
        {"seed": 2**32},
        {"seed": 10**40},
        {"seed": -1},
        {"output": "/dev/null/x"},
        {"output": "~nosuchuser/x"},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_a_sentence_and_write_nothing(changes, tmp_path):
    hyperparameters = {} if "agent" in changes else CONFIG.hyperparameters
    config = replace(
        CONFIG, **{"hyperparameters": hyperparameters, "output": str(tmp_path / "run"), **changes}
    )
    with pytest.raises(UserError) as error:
        train(config)
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


def test_the_largest_seed_is_trained(tmp_path):
    train(replace(CONFIG, seed=2**32 - 1, total_timesteps=20, output=str(tmp_path / "run")))
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["seed"] == 2**32 - 1
    assert (tmp_path / "run" / "agent").is_dir()


def test_overwriting_deletes_the_run_and_nothing_else(killed, tmp_path):
    for mine in ("thesis.tex", "agent/notes.md", "tensorboard/notes.md", "checkpoints/000000000080/x", "x/y"):
        run = copied(killed, tmp_path / mine.replace("/", "-"))
        (run / mine).parent.mkdir(parents=True, exist_ok=True)
        (run / mine).write_text("mine")
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        with pytest.raises(UserError, match="move that away first"):
            train(replace(CONFIG, output=str(run), overwrite=True))
        assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_overwriting_gives_the_run_of_an_empty_folder(killed, whole, tmp_path, monkeypatch):
    run = copied(killed, tmp_path / "run")
    monkeypatch.chdir(run)  # and from within
    train(replace(CONFIG, output=".", overwrite=True))
    assert_same(run, whole)
    assert yaml.safe_load((run / "config.yaml").read_text())["overwrite"] is False


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    train(replace(CONFIG, total_timesteps=20, output="~/run"))
    assert training.stored_config("~/run")["total_timesteps"] == 20 and (tmp_path / "run" / "agent").is_dir()


def test_leftovers_of_a_killed_run_are_swept(killed, whole, tmp_path):
    run = copied(killed, tmp_path / "run")
    leftovers = [run / ".config.tmp-abcdefgh.yaml", run / "checkpoints" / ".000000000100.tmp-abcdefgh"]
    leftovers[0].touch()
    leftovers[1].mkdir()
    assert_same(resume(run), whole)
    assert not any(path.exists() for path in leftovers)


@pytest.mark.parametrize("fails", range(6))
def test_a_full_disk_is_a_sentence_and_the_run_goes_on_with_equal_numbers(
    fails, whole, tmp_path, monkeypatch
):
    run, written = tmp_path / "run", iter(range(10**6))

    def full(original):
        def call(*arguments):
            if next(written) >= 3 * fails:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return original(*arguments)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(files, "_sync", full(files._sync))
        with pytest.raises(UserError, match="No space left on device") as error:
            train(replace(CONFIG, output=str(run)))
    assert f"--resume {run}" in str(error.value) and "\n" not in str(error.value)
    if (run / "config.yaml").exists():
        assert_same(resume(run), whole)
    else:  # nothing could be written
        assert not run.exists()


LIMITED = """
import resource, sys
from unlearn_gym import cli
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(cli.run("train", sys.argv[2:]))
"""


@pytest.mark.parametrize("room", [1200, 3000, 30_000])  # the rows, the events, the first checkpoint
def test_the_systems_own_error_is_a_sentence_too(room, whole, tmp_path):
    words = f"--env Quadratic-v0 --total-timesteps 120 --log-every 15 --checkpoint-every 30 --output {tmp_path / 'run'}"
    settings = [f"--hyperparameters.{key}={value}" for key, value in CONFIG.hyperparameters.items()]
    # -B: Python itself would leave half a .pyc of a module that it compiles under the limit
    command = [sys.executable, "-B", "-c", LIMITED, str(room), *words.split(), *settings, "--no-progress-bar"]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=root, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 2 and len(errors) == 1 and "Traceback" not in done.stderr, done.stderr
    assert "File too large" in errors[0] and "--resume" in errors[0]
    assert_same(resume(tmp_path / "run"), whole)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC])
def test_the_thread_of_tensorboard_leaves_its_error_to_the_run(number, tmp_path, monkeypatch):
    def refuse(*given):
        raise OSError(number, os.strerror(number))

    shown = []
    monkeypatch.setattr(threading, "excepthook", shown.append)
    monkeypatch.setattr("tensorboard.summary.writer.record_writer.RecordWriter.write", refuse)
    with pytest.raises((OSError, UserError), match=os.strerror(number)):
        train(replace(CONFIG, output=str(tmp_path / "run")))
    assert not shown  # a traceback on stderr
