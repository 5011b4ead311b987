"""One training run in one folder: configuration, logs, checkpoints, agent; it survives ``kill -9``."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unlearn_gym import agents, configs
from unlearn_gym.agents.common import serialization
from unlearn_gym.agents.common.base import Hooks, Learner
from unlearn_gym.agents.common.saving import FILE as AGENT
from unlearn_gym.agents.offline.learner import OfflineLearner
from unlearn_gym.agents.trained.origin import Origin
from unlearn_gym.agents.training import checkpoints
from unlearn_gym.agents.training.config import TrainConfig, resumed, stored_config, write_config
from unlearn_gym.agents.training.folder import ERRORS, UNLEARNED, check_free, clear
from unlearn_gym.agents.training.logs import Logbook
from unlearn_gym.agents.training.vector import Factory, keep_unlearned, make_vector
from unlearn_gym.envs.options import as_device
from unlearn_gym.errors import UserError
from unlearn_gym.models.threads import one_thread
from unlearn_gym.runtime import command_line
from unlearn_gym.runtime.failures import logged
from unlearn_gym.runtime.memory import settled_objects
from unlearn_gym.runtime.stopping import Stopped
from unlearn_gym.storage.files import is_full, refuse_foreign, user_path
from unlearn_gym.storage.run_lock import alone_in
from unlearn_gym.storage.temporaries import sweep
from unlearn_gym.trajectories import datasets

__all__ = ["Run", "TrainConfig", "check", "resumed", "stored_config", "train"]


class Run(Hooks):
    """Logs and checkpoints around the learning of one agent.

    Args:
        agent: the learner.
        folder: of the run.
        config: the run.
    """

    def __init__(self, agent: Learner, folder: Path, config: TrainConfig) -> None:
        self._agent, self._folder, self._config = agent, folder, config
        state = checkpoints.latest(folder)
        try:
            self._saved = 0 if state is None else int(state["timesteps"])
            self._logbook = Logbook(
                folder, config.log_every, None if state is None else dict(state["logbook"])
            )
            agent.set_logger(self._logbook.logger)
            if state is not None:
                agent.load_training_state(state["agent"])
        except OSError:  # the logs cannot be written
            raise
        except Exception as error:  # libraries fail in many ways on what does not fit
            if state is None:
                raise
            raise UserError(
                f"{checkpoints.latest_folder(folder)} does not fit the run ({command_line.one_line(error)}); "
                f"delete {folder / checkpoints.FOLDER} to start it again."
            ) from error

    def step(self, observations: np.ndarray, infos: Sequence[dict[str, Any]], timesteps: int) -> None:
        """Log."""
        self._logbook.step(observations, infos, timesteps)

    def boundary(self, timesteps: int) -> None:
        """Write a checkpoint when it is time."""
        every = self._config.checkpoint_every
        if every and timesteps - self._saved >= every:
            self._checkpoint()

    def _checkpoint(self) -> None:
        self._saved = self._agent.timesteps
        state = {
            "timesteps": self._saved,
            "agent": self._agent.training_state(),
            "logbook": self._logbook.state_dict(),
        }
        checkpoints.write(self._folder, self._saved, state)

    def finish(self, environments: Any) -> None:
        """Learn to the end; write what an online run left of the network, and then the agent."""
        try:
            with settled_objects():
                self._agent.learn(self._config.total_timesteps, self, self._config.progress_bar)
            if self._config.checkpoint_every and self._agent.timesteps > self._saved:
                self._checkpoint()
        finally:
            self._logbook.close()
        if not isinstance(self._agent, OfflineLearner):  # that unlearned nothing itself
            keep_unlearned(environments, self._folder / UNLEARNED)
        self._agent.trained = Origin.of_config(self._config).as_record()
        self._agent.save(self._folder / AGENT)


def train(config: TrainConfig) -> Path:
    """Train an agent, or finish a run that was killed.

    Returns:
        The folder: ``config.yaml``, ``agent/``, ``progress.csv``, ``tensorboard/`` and ``checkpoints/``; of an online
        environment with a network also ``unlearned.safetensors``, its weights at the end.

    Raises:
        UserError: on bad input, or when another process is at work in the folder; nothing is written then.
    """
    folder = user_path(config.resume or config.output or Path("runs") / config.agent)
    with alone_in(folder), one_thread(), _explained(folder):
        for place in (folder, folder / AGENT, folder / checkpoints.FOLDER):
            if place.is_dir():
                sweep(place)
        refuse_foreign(
            folder / AGENT, serialization.files(AGENT), "a saved agent"
        )  # before hours of training
        if config.resume is None:
            check_free(folder, config.overwrite)
        agent, environments = _build(config)
        try:
            if config.resume is None:
                clear(folder)
                write_config(folder, config, dataclasses.asdict(agent.settings))
            (folder / ERRORS).unlink(missing_ok=True)
            Run(agent, folder, config).finish(environments)
        except Stopped as stopped:
            stopped.hint = f"go on with --resume {folder}"
            raise
        finally:
            environments.close()
    return folder


def check(config: TrainConfig) -> None:
    """Make the agent and its environments, and close them; nothing is written.

    Raises:
        UserError: on what ``train`` would refuse.
    """
    _, environments = _build(config)
    environments.close()


def _build(config: TrainConfig) -> tuple[Learner, Any]:
    """Return the agent and its environments."""
    name = config.agent.split(":")[0]
    kind = agents.agent_class(name)
    if not issubclass(kind, Learner):
        learners = [other for other in agents.names() if issubclass(agents.agent_class(other), Learner)]
        raise UserError(f"The agent {name!r} has nothing to learn; train one of {', '.join(learners)}.")
    if config.n_envs > 1 and not kind.vectorised:
        raise UserError(f"n_envs={config.n_envs}: {name} learns from one environment; give n_envs=1.")
    if issubclass(kind, OfflineLearner) and not config.dataset:
        raise UserError(
            f"{name} learns from logged episodes: give the data set that holds them by --dataset NAME."
        )
    if config.dataset and not issubclass(kind, OfflineLearner):
        raise UserError(
            f"dataset={config.dataset!r}: {name} learns by acting; leave dataset out, or train iql."
        )
    as_device(config.device)  # refuse it before anything is started
    keywords = {**configs.hyperparameters(name, config.env), **config.hyperparameters}
    keywords["device"], keywords["seed"] = config.device, config.seed
    if kind.vectorised:
        environments: Any = make_vector(config.env, config.env_kwargs, config.n_envs)
    else:
        environments = Factory(config.env, config.env_kwargs)()
    try:
        agent = agents.make(config.agent, environments, **keywords)
        if isinstance(agent, OfflineLearner):
            agent.take(_logged(config))
    except BaseException:
        environments.close()
        raise
    assert isinstance(agent, Learner)
    return agent, environments


def _logged(config: TrainConfig) -> datasets.DataSet:
    """Return the data set of a training; logs of another environment would fit this one's spaces in silence."""
    data = datasets.read(config.dataset)
    if data.env_id not in ("", config.env):
        raise UserError(
            f"The data set {data.name} was logged in {data.env_id}, and env={config.env} is trained for; give the "
            "environment of the data set, and evaluate the agent in any other."
        )
    return data


@contextlib.contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Say what to do when the disk is full, or where the traceback is; the run goes on from its last checkpoint."""
    hook = threading.excepthook
    # TensorBoard writes in a thread and raises its error here as well
    threading.excepthook = lambda caught: None if isinstance(caught.exc_value, OSError) else hook(caught)
    try:
        yield
    except OSError as error:
        cause = error.__cause__ if isinstance(error, UserError) else error
        if cause is None or not is_full(cause):
            raise
        reason = getattr(cause, "strerror", None) or cause
        raise UserError(
            f"The run in {folder} cannot be written ({reason}); free some space and go on with --resume {folder}."
        ) from error
    except UserError:
        raise
    except Exception as error:
        raise logged(error, f"The training in {folder}", folder / ERRORS) from error
    finally:
        threading.excepthook = hook
