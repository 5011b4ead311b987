"""Rows of a comparison: each an agent in a setting of its own, trained first where it has to learn."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from unlearn_gym.agents.common.saving import FILE
from unlearn_gym.agents.training import remote, train
from unlearn_gym.agents.training.config import CONFIG, TrainConfig, resumed, stored_config
from unlearn_gym.envs.making import full_id
from unlearn_gym.errors import UserError
from unlearn_gym.runtime import command_line
from unlearn_gym.runtime.engines import Engine, as_engine
from unlearn_gym.storage.bundles import Contents, named


@dataclass(frozen=True)
class Row:
    """One row of a comparison.

    Args:
        agent: what ``--agents`` takes; of a row with ``train``, the name of a learning agent.
        kind: ``static`` rows are what others are compared with; by default the agent's own.
        group: rows are compared with the best static row of their group.
        description: what it is, in a few words.
        env: id of its environment, if not the comparison's.
        env_kwargs: keywords of its environment, on top of the comparison's.
        train: keys of ``train_agent.py``; ``env`` and ``env_kwargs`` are on top of the row's.
    """

    agent: str
    kind: Literal["static", "learned", "other"] | None = None
    group: str = ""
    description: str = ""
    env: str = ""
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    train: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "env", full_id(self.env) if self.env else "")


def read_rows(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Row]:
    """Check the rows of a configuration.

    Raises:
        UserError: naming the row and what is allowed.
    """
    return {name: command_line.check(Row, values, f"The row {name!r}") for name, values in rows.items()}


def training_of(row: Row, env: str, env_kwargs: Mapping[str, Any], folder: Path) -> TrainConfig | None:
    """Return how a row's agent is trained, or None where it does not learn beforehand.

    Raises:
        UserError: for a key that ``train_agent.py`` does not know.
    """
    if row.train is None:
        return None
    own = row.train.get("env_kwargs", {})
    if not isinstance(own, Mapping):
        raise UserError(
            f"The training of {folder.name!r}: env_kwargs={own!r} is no mapping of keys to values."
        )
    merged = {**env_kwargs, **row.env_kwargs, **own}
    values = {"env": row.env or env, "agent": row.agent, "progress_bar": False, **row.train}
    values |= {"env_kwargs": merged, "output": str(folder)}
    return command_line.check(TrainConfig, values, f"The training of {folder.name!r}")


def train_all(configurations: Iterable[TrainConfig], jobs: int | Engine) -> None:
    """Train what is not yet trained, ``jobs`` at a time; a training that was killed goes on where it was.

    On other machines nothing is kept of a training that is killed: one that fails does not end the others.

    Args:
        configurations: of the trainings.
        jobs: processes, or an engine.

    Raises:
        UserError: when a folder holds the run of another configuration, or a training fails.
    """
    left = [todo for config in configurations if (todo := pending(config))]
    if not left:
        return
    engine = as_engine(jobs)
    cpus = max(config.n_envs for config in left)
    if engine.remote:
        remote.make_models(left)
        files = [path for config in left for path in named(config.env_kwargs)]
        finished = engine.run(_remote_trainer, map(remote.task, left), len(left), files=files, cpus=cpus)
    else:
        finished = engine.run(_trainer, ((config,) for config in left), len(left), cpus=cpus)
    failed: list[UserError] = []
    with contextlib.closing(finished):
        for made in finished:
            try:
                print(f"trained: {made.unpack() if engine.remote else made}")
            except UserError as error:
                failed.append(error)
    if failed:
        raise failed[0]


def _trainer() -> Callable[[TrainConfig], Path]:
    return train


def _remote_trainer() -> Callable[[TrainConfig, Contents], remote.RemoteRun]:
    return remote.train_and_pack


def pending(config: TrainConfig) -> TrainConfig | None:
    """Return the training that is to be made or finished, or None where it is done."""
    folder = Path(config.output or "")
    if not (folder / CONFIG).is_file():
        return config
    stored = stored_config(str(folder))
    if stored["total_timesteps"] != config.total_timesteps:
        raise UserError(
            f"total_timesteps={config.total_timesteps} differs from {stored['total_timesteps']} of the run in "
            f"{folder}; delete that folder to train it anew."
        )
    hyperparameters = {**stored["hyperparameters"], **config.hyperparameters}
    wanted = replace(config, hyperparameters=hyperparameters, resume=str(folder))
    checked = resumed(wanted, stored)
    return None if (folder / FILE).is_dir() else checked
