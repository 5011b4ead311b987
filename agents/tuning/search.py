"""The search: settings proposed by Optuna, each trained in a folder of its own; it survives ``kill -9``."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import URL

from unlearn_gym.agents import training
from unlearn_gym.agents.training import TrainConfig, remote
from unlearn_gym.agents.tuning.config import TuneConfig, claim
from unlearn_gym.agents.tuning.outputs import draw, write
from unlearn_gym.agents.tuning.spaces import search_space
from unlearn_gym.agents.tuning.trial import Trial
from unlearn_gym.errors import UserError
from unlearn_gym.models.threads import one_thread
from unlearn_gym.runtime.command_line import one_line
from unlearn_gym.runtime.engines import Engine, Local
from unlearn_gym.runtime.stopping import Stopped
from unlearn_gym.storage.bundles import Contents, named
from unlearn_gym.storage.files import user_path
from unlearn_gym.storage.run_lock import alone_in

DATABASE = "trials.db"
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)

Score = Callable[[Path], Sequence[float]]
"""From the folder of a trained agent: its returns, one an evaluation episode."""


def tune(config: TuneConfig, score: Score, engine: Engine | None = None) -> Path:
    """Search, or go on with a search that was killed.

    The n-th trial is proposed from the trials before it and from the seed n, whatever was killed meanwhile; the
    training that a kill broke off goes on from its checkpoint. So a search ends with the same trials in any case.

    With ``parallel`` above 1 so many trials are proposed at once, from those before all of them, and their ends are
    told together: which settings are tried depends on ``parallel``, and not on where and how fast the trials are made.

    Args:
        config: the search.
        score: what a trained agent is worth; module-level where trials are made in other processes.
        engine: where trials are made; None for this machine.

    Returns:
        The folder: ``best.yaml`` (a configuration of ``unlearn-gym train``), ``trials.csv``, ``search.png``,
        ``search.yaml``, Optuna's ``trials.db``, and the agents in ``trials``.

    Raises:
        UserError: on bad input, before anything is written, or when no trial could be finished.
    """
    folder = user_path(config.output)
    engine = engine or Local(config.parallel)
    training.check(config.training({}, config.total_timesteps, folder))
    space = search_space(config.agent, config.space, config.hyperparameters)
    with alone_in(folder), one_thread(), _quiet():
        claim(folder, config)
        study = _study(folder, config)
        try:
            while (first := len(_finished(study))) < config.trials:
                numbers = range(first, min(first + config.parallel - first % config.parallel, config.trials))
                batch = [Trial(study, number, config, space, folder) for number in numbers]
                if engine.alone:
                    _alone(batch[0], score)
                else:
                    _together(batch, score, config, engine)
                for trial in batch:
                    trial.tell()
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


def _alone(trial: Trial, score: Score) -> None:
    """Make a trial in this process."""
    while (config := trial.advance()) is not None:
        try:
            training.train(config)
            trial.judged(score(trial.folder))
        except UserError as error:
            trial.failed(error)


def _together(batch: Sequence[Trial], score: Score, config: TuneConfig, engine: Engine) -> None:
    """Make trials at once: the stages of each one after the other, wherever the engine has room."""
    waiting: deque[tuple[int, TrainConfig]] = deque()

    def advance(trial: Trial) -> None:
        if (stage := trial.advance()) is not None:
            waiting.append((trial.number, stage))

    trials = {trial.number: trial for trial in batch}
    for trial in batch:
        advance(trial)
    finished = engine.run(
        partial(_judging, score, engine.remote),
        _Waiting(waiting, engine.remote),
        len(waiting),
        files=named({**config.env_kwargs, **config.evaluation_env_kwargs}) if engine.remote else (),
        cpus=config.n_envs,
    )
    with contextlib.closing(finished):
        for number, found in finished:
            trial = trials[number]
            try:
                if isinstance(found, remote.RemoteRun):
                    found.unpack()
                    found = found.verdict
                if isinstance(found, UserError):
                    raise found
                trial.judged(found)
            except UserError as error:
                trial.failed(error)
            advance(trial)


@dataclass
class _Waiting:
    """The stages that may be made now; there are more when a trial's last one was judged."""

    stages: deque[tuple[int, TrainConfig]]
    remote: bool

    def __iter__(self) -> _Waiting:
        return self

    def __next__(self) -> tuple[int, TrainConfig, Contents]:
        if not self.stages:
            raise StopIteration
        number, config = self.stages.popleft()
        return (number, *remote.task(config)) if self.remote else (number, config, {})


def _judging(score: Score, is_remote: bool) -> Callable[[int, TrainConfig, Contents], tuple[int, Any]]:
    """Return what a worker does with a stage: train, and say what the agent reaches."""

    def here(config: TrainConfig) -> Sequence[float] | UserError:
        try:
            return score(training.train(config))
        except UserError as error:
            return error

    def judged(number: int, config: TrainConfig, begun: Contents) -> tuple[int, Any]:
        return number, remote.train_and_pack(config, begun, score) if is_remote else here(config)

    return judged
