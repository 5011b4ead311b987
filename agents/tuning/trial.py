"""One trial of a search: its settings, a training in stages, and what each stage was worth."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from unlearn_gym.agents import training
from unlearn_gym.agents.training import TrainConfig, checkpoints
from unlearn_gym.agents.training.config import CONFIG
from unlearn_gym.agents.tuning.config import TuneConfig
from unlearn_gym.agents.tuning.spaces import Dimension
from unlearn_gym.errors import UserError
from unlearn_gym.storage.files import write_json

TRIALS = "trials"


class Trial:
    """One trial; whoever has it trains what ``advance`` returns and says what came of it, until there is nothing left.

    Args:
        study: with the trials before it.
        number: of the trial.
        config: the search.
        space: where it looks.
        folder: of the search.
    """

    def __init__(
        self,
        study: optuna.Study,
        number: int,
        config: TuneConfig,
        space: dict[str, Dimension],
        folder: Path,
    ) -> None:
        # a seed for each trial: what is proposed does not depend on where this process began
        seed = int(np.random.SeedSequence((config.seed, number)).generate_state(1)[0])
        study.sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=config.startup, constant_liar=True
        )
        self.folder = folder / TRIALS / f"{number:04d}"
        self._file = self.folder.with_suffix(".json")
        before = self._kept()
        if before:  # what was proposed before a kill is proposed again, whatever is known by now
            study.enqueue_trial(before["proposed"])
        self._study, self._trial, self.number, self._config = study, study.ask(), number, config
        self._settings = {name: dimension.suggest(self._trial, name) for name, dimension in space.items()}
        self._values: list[float] = list(before.get("mean_returns", ()))
        self._stopped, self._error, self._stage = bool(before.get("stopped")), "", 0
        self._keep()

    def advance(self) -> TrainConfig | None:
        """Return the training that the next stage needs; None when the trial is over, or not worth going on with."""
        while self._stage < len(self._values):
            self._stage += 1
            self._trial.report(self._values[self._stage - 1], self._timesteps(self._stage))
            if self._stage == self._config.evaluations:
                return None
            if self._stage == len(self._values) and (self._stopped or self._trial.should_prune()):
                self._stopped = True
                self._keep()
                return None
        return None if self._error else self._training(self._timesteps(self._stage + 1))

    def judged(self, returns: Sequence[float]) -> None:
        """Take down what the agent of the last training reached, one return an evaluation episode."""
        self._values.append(float(np.mean(returns)))
        self._keep()

    def failed(self, error: UserError) -> None:
        """Take down why the last training could not be made; the trial counts as one that was stopped.

        Raises:
            UserError: the error itself, if it is of the disk and not of the settings.
        """
        if isinstance(error, OSError):
            raise error
        self._error = str(error)

    def tell(self) -> None:
        """Tell the study, and the user, how it ended."""
        described = " ".join(
            f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in self._settings.items()
        )
        if self._error:
            self._trial.set_user_attr("error", self._error)
            self._study.tell(self._trial, state=TrialState.PRUNED)
            print(f"trial {self.number}: failed, {described}: {self._error}")
        elif self._stopped:
            self._study.tell(self._trial, state=TrialState.PRUNED)
            print(f"trial {self.number}: stopped early, {described}")
        else:
            self._study.tell(self._trial, self._values[-1])
            print(f"trial {self.number}: mean return {self._values[-1]:.4g}, {described}")
        shutil.rmtree(self.folder / checkpoints.FOLDER, ignore_errors=True)

    def _timesteps(self, stage: int) -> int:
        return math.ceil(self._config.total_timesteps * stage / self._config.evaluations)

    def _kept(self) -> dict[str, Any]:
        """Return what is known of the trial from before a kill; where that is nothing, its folder is removed."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            stored = json.loads(self._file.read_text(encoding="utf-8"))
            returns = [float(value) for value in stored["mean_returns"]]
            return {
                "proposed": dict(stored["proposed"]),
                "mean_returns": returns,
                "stopped": stored["stopped"],
            }
        shutil.rmtree(self.folder, ignore_errors=True)
        return {}

    def _keep(self) -> None:
        """Write down what was proposed, what its stages were worth, and whether it was stopped early."""
        known = {"settings": self._settings, "proposed": self._trial.params}
        write_json(self._file, known | {"mean_returns": self._values, "stopped": self._stopped})

    def _training(self, timesteps: int) -> TrainConfig:
        """Return the training until so many steps were made, from where it stands."""
        config = self._config.training(self._settings, timesteps, self.folder)
        if (self.folder / CONFIG).is_file():
            stored = training.stored_config(str(self.folder))
            whole: dict[str, Any] = {**stored["hyperparameters"], **config.hyperparameters}
            config = replace(config, hyperparameters=whole, resume=str(self.folder))
            config = training.resumed(config, stored)
        return config
