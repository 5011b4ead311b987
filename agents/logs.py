"""The logs of a training run, ``progress.csv`` and TensorBoard, which a resumed run continues."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.logger import KVWriter, Logger, TensorBoardOutputFormat, filter_excluded_keys
from torch.utils.tensorboard import SummaryWriter

from unlearn_gym.files import write_text

STATE_KEYS = ("retain_loss", "forget_loss", "retain_grad_norm", "forget_grad_norm")
"""Names of the first four state features in the logs."""

INFO_KEYS = ("lambda", "loss", "dloss_dlambda", "clipped", "diverged")
"""Numbers of ``info`` that are logged as they are."""


class CsvLog(KVWriter):
    """A CSV file that grows by rows and, when a new key appears, by columns.

    Columns come in alphabetical order of appearance, so that two equal runs write equal files.

    Args:
        path: the file.
        rows: how many rows of the file to keep; later ones came from a run that was killed.
        columns: the columns that these rows had.
    """

    def __init__(self, path: Path, rows: int = 0, columns: Sequence[str] = ()) -> None:
        self._path = path
        self._columns = list(columns)
        self.rows = rows
        kept: list[dict[str, str]] = []
        if rows:
            with path.open(newline="", encoding="utf-8") as file:
                kept = list(csv.DictReader(file))[:rows]
        self._rewrite(kept)

    def write(
        self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0
    ) -> None:
        """Append a row; called by the logger."""
        row = filter_excluded_keys(key_values, key_excluded, "csv")
        new = sorted(set(row) - set(self._columns))
        if new:
            with self._path.open(newline="", encoding="utf-8") as file:
                kept = list(csv.DictReader(file))
            self._columns += new
            self._rewrite(kept)
        with self._path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns).writerow(row)
        self.rows += 1

    def close(self) -> None:
        """Nothing is kept open."""

    def state_dict(self) -> dict[str, Any]:
        """Return what the constructor needs to continue the file."""
        return {"rows": self.rows, "columns": list(self._columns)}

    def _rewrite(self, rows: Sequence[dict[str, str]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns, extrasaction="ignore")
        if self._columns:
            writer.writeheader()
            writer.writerows(rows)
        write_text(self._path, text.getvalue())


class TensorBoardLog(TensorBoardOutputFormat):
    """TensorBoard events; those of a killed run after ``purge_step`` are hidden by TensorBoard itself."""

    def __init__(self, folder: Path, purge_step: int | None) -> None:
        self.writer = SummaryWriter(log_dir=str(folder), purge_step=purge_step)
        self._is_closed = False


class Logbook:
    """Averages what happens between two rows and writes the rows.

    Args:
        folder: of the run.
        every: environment steps between two rows.
        state: what ``state_dict`` returned, to continue a run.
    """

    def __init__(self, folder: Path, every: int, state: dict[str, Any] | None = None) -> None:
        self._every = every
        self._last = state["last"] if state else 0
        self._started = time.monotonic()
        self._csv = CsvLog(folder / "progress.csv", **(state["csv"] if state else {}))
        purge = state["last"] + 1 if state else None
        board = TensorBoardLog(folder / "tensorboard", purge)
        self.logger = Logger(str(folder), [self._csv, board])
        if state:
            self.logger.name_to_value.update(state["values"])
            self.logger.name_to_count.update(state["counts"])
            self.logger.name_to_excluded.update(state["excluded"])

    def step(self, observations: np.ndarray, infos: Sequence[dict[str, Any]], timesteps: int) -> None:
        """Take note of one step of n environments; write a row when it is time."""
        mean = self.logger.record_mean
        for observation, info in zip(observations, infos, strict=True):
            for key, value in zip(STATE_KEYS, observation, strict=False):
                mean(f"state/{key}", float(value))
            for key in INFO_KEYS:
                mean(f"env/{key}", float(info[key]) if key in info else None)
            for key, value in info.get("reward_terms", {}).items():
                mean(f"reward/{key}", float(value))
            if "episode" in info:
                mean("rollout/return", float(info["episode"]["r"]))
                mean("rollout/length", float(info["episode"]["l"]))
        if timesteps - self._last >= self._every:
            self._last = timesteps
            self.logger.record("time/total_timesteps", timesteps)
            self.logger.record("time/seconds", round(time.monotonic() - self._started, 3))
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
