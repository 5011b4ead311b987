"""The runs that are killed: command lines of seconds, what they leave, and when two leave the same."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.stress.cases import Fault, fail_unless, shown
from tests.stress.children import script, start
from tests.stress.disk import Wire

FOLDER = "run"
CLOCKS = ("time/seconds", "seconds_per_update", "seconds")
"""Columns and keys that hold wall time."""
CHECKSUM = "sha256"
"""Of a record with its wall times."""


@dataclass(frozen=True)
class Command:
    """A script with its words; it leaves the folder ``run``.

    Attributes:
        name: what a title calls it.
        words: script and words.
        again: words that go on with a run that was killed, once there is one.
        weight: how often it is chosen.
        compare: raises ``Fault`` where two folders are not the same.
    """

    name: str
    words: tuple[str, ...]
    again: tuple[str, ...]
    weight: float
    compare: Callable[[Path, Path], None]

    def next_words(self, folder: Path) -> tuple[str, ...]:
        """Return what a user calls after a kill."""
        return self.again if (folder / FOLDER / "config.yaml").is_file() else self.words


@dataclass(frozen=True)
class Reference:
    """An uninterrupted run: its folder, its file operations, and its seconds."""

    folder: Path
    operations: int
    seconds: float


def reference(command: Command, shared: Path) -> Reference:
    """Return the uninterrupted run of a command, made once for all cases."""
    place = shared / command.name.replace(" ", "-")
    with FileLock(shared / f"{place.name}.lock"):
        if not (place / "measured.json").is_file():
            place.mkdir(exist_ok=True)
            wire = Wire(place / FOLDER)
            child = start(wired(wire, script(*command.words)), place)
            ended = child.finish()
            if ended.status:
                raise Fault(f"the uninterrupted run fails ({ended.status}): {shown(ended.errors)}")
            (place / "measured.json").write_text(json.dumps([wire.count, ended.seconds]))
    operations, seconds = json.loads((place / "measured.json").read_text())
    return Reference(place / FOLDER, operations, seconds)


def wired(wire: Wire, body: Callable[[], object]) -> Callable[[], object]:
    """Return ``body`` behind a wire."""

    def both() -> None:
        wire.lay()
        body()

    return both


def same_training(run: Path, whole: Path) -> None:
    """Compare configuration, agent, logs and the names of all files."""
    same_names(run, whole, lambda name: not name.startswith("tensorboard/"))
    for name in ("config.yaml", *(f"agent/{path.name}" for path in (whole / "agent").iterdir())):
        fail_unless((run / name).read_bytes() == (whole / name).read_bytes(), f"{name} differs")
    fail_unless(_rows(run) == _rows(whole), f"progress.csv differs: {_first(_rows(run), _rows(whole))}")
    found, expected = points(run), points(whole)
    fail_unless(found == expected, f"TensorBoard differs: {_first(found, expected)}")


def points(run: Path) -> list[tuple[str, int, float]]:
    """Return what TensorBoard shows, but for the clock."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    tags = [tag for tag in events.Tags()["scalars"] if tag not in CLOCKS]
    return sorted((tag, event.step, event.value) for tag in tags for event in events.Scalars(tag))


def same_report(run: Path, whole: Path) -> None:
    """Compare the records, ``results.json`` and the names of all files."""
    same_names(run, whole, lambda name: True)
    records = sorted(path.relative_to(whole) for path in (whole / "runs").glob("*.json"))
    for name in (*records, Path("results.json")):
        found, expected = (timeless(json.loads((folder / name).read_text())) for folder in (run, whole))
        fail_unless(found == expected, f"{name} differs: {_first(found, expected)}")


