"""One training run in one folder: configuration, logs, checkpoints, agent; it survives ``kill -9``."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jsonargparse.typing import NonNegativeInt, PositiveInt

from unlearn_gym import agents, configs
from unlearn_gym.agents.common import serialization
from unlearn_gym.agents.common.base import Hooks, Learner
from unlearn_gym.agents.common.saving import FILE as AGENT
from unlearn_gym.agents.training import checkpoints
from unlearn_gym.agents.training.logs import BOARD, CSV, EVENTS, Logbook
from unlearn_gym.agents.training.vector import Factory, make_vector
from unlearn_gym.envs.making import full_id
from unlearn_gym.envs.options import as_device
from unlearn_gym.errors import UserError
from unlearn_gym.models.threads import one_thread
from unlearn_gym.runtime import command_line
from unlearn_gym.runtime.failures import logged
from unlearn_gym.runtime.stopping import Stopped
from unlearn_gym.storage.files import LITTER, is_full, refuse_foreign, user_path, write_text
from unlearn_gym.storage.run_lock import LOCK, alone_in
from unlearn_gym.storage.temporaries import is_temporary, sweep

CONFIG = "config.yaml"
ERRORS = "training-error.log"
"""The traceback of what ended a run that nobody has put into words."""
CHANGEABLE = frozenset({"total_timesteps", "checkpoint_every", "progress_bar", "resume", "overwrite"})
"""Keys that a resumed run may change: none of them changes a number."""


@dataclass(frozen=True)
class TrainConfig:
    """What a training run is.

    Args:
        env: id of the environment; the prefix ``unlearn_gym/`` may be left out.
        agent: name of a learning agent.
        total_timesteps: environment steps in all; an agent may finish the rollout it is in.
        seed: seed of weights, exploration and environments.
        n_envs: environments, one process each if more than one.
        output: folder of the run, runs/AGENT by default.
        env_kwargs: keywords of the environment.
        hyperparameters: settings of the agent, on top of those in unlearn_gym/configs.
        device: where the agent's networks are.
        log_every: steps between two rows of progress.csv.
        checkpoint_every: least number of steps between two checkpoints, 0 for none.
        progress_bar: show one.
        overwrite: delete the run that is in the output folder.
        resume: folder of a killed run to finish; everything is as in its config.yaml.
    """

    env: str = "unlearn_gym/SISS-Digits-v0"
    agent: str = "ppo"
    total_timesteps: PositiveInt = 4000
    seed: command_line.Seed = 0  # type: ignore[valid-type]
    n_envs: PositiveInt = 1
    output: str | None = None
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    log_every: PositiveInt = 200
    checkpoint_every: NonNegativeInt = 1000
    progress_bar: bool = True
    overwrite: bool = False
    resume: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "env", full_id(self.env))


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

    def finish(self) -> None:
        """Learn to the end and write the agent."""
        try:
            self._agent.learn(self._config.total_timesteps, self, self._config.progress_bar)
            if self._config.checkpoint_every and self._agent.timesteps > self._saved:
                self._checkpoint()
        finally:
            self._logbook.close()
        self._agent.save(self._folder / AGENT)


def train(config: TrainConfig) -> Path:
    """Train an agent, or finish a run that was killed.

    Returns:
        The folder: ``config.yaml``, ``agent/``, ``progress.csv``, ``tensorboard/`` and ``checkpoints/``.

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
            _check_free(folder, config.overwrite)
        agent, environments = _build(config)
        try:
            if config.resume is None:
                _clear(folder)
                _write_config(folder, config, agent)
            (folder / ERRORS).unlink(missing_ok=True)
            Run(agent, folder, config).finish()
        except Stopped as stopped:
            stopped.hint = f"go on with --resume {folder}"
            raise
        finally:
            environments.close()
    return folder


def resumed(config: TrainConfig, stored: dict[str, Any]) -> TrainConfig:
    """Check that a configuration goes on with the run whose stored configuration is given.

    Raises:
        UserError: if a key differs that would change the numbers.
    """
    for key, value in stored.items():
        if key not in CHANGEABLE and getattr(config, key, value) != value:
            raise UserError(
                f"{key}={getattr(config, key)!r} differs from {value!r} of the run in {config.resume}; "
                f"a resumed run keeps everything but {', '.join(sorted(CHANGEABLE))}."
            )
    return config


