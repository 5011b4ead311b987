"""The search: settings proposed by Optuna, each trained in a folder of its own; it survives ``kill -9``."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import URL

from unlearn_gym.agents import training
from unlearn_gym.agents.training import checkpoints
from unlearn_gym.agents.training.config import CONFIG
from unlearn_gym.agents.tuning.config import TuneConfig, claim
from unlearn_gym.agents.tuning.outputs import draw, write
from unlearn_gym.agents.tuning.spaces import Dimension, search_space
from unlearn_gym.errors import UserError
from unlearn_gym.models.threads import one_thread
from unlearn_gym.runtime.command_line import one_line
from unlearn_gym.runtime.stopping import Stopped
from unlearn_gym.storage.files import user_path, write_json
from unlearn_gym.storage.run_lock import alone_in

DATABASE, TRIALS = "trials.db", "trials"
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)

Score = Callable[[Path], Sequence[float]]
"""From the folder of a trained agent: its returns, one an evaluation episode."""


def tune(config: TuneConfig, score: Score) -> Path:
    """Search, or go on with a search that was killed.

    The n-th trial is proposed from the trials before it and from the seed n, whatever was killed meanwhile; the
    training that a kill broke off goes on from its checkpoint. So a search ends with the same trials in any case.

    Returns:
        The folder: ``best.yaml`` (a configuration of ``unlearn-gym train``), ``trials.csv``, ``search.png``,
        ``search.yaml``, Optuna's ``trials.db``, and the agents in ``trials``.

    Raises:
        UserError: on bad input, before anything is written, or when no trial could be finished.
    """
    folder = user_path(config.output)
    training.check(config.training({}, config.total_timesteps, folder))
    space = search_space(config.agent, config.space, config.hyperparameters)
    with alone_in(folder), one_thread(), _quiet():
        claim(folder, config)
        study = _study(folder, config)
        try:
            while (number := len(_finished(study))) < config.trials:
                _Trial(study, number, config, space, folder).run(score)
                write(folder, config, space, _finished(study))
        except Stopped as stopped:
            stopped.hint = ""  # not that of the training: the search goes on by itself
            raise
        trials = _finished(study)
        write(folder, config, space, trials)
        if all(trial.state is not TrialState.COMPLETE for trial in trials):
            reasons = [trial.user_attrs["error"] for trial in trials if "error" in trial.user_attrs]
            raise UserError(f"No trial of the search in {folder} was finished: {reasons[-1]}")
        draw(folder, config, space, trials)
    return folder


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Let Optuna report no more than warnings."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _study(folder: Path, config: TuneConfig) -> optuna.Study:
    """Return the study of the folder, with the trial that a kill broke off marked as failed: it is made again."""
    try:
        study = optuna.create_study(
            storage=URL.create("sqlite", database=str(folder.resolve() / DATABASE)).render_as_string(),
            study_name="search",
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=config.startup),
            load_if_exists=True,
        )
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            study.tell(trial.number, state=TrialState.FAIL)
    except Exception as error:  # SQLAlchemy's and Optuna's, in many ways
        raise UserError(
            f"{folder / DATABASE} cannot be used ({one_line(error)}); put it back as it was, or give another --output."
        ) from error
    return study


def _finished(study: optuna.Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=FINISHED)


class _Trial:
    """One trial: its settings, the training in stages, and what each stage was worth.

    Args:
        study: with the trials before it.
        number: how many they are.
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
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=config.startup)
        self._study, self._trial, self._number, self._config = study, study.ask(), number, config
        self._settings = {name: dimension.suggest(self._trial, name) for name, dimension in space.items()}
        self._folder = folder / TRIALS / f"{number:04d}"
        self._file = self._folder.with_suffix(".json")

    def run(self, score: Score) -> None:
        """Train, evaluate, and tell the study; a training that fails counts as one that was stopped."""
        try:
            value = self._value(score)
            self._study.tell(self._trial, value)
            print(f"trial {self._number}: mean return {value:.4g}, {self._described()}")
        except optuna.TrialPruned:
            self._study.tell(self._trial, state=TrialState.PRUNED)
            print(f"trial {self._number}: stopped early, {self._described()}")
        except UserError as error:
            if isinstance(error, OSError):  # of the disk, not of the settings
                raise
            self._trial.set_user_attr("error", str(error))
            self._study.tell(self._trial, state=TrialState.PRUNED)
            print(f"trial {self._number}: failed, {self._described()}: {error}")
        shutil.rmtree(self._folder / checkpoints.FOLDER, ignore_errors=True)

    def _described(self) -> str:
        return " ".join(
            f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
            for name, value in self._settings.items()
        )

    def _value(self, score: Score) -> float:
        """Return the mean return at the end.

        Raises:
            TrialPruned: when the trial is not worth going on with.
        """
        values, config = self._kept(), self._config
        for stage in range(1, config.evaluations + 1):
            timesteps = math.ceil(config.total_timesteps * stage / config.evaluations)
            if stage > len(values):
                self._train(timesteps)
                values.append(float(np.mean(score(self._folder))))
                write_json(self._file, {"settings": self._settings, "mean_returns": values})
            self._trial.report(values[stage - 1], timesteps)
            if stage < config.evaluations and self._trial.should_prune():
                raise optuna.TrialPruned
        return values[-1]

    def _kept(self) -> list[float]:
        """Return what the stages were worth that were made before a kill; what is not of these settings is removed."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            stored = json.loads(self._file.read_text(encoding="utf-8"))
            if stored["settings"] == self._settings:
                return [float(value) for value in stored["mean_returns"]]
        shutil.rmtree(self._folder, ignore_errors=True)
        write_json(self._file, {"settings": self._settings, "mean_returns": []})
        return []

    def _train(self, timesteps: int) -> None:
        """Train until so many steps were made, from where the training stands."""
        config = self._config.training(self._settings, timesteps, self._folder)
        if (self._folder / CONFIG).is_file():
            stored = training.stored_config(str(self._folder))
            whole: dict[str, Any] = {**stored["hyperparameters"], **config.hyperparameters}
            config = replace(config, hyperparameters=whole, resume=str(self._folder))
            config = training.resumed(config, stored)
        training.train(config)
