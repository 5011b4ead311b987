"""The logs of a training run, ``progress.csv`` and TensorBoard, which a resumed run continues."""

from __future__ import annotations

import csv
import io
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat, filter_excluded_keys
from torch.utils.tensorboard import SummaryWriter

from unlearn_gym.envs.spaces.observations import StateObserver
from unlearn_gym.envs.spaces.observers import observer_of
from unlearn_gym.storage.files import write_text

INFO_KEYS = ("lambda", "loss", "dloss_dlambda", "clipped", "diverged")
"""Numbers of ``info`` that are logged as they are."""


CSV, BOARD = "progress.csv", "tensorboard"
"""Where the logs are in the folder of a run."""

SECONDS = "time/seconds"
"""Column of the time that a training has taken, over all its kills."""

EVENTS = "events.out.tfevents.*"
"""Names of TensorBoard's files."""


class CsvLog(KVWriter):
    """A CSV file that grows by rows and, when a new key appears, by columns.

    Columns come in alphabetical order of appearance, so that two equal runs write equal files.

    Args:
        path: the file; it is written anew.
        text: what it begins with, as ``state_dict`` has it.
    """

    def __init__(self, path: Path, text: str = "") -> None:
        self._path = path
        self._columns = next(csv.reader(io.StringIO(text, newline="")), [])
        write_text(path, text)

    def write(
        self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0
    ) -> None:
        """Append a row; called by the logger."""
        row = filter_excluded_keys(key_values, key_excluded, "csv")
        new = sorted(set(row) - set(self._columns))
        if new:
            kept = list(csv.DictReader(io.StringIO(_read(self._path), newline="")))
            self._columns += new
            self._rewrite(kept)
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns).writerow(row)

    def close(self) -> None:
        """Nothing is kept open."""

    def state_dict(self) -> dict[str, Any]:
        """Return what the constructor needs to continue the file, whatever happens to it meanwhile."""
        return {"text": _read(self._path)}

    def _rewrite(self, rows: Sequence[dict[str, str]]) -> None:
        write_text(self._path, _as_csv(self._columns, rows))


def _as_csv(columns: Sequence[str], rows: Sequence[dict[str, str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _beginning(path: Path, state: dict[str, Any]) -> str:
    """Return the rows up to a checkpoint: it has them itself; early versions had their number and columns."""
    if "text" in state or not state.get("rows"):
        return state.get("text", "")
    kept = list(csv.DictReader(io.StringIO(_read(path), newline="")))[: state["rows"]]
    if len(kept) < state["rows"]:
        warnings.warn(
            f"{path} has lost {state['rows'] - len(kept)} rows; the training goes on.", stacklevel=4
        )
    return _as_csv(state["columns"], kept)


def _seconds(text: str) -> float:
    """Return how long a training had taken when its last row was written."""
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    return float(rows[-1].get(SECONDS) or 0.0) if rows else 0.0


def _read(path: Path) -> str:
    with path.open(newline="", encoding="utf-8") as file:
        return file.read()


def _wait_for_a_later_name(folder: Path) -> None:
    """TensorBoard reads files in the order of their names, which begin with the second in which they were made."""
    seconds = [file.name.split(".")[3] for file in folder.glob(EVENTS)]
    newest = max((int(second) for second in seconds if second.isdecimal()), default=0)
    time.sleep(min(1.0, max(0.0, newest + 1 - time.time())))


class TensorBoardLog(TensorBoardOutputFormat):
    """TensorBoard events; those of a killed run from ``purge_step`` on are hidden by TensorBoard itself.

    Args:
        folder: of the event files.
        purge_step: where a resumed run goes on; None for one from the start, which removes older event files.
    """

    def __init__(self, folder: Path, purge_step: int | None) -> None:
        if purge_step is None:
            for file in folder.glob(EVENTS):
                file.unlink()
        else:
            _wait_for_a_later_name(folder)
        self.writer = SummaryWriter(log_dir=str(folder), purge_step=purge_step)
        self._is_closed = False


class Logbook:
    """Averages what happens between two rows and writes the rows.

    Args:
        folder: of the run.
        every: environment steps between two rows.
        state: what ``state_dict`` returned, to continue a run; the seconds that it took count on.
    """

    def __init__(self, folder: Path, every: int, state: dict[str, Any] | None = None) -> None:
        self._every = every
        self._last = state["last"] if state else 0
        before = _beginning(folder / CSV, state["csv"]) if state else ""
        self._started = time.monotonic() - _seconds(before)
        self._csv = CsvLog(folder / CSV, before)
        purge = state["last"] + 1 if state else None
        board = TensorBoardLog(folder / BOARD, purge)
        self.logger = Logger(str(folder), [self._csv, board])
        if state:
            self.logger.name_to_value.update(state["values"])
            self.logger.name_to_count.update(state["counts"])
            self.logger.name_to_excluded.update(state["excluded"])

    def step(self, observations: np.ndarray, infos: Sequence[dict[str, Any]], timesteps: int) -> None:
        """Take note of one step of n environments; write a row when it is time."""
        mean = self.logger.record_mean
        for observation, info in zip(observations, infos, strict=True):
            kind = observer_of(len(observation)) or StateObserver
            for key, value in zip(kind.logged, observation, strict=False):
                mean(f"state/{key}", float(value))
            for key in INFO_KEYS:
                mean(f"env/{key}", float(info[key]) if key in info else None)
            if "learning_rate" in info:
                mean("env/learning_rate", float(info["learning_rate"]))
            for key, value in info.get("reward_terms", {}).items():
                mean(f"reward/{key}", float(value))
            if "episode" in info:
                mean("rollout/return", float(info["episode"]["r"]))
                mean("rollout/length", float(info["episode"]["l"]))
        if timesteps - self._last >= self._every:
            self._last = timesteps
            self.logger.record("time/total_timesteps", timesteps)
            self.logger.record(SECONDS, round(time.monotonic() - self._started, 3))
            self.logger.dump(timesteps)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs: how far the files were, and the averages not written yet."""
        return {
            "last": self._last,
            "csv": self._csv.state_dict(),
            "values": dict(self.logger.name_to_value),
            "counts": dict(self.logger.name_to_count),
            "excluded": dict(self.logger.name_to_excluded),
        }

    def close(self) -> None:
        """Flush and close the files."""
        self.logger.close()
