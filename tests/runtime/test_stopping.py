"""Signals to the two command lines and to their workers: a sentence, no orphans, nothing lost."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 60
"""Seconds within which a process of a loaded machine starts its work, or ends."""
EVALUATE = (
    *("evaluate.py", "--env", "Quadratic-v0", "--agents", "static:0.5", "random", "--jobs", "2"),
    *("--output", "out", "--env_kwargs.horizon", "200"),
)
MANY = ("--seeds", "5000")
TRAIN = (
    *(
        "train_agent.py",
        "--env",
        "Quadratic-v0",
        "--n-envs",
        "2",
        "--total-timesteps",
        "1000000",
        "--output",
        "out",
    ),
    *("--no-progress-bar", "--hyperparameters.n_steps", "20", "--hyperparameters.batch_size", "20"),
    *("--hyperparameters.n_epochs", "1", "--checkpoint-every", "40", "--log-every", "40"),
)
EVALUATED, TRAINED = "run the same command again", "go on with --resume out"
SIGNS = {EVALUATE: "out/runs/[!.]*.json", TRAIN: "out/checkpoints/0*"}
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def alive(session) -> dict[int, str]:
    """The living processes of a session, pid → command line; a worker's says ``spawn_main``."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, _, own = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(own) == session and state not in "ZX":
                found[int(folder.name)] = (folder / "cmdline").read_text()
    return found


@contextlib.contextmanager
def started(command, folder, *more):
    """A command line in a session of its own, at work."""
    script, *rest = (*command, *more)
    process = subprocess.Popen(
        [sys.executable, str(ROOT / script), *rest],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    try:
        wait_for(lambda: list(folder.glob(SIGNS[command])) or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def ended(process, status) -> str:
    """The last line that a process says, which is all that it says beside its progress bar; it leaves nothing."""
    began = time.monotonic()
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == status, errors
    assert "Traceback" not in errors and time.monotonic() - began < PATIENCE / 2
    wait_for(lambda: not alive(process.pid))
    return errors.replace("\r", "\n").strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("command", "hint", "number", "status"),
    [
        (EVALUATE, EVALUATED, signal.SIGINT, 130),
        (TRAIN, TRAINED, signal.SIGTERM, 143),
        pytest.param(EVALUATE, EVALUATED, signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param(TRAIN, TRAINED, signal.SIGINT, 130, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_everything_with_one_sentence(command, hint, number, status, tmp_path):
    with started(command, tmp_path, *(MANY if command is EVALUATE else ())) as process:
        assert sum("spawn_main" in line for line in alive(process.pid).values()) == 2
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does: the workers get it too
        else:
            process.send_signal(number)
        said = ended(process, status)
    assert said.startswith(f"stopped by {number.name}; what was finished is kept: {hint}")
    assert list(tmp_path.glob(SIGNS[command]))
    assert not list(tmp_path.rglob(".tmp-*")) and not (tmp_path / "out" / ".lock").exists()


@pytest.mark.parametrize("command", [pytest.param(EVALUATE, marks=pytest.mark.slow), TRAIN])
def test_workers_notice_that_their_parent_was_killed(command, tmp_path):
    with started(command, tmp_path, *(MANY if command is EVALUATE else ())) as process:
        process.kill()
        process.wait(PATIENCE)
        wait_for(lambda: not alive(process.pid))


@pytest.mark.parametrize("command", [EVALUATE, pytest.param(TRAIN, marks=pytest.mark.slow)])
def test_a_killed_worker_is_named(command, tmp_path):
    with started(command, tmp_path, *(MANY if command is EVALUATE else ())) as process:
        pids = [pid for pid, line in alive(process.pid).items() if "spawn_main" in line]
        os.kill(pids[0], signal.SIGKILL)
        said = ended(process, 2)
    assert f"(pid {pids[0]}) was killed by signal 9 (out of memory?); what was finished is kept" in said
    assert said.startswith("error: worker ") and list(tmp_path.glob(SIGNS[command]))


def test_results_are_the_same_after_a_kill_and_in_any_number_of_processes(tmp_path):
    once, often = tmp_path / "once", tmp_path / "often"
    for folder in (once, often):
        folder.mkdir()
    seeds = ("--seeds", "60")
    words = [*(word for word in EVALUATE[1:] if word not in ("--jobs", "2")), *seeds]

    def whole(folder, *more):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, ROOT / EVALUATE[0], *words, *more]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        return (folder / "out" / "results.json").read_bytes()

    with started(EVALUATE, often, *seeds) as process:
        os.killpg(process.pid, signal.SIGKILL)
    assert 0 < len(list(often.glob(SIGNS[EVALUATE]))) < 180
    assert whole(often, "--jobs", "2") == whole(once)
