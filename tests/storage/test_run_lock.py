"""Two processes and one run folder: the second one is refused, and a dead one holds nothing."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from unlearn_gym.errors import UserError
from unlearn_gym.storage.run_lock import LOCK, alone_in

ROOT = Path(__file__).parents[2]
TRAIN = (
    *("train_agent.py", "--env", "Quadratic-v0", "--total-timesteps", "1000000", "--no-progress-bar"),
    *("--hyperparameters.n_steps", "20", "--hyperparameters.batch_size", "20", "--checkpoint-every", "40"),
)
EVALUATE = ("evaluate.py", "--env", "Quadratic-v0", "--agents", "static:0.5", "--seeds", "3000")


def start(words, folder):
    script, *rest = words
    return subprocess.Popen(
        [sys.executable, str(ROOT / script), *rest],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def refused(words, folder, name):
    second = start(words, folder)
    _, errors = second.communicate(timeout=120)
    assert second.returncode == 2, errors
    assert errors.startswith(f"error: Another process is at work in {name}; ") and errors.count("\n") == 1


@contextlib.contextmanager
def running(words, folder, sign):
    """A process that is killed without a chance to clean up, once ``sign`` has appeared."""
    process = start(words, folder)
    try:
        deadline = time.monotonic() + 120
        while not list(folder.glob(sign)):
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()


def test_a_run_is_not_resumed_or_replaced_twice_at_once(tmp_path):
    run = tmp_path / "runs" / "x"
    resume = ("train_agent.py", "--resume", "runs/x", "--total-timesteps", "1000000", "--no-progress-bar")
    with running((*TRAIN, "--output", "runs/x"), tmp_path, "runs/x/checkpoints/[0-9]*"):
        refused(resume, tmp_path, "runs/x")
        refused((*TRAIN, "--output", "runs/x", "--overwrite"), tmp_path, "runs/x")
    assert (run / LOCK).exists()  # of the killed process
    steps = max(int(path.name) for path in (run / "checkpoints").glob("[0-9]*"))
    last = start((*resume[:4], str(steps + 20), *resume[5:]), tmp_path)
    _, errors = last.communicate(timeout=120)
    assert last.returncode == 0, errors
    assert (run / "agent").is_dir() and not (run / LOCK).exists()


def test_a_report_is_not_made_twice_at_once(tmp_path):
    with running((*EVALUATE, "--output", "reports"), tmp_path, "reports/runs/*"):
        refused((*EVALUATE, "--output", "reports"), tmp_path, "reports")
    with alone_in(tmp_path / "reports"):
        pass


def test_an_unused_folder_is_removed_with_the_parents_that_were_made(tmp_path):
    with pytest.raises(UserError, match="bad input"), alone_in(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b" / LOCK).exists()
        raise UserError("bad input")
    assert not list(tmp_path.iterdir())
    with alone_in(tmp_path / "a" / "b"):
        (tmp_path / "a" / "b" / "result").touch()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["result"]


def test_the_folder_is_free_again_after_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(ValueError), alone_in(tmp_path):
            raise ValueError
    with alone_in(tmp_path), pytest.raises(UserError, match="Another process"), alone_in(tmp_path):
        pass
    assert not list(tmp_path.iterdir())