def same_names(run: Path, whole: Path, counts: Callable[[str], bool]) -> None:
    """Compare which files there are."""
    found, expected = (
        {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        for folder in (run, whole)
    )
    odd = sorted(name for name in found ^ expected if counts(name))
    fail_unless(not odd, f"files that only one of the two runs has: {', '.join(odd[:5])}")


def timeless(value: Any) -> Any:
    """Leave wall times, and the checksums over them, out of nested results."""
    if isinstance(value, dict):
        if value.get("metric") in CLOCKS:
            return None
        return {key: timeless(item) for key, item in value.items() if key not in (*CLOCKS, CHECKSUM)}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def _rows(run: Path) -> list[dict[str, str]]:
    with (run / "progress.csv").open(newline="", encoding="utf-8") as file:
        return [
            {key: value for key, value in row.items() if key not in CLOCKS} for row in csv.DictReader(file)
        ]


def _first(found: Any, expected: Any, path: str = "") -> str:
    """Say where two nested values differ first."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in sorted({*found, *expected}):
            if found.get(key) != expected.get(key):
                return _first(found.get(key), expected.get(key), f"{path}.{key}")
    if isinstance(found, list) and isinstance(expected, list):
        if len(found) != len(expected):
            return f"{path} has {len(found)} entries instead of {len(expected)}"
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            if one != other:
                return _first(one, other, f"{path}[{index}]")
    return f"{path} is {shown(str(found), 80)} instead of {shown(str(expected), 80)}"


SMALL = {
    "ppo": ("n_steps=20", "batch_size=20", "n_epochs=2"),
    "sac": ("learning_starts=20", "batch_size=16", "buffer_size=60"),
}


def training(
    env: str, agent: str, n_envs: int, steps: int, weight: float, *more: str, every: int = 30
) -> Command:
    """Return a training of ``steps`` steps with a checkpoint after each ``every``."""
    settings = tuple(f"--hyperparameters.{setting}" for setting in SMALL[agent])
    words = (
        *("train_agent.py", "--env", env, "--agent", agent, "--n-envs", str(n_envs), "--output", FOLDER),
        *("--total-timesteps", str(steps), "--log-every", "15", "--checkpoint-every", str(every)),
        *("--no-progress-bar", *settings, *more),
    )
    again = ("train_agent.py", "--resume", FOLDER, "--no-progress-bar")
    return Command(f"{agent} on {env} x{n_envs}", words, again, weight, same_training)


SHORT_DIGITS = ("--env-kwargs.batch_size=8", "--env-kwargs.horizon=8", "--env-kwargs.grad_norms=false")
TRAININGS = (
    training("Quadratic-v0", "ppo", 1, 200, 3),
    training("Quadratic-v0", "sac", 1, 200, 3),
    training("Quadratic-v0", "ppo", 2, 200, 1),
    training("Quadratic-v0", "sac", 2, 200, 1),
    training("EMSE-Polynomial-v0", "ppo", 1, 200, 2),
    training("EMSE-Polynomial-v0", "sac", 1, 120, 2),
    training("EMSE-Polynomial-v0", "ppo", 2, 160, 1),
    training("SISS-Digits-v0", "ppo", 1, 60, 1, *SHORT_DIGITS, every=20),
    training("SISS-Digits-v0", "sac", 1, 50, 1, *SHORT_DIGITS, every=20),
)


def evaluation(env: str, jobs: int, agents: tuple[str, ...], weight: float, *more: str) -> Command:
    """Return an evaluation of some agents on three seeds."""
    words = (
        *("evaluate.py", "--env", env, "--agents", *agents, "--seeds", "3", "--jobs", str(jobs)),
        *("--output", FOLDER, *more),
    )
    return Command(f"evaluation on {env} j{jobs}", words, words, weight, same_report)


SHORT_EVALUATION = ("--samples", "4", "--class-samples", "2", "--sampling-steps", "1", "--probe", "4")
AGENTS = ("static:0.3", "static:0.6", "random", "adaptive_vi")
EVALUATIONS = (
    evaluation("Quadratic-v0", 1, AGENTS, 2),
    evaluation("EMSE-Polynomial-v0", 1, AGENTS, 2, "--env-kwargs.horizon=10"),
    evaluation("Quadratic-v0", 2, AGENTS, 1),
    evaluation("EMSE-Polynomial-v0", 2, AGENTS, 2, "--env-kwargs.horizon=10"),
    evaluation(
        *("SISS-Digits-v0", 1, AGENTS[:2], 1, *SHORT_DIGITS[:1], "--env-kwargs.horizon=3", *SHORT_EVALUATION)
    ),
)


def pick(commands: tuple[Command, ...], number: float) -> Command:
    """Return the command that a number in [0, 1) falls on."""
    total, passed = sum(command.weight for command in commands), 0.0
    for command in commands:
        passed += command.weight / total
        if number < passed:
            return command
    return commands[-1]
