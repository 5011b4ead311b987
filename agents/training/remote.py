"""A training on a machine that does not see this one's files: what is begun goes there, the whole folder comes back."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unlearn_gym.agents.training import TrainConfig, stored_config, train
from unlearn_gym.agents.training.config import CONFIG, write_config
from unlearn_gym.agents.training.folder import ERRORS, clear
from unlearn_gym.envs.making import make_env
from unlearn_gym.errors import UserError
from unlearn_gym.storage.bundles import Contents, pack, unpack
from unlearn_gym.storage.run_lock import LOCK

Judge = Callable[[Path], Any]
"""Looks at the folder of a finished training, where that was made."""


@dataclass(frozen=True)
class RemoteRun:
    """A run's folder on its way back.

    Attributes:
        folder: where it belongs.
        contents: its files.
        error: what ended the training before its time, in a sentence.
        verdict: what the judge said.
    """

    folder: Path
    contents: Contents
    error: UserError | None = None
    verdict: Any = None

    def unpack(self) -> Path:
        """Put the run where it belongs, whole, in the place of what was begun there.

        Raises:
            UserError: what ended the training.
        """
        if (self.folder / CONFIG).is_file():
            clear(self.folder)
        for left in (ERRORS, LOCK):  # by a run that failed, or was killed, here
            (self.folder / left).unlink(missing_ok=True)
        unpack(self.contents, self.folder)
        if self.error is not None:
            raise self.error
        return self.folder


def task(config: TrainConfig) -> tuple[TrainConfig, Contents]:
    """Return what ``train_and_pack`` needs: a training, and what was made of it before."""
    return config, pack(Path(config.resume)) if config.resume else {}


def train_and_pack(config: TrainConfig, begun: Contents, judge: Judge | None = None) -> RemoteRun:
    """Train in a folder of this machine, which goes when its files are on their way."""
    home = Path(config.resume or config.output or "")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        if begun:
            unpack(begun, folder)
        error, verdict = None, None
        try:
            train(replace(config, output=str(folder), resume=str(folder) if config.resume else None))
            verdict = judge(folder) if judge is not None else None
        except UserError as ended:
            if isinstance(ended, OSError):  # of this machine's disk: nothing that the run is to keep
                raise
            error = UserError(str(ended).replace(str(folder), str(home)))
        if (folder / CONFIG).is_file():
            _readdress(folder, home)
        return RemoteRun(home, pack(folder), error, verdict)


def _readdress(folder: Path, home: Path) -> None:
    """Let the configuration name the folder where the run belongs."""
    stored = stored_config(str(folder))
    write_config(folder, TrainConfig(**{**stored, "resume": None}), stored["hyperparameters"], home)


def make_models(configurations: list[TrainConfig]) -> None:
    """Make every environment once, and with it the models that the machines are then sent."""
    seen: list[Any] = []
    for config in configurations:
        setting = config.env, config.env_kwargs
        if setting not in seen:
            seen.append(setting)
            make_env(*setting).close()
