"""What a training run is: its configuration, sealed in the folder of the run."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from jsonargparse.typing import NonNegativeInt, PositiveInt

from unlearn_gym import configs
from unlearn_gym.envs.making import full_id
from unlearn_gym.errors import UserError
from unlearn_gym.runtime import command_line
from unlearn_gym.storage.files import user_path, write_text

CONFIG = "config.yaml"
CHANGEABLE = frozenset({"total_timesteps", "checkpoint_every", "progress_bar", "resume", "overwrite"})
"""Keys that a resumed run may change: none of them changes a number."""


@dataclass(frozen=True)
class TrainConfig:
    """What a training run is.

    Args:
        env: id of the environment; the prefix ``unlearn_gym/`` may be left out.
        agent: name of a learning agent.
        total_timesteps: environment steps in all; an agent may finish the rollout it is in. Of one that learns from a
            data set, its updates.
        seed: seed of weights, exploration and environments.
        n_envs: environments, one process each if more than one.
        output: folder of the run, runs/AGENT by default.
        env_kwargs: keywords of the environment.
        hyperparameters: settings of the agent, on top of those in unlearn_gym/configs.
        dataset: name of the Minari data set of logged episodes that ``iql`` learns from (extra: offline).
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
    dataset: str = ""
    device: str = "cpu"
    log_every: PositiveInt = 200
    checkpoint_every: NonNegativeInt = 1000
    progress_bar: bool = True
    overwrite: bool = False
    resume: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "env", full_id(self.env))


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


def write_config(
    folder: Path, config: TrainConfig, hyperparameters: dict[str, Any], home: Path | None = None
) -> None:
    """Write the configuration with every hyperparameter resolved; it names ``home``, where the folder goes later."""
    values = dataclasses.asdict(config)
    values["hyperparameters"] = hyperparameters
    values["output"] = str(home or folder)
    values["overwrite"] = False
    text = yaml.safe_dump(values, sort_keys=False)
    write_text(folder / CONFIG, f"{_seal(text)}\n{text}")


def _seal(text: str) -> str:
    """Return the first line of a configuration: of a file that was cut, the rest would be read as defaults."""
    return f"# sha256 {hashlib.sha256(text.encode()).hexdigest()}"