def stored_config(folder: str) -> dict[str, Any]:
    """Read the configuration of the run in ``folder``.

    Raises:
        UserError: if there is none, or it is not as ``train_agent.py`` wrote it.
    """
    path = user_path(folder) / CONFIG
    if not path.is_file():
        raise UserError(f"{folder} holds no run ({CONFIG} is missing); give the output folder of one.")
    values = {**configs.read_file(path), "output": folder, "resume": folder}
    first, _, rest = path.read_text(encoding="utf-8").partition("\n")
    if re.fullmatch(r"# sha256 [0-9a-f]{64}", first) and first != _seal(rest):
        raise UserError(
            f"{path} was changed or damaged, and a resumed run keeps its settings; put it back as it was, "
            "or train again."
        )
    return dataclasses.asdict(command_line.check(TrainConfig, values, str(path)))


def _build(config: TrainConfig) -> tuple[Learner, Any]:
    """Return the agent and its environments."""
    name = config.agent.split(":")[0]
    kind = agents.agent_class(name)
    if not issubclass(kind, Learner):
        learners = [other for other in agents.names() if issubclass(agents.agent_class(other), Learner)]
        raise UserError(f"The agent {name!r} has nothing to learn; train one of {', '.join(learners)}.")
    if config.n_envs > 1 and not kind.vectorised:
        raise UserError(f"n_envs={config.n_envs}: {name} learns from one environment; give n_envs=1.")
    as_device(config.device)  # refuse it before anything is started
    keywords = {**configs.hyperparameters(name, config.env), **config.hyperparameters}
    keywords["device"], keywords["seed"] = config.device, config.seed
    if kind.vectorised:
        environments: Any = make_vector(config.env, config.env_kwargs, config.n_envs)
    else:
        environments = Factory(config.env, config.env_kwargs)()
    try:
        agent = agents.make(config.agent, environments, **keywords)
    except BaseException:
        environments.close()
        raise
    assert isinstance(agent, Learner)
    return agent, environments


def _check_free(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that holds something which the user may want to keep."""
    if not _contents(folder):
        return
    if not overwrite:
        raise UserError(
            f"The output folder {folder} is not empty; continue its run with --resume {folder}, "
            "replace it with --overwrite, or choose another --output."
        )
    if not (folder / CONFIG).is_file():
        raise UserError(f"{folder} holds no run ({CONFIG} is missing); delete it yourself to use it.")
    refuse_foreign(folder, [LOCK, *_run_files(folder)], "a run")


def _contents(folder: Path) -> list[Path]:
    """Return what is there apart from the lock, leftovers of a killed run, and what desktops leave."""
    ours = {LOCK, ERRORS, *LITTER}
    return [path for path in folder.iterdir() if path.name not in ours and not is_temporary(path)]


def _run_files(folder: Path) -> Iterator[str]:
    """Yield the names that a run may have written in its folder."""
    yield from (CONFIG, CSV, ERRORS)
    yield from (f"{AGENT}/{name}" for name in serialization.files(AGENT))
    yield from (f"{BOARD}/{file.name}" for file in (folder / BOARD).glob(EVENTS))
    for checkpoint in (folder / checkpoints.FOLDER).glob("[0-9]*"):
        yield from (
            f"{checkpoints.FOLDER}/{checkpoint.name}/{name}" for name in serialization.files(checkpoints.NAME)
        )


def _clear(folder: Path) -> None:
    """Delete the run in the folder but for its configuration, so that it stays one until that is replaced."""
    for name in (AGENT, BOARD, checkpoints.FOLDER):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
    (folder / CSV).unlink(missing_ok=True)


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


def _write_config(folder: Path, config: TrainConfig, agent: Learner) -> None:
    """Write the configuration with every hyperparameter resolved."""
    values = dataclasses.asdict(config)
    values["hyperparameters"] = dataclasses.asdict(agent.settings)
    values["output"] = str(folder)
    values["overwrite"] = False
    text = yaml.safe_dump(values, sort_keys=False)
    write_text(folder / CONFIG, f"{_seal(text)}\n{text}")


def _seal(text: str) -> str:
    """Return the first line of a configuration: of a file that was cut, the rest would be read as defaults."""
    return f"# sha256 {hashlib.sha256(text.encode()).hexdigest()}"
