"""Forked children: a script or a function in a process group of its own, with its output in files.

A fork costs milliseconds where a new interpreter costs seconds of imports, and it is a process like any other
to be killed. The process that forks has imported everything and started no thread.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import io
import os
import re
import runpy
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PR_SET_PDEATHSIG = 1
LIMIT = 180.0
"""Seconds after which a child hangs."""


@dataclass(frozen=True)
class Ended:
    """A child that is no more: exit status (−signal where one ended it), what it printed, and its seconds."""

    status: int
    output: str
    errors: str
    seconds: float

    @property
    def sentences(self) -> list[str]:
        """Lines of stderr, without progress bars and without warnings and their line of source."""
        lines = [line.split("\r")[-1].strip() for line in self.errors.splitlines()]
        plain = [line for line in lines if line and not re.search(r"\d+%\||\d+it/s|it/s\]|\?it", line)]
        warned = [i for i, line in enumerate(plain) if re.search(r"\w*Warning: ", line)]
        quoted = {i + 1 for i in warned if i + 1 < len(plain) and plain[i + 1].startswith("warnings.warn")}
        return [line for i, line in enumerate(plain) if i not in {*warned, *quoted}]


class Child:
    """A child at work.

    Args:
        pid: of the child, which leads a process group.
        logs: folder of its output.
    """

    def __init__(self, pid: int, logs: Path) -> None:
        self.pid, self._logs = pid, logs
        self._started = time.monotonic()

    def wait(self, limit: float = LIMIT) -> Ended | None:
        """Return how it ended, or None when it has not within ``limit`` seconds."""
        deadline = time.monotonic() + limit
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                seconds = time.monotonic() - self._started
                texts = [(self._logs / name).read_text(errors="replace") for name in ("out", "err")]
                return Ended(os.waitstatus_to_exitcode(status), texts[0], texts[1], seconds)
            if time.monotonic() > deadline:
                return None
            time.sleep(0.005)

    def finish(self, limit: float = LIMIT) -> Ended:
        """Wait for its end; one that hangs is killed with its group, and that is an error."""
        try:
            ended = self.wait(limit)
        except BaseException:  # whoever waits is stopped himself
            self.kill_all()
            raise
        if ended is None:
            printed = (self._logs / "err").read_text(errors="replace")[-500:]
            self.kill_all()
            self.wait()
            raise TimeoutError(f"hung for {limit:.0f} s; stderr: {printed!r}")
        return ended

    def send(self, number: int, *, group: bool = False) -> None:
        """Send a signal to the child, or to its group as a terminal does."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, number)

    def kill_all(self) -> None:
        """Kill the group."""
        self.send(signal.SIGKILL, group=True)

    def others(self) -> list[int]:
        """Return the pids of the living processes of the group but for the child itself."""
        return [pid for pid in living(self.pid) if pid != self.pid]

    def orphans(self, limit: float) -> list[int]:
        """Return who of the group is left ``limit`` seconds after the child's end, and kill them."""
        deadline = time.monotonic() + limit
        while self.others() and time.monotonic() < deadline:
            time.sleep(0.1)
        left = self.others()
        self.kill_all()
        return left


def living(group: int) -> list[int]:
    """Return the pids of a process group that are not dead and unburied (Linux; elsewhere, none is seen)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, leader = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(leader) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found


def start(body: Callable[[], object], folder: Path, environment: Mapping[str, str] | None = None) -> Child:
    """Call ``body`` in a fork whose working folder is ``folder``."""
    logs = Path(tempfile.mkdtemp(prefix="stress-logs-"))
    for name in ("out", "err"):
        (logs / name).touch()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Child(pid, logs)
    status = 70
    try:
        _settle(folder, logs, environment or {})
        status = _status(body)
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _settle(folder: Path, logs: Path, environment: Mapping[str, str]) -> None:
    os.setsid()
    _die_with_parent()
    os.chdir(folder)
    os.environ.update(environment)
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(logs / name, os.O_WRONLY | os.O_APPEND), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # closefd: a fork within a fork replaces these again
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.FileIO(number, "w", closefd=False), line_buffering=True, write_through=True)
        for number in (1, 2)
    )
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _die_with_parent() -> None:
    """Have Linux kill this process when the one that forked it ends: none is left of a stress run that dies."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _status(body: Callable[[], object]) -> int:
    try:
        body()
    except SystemExit as left:
        if isinstance(left.code, str):
            print(left.code, file=sys.stderr)
        return left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def script(name: str, *words: str) -> Callable[[], object]:
    """Return what calls a script of the repository, or ``-m unlearn_gym``, as a command line does."""

    def body() -> None:
        sys.argv = [name, *words]
        if name == "-m":
            runpy.run_module("unlearn_gym", run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(str(ROOT / name), run_name="__main__")

    return body


def command(words: tuple[str, ...], folder: Path) -> Ended:
    """Run a script of the repository in an interpreter of its own."""
    began = time.monotonic()
    try:
        done = subprocess.run(
            [sys.executable, str(ROOT / words[0]), *words[1:]],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"hung for {LIMIT:.0f} s") from error
    return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - began)
