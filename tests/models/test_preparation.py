"""Trainings in processes of their own: one that fails is named, and none outlives the process that started it."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from unlearn_gym.errors import UserError
from unlearn_gym.models.preparation import train_in_processes
from unlearn_gym.models.threads import repeatable


def only_original(role, position):
    if role == "retrained":
        raise UserError("The retrained one cannot be had.")


def full_disk(role, position):
    raise OSError(errno.ENOSPC, "No space left on device")


def clumsy(role, position):
    raise ZeroDivisionError("my own")


def killed(role, position):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("train", "sentence"),
    [
        (only_original, r"^Training the retrained model of 'x' failed: The retrained one cannot be had\.$"),
        (full_disk, r"^Training the original and the retrained model of 'x' failed: .*No space left"),
        (
            clumsy,
            r"'x' failed: The \w+ one failed \(ZeroDivisionError: my own\); its traceback is in ",
        ),
        (killed, r"of 'x' failed: its process was killed"),
    ],
)
def test_a_failing_training_is_one_sentence(train, sentence, capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_GYM_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=sentence):
        train_in_processes(train, ["original", "retrained"], "x")
    assert not capfd.readouterr().err.strip()
    logs = [path.read_text() for path in (tmp_path / "training").glob("x-*.log")]
    assert len(logs) == (2 if train is clumsy else 0) and all("in clumsy" in log for log in logs)


def test_repeatable_kernels_are_cudnns():
    """``torch.backends.cudnn.flags`` switches cuDNN off by default, which is many times slower on a GPU."""
    assert torch.backends.cudnn.enabled
    with repeatable():
        flags = torch.backends.cudnn
        assert (flags.enabled, flags.deterministic, flags.benchmark) == (True, True, False)


SCRIPT = """
import os, sys, time
from unlearn_gym.models.preparation import train_in_processes

def train(role, position):
    print(os.getpid(), flush=True)
    time.sleep(60)

if __name__ == "__main__":
    train_in_processes(train, ["original"], "x")
"""


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    "sent",
    [
        signal.SIGKILL,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, marks=pytest.mark.slow),
    ],
)
def test_no_training_outlives_its_parent(sent, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        worker = int(parent.stdout.readline())
        parent.send_signal(sent)
        parent.wait(10)
        deadline = time.monotonic() + 10
        while alive(worker) and time.monotonic() < deadline:
            time.sleep(0.1)
        ended = not alive(worker)
        if not ended:
            os.kill(worker, signal.SIGKILL)
    assert ended
