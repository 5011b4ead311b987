"""What a search is, and the file in its folder that says so."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from jsonargparse.typing import NonNegativeInt, PositiveInt

from unlearn_gym import configs
from unlearn_gym.agents.training.config import TrainConfig
from unlearn_gym.envs.making import full_id
from unlearn_gym.errors import UserError
from unlearn_gym.runtime import command_line
from unlearn_gym.runtime.engines import ENGINE, EngineOptions
from unlearn_gym.storage.files import LITTER, write_text
from unlearn_gym.storage.run_lock import LOCK
from unlearn_gym.storage.temporaries import is_temporary

FILE = "search.yaml"
CHANGEABLE = frozenset({"trials", "output", *ENGINE})
"""What a second call may change: the trials so far stay as they are."""


@dataclass(frozen=True)
class TuneConfig(EngineOptions):
    """What a search is.

    Args:
        agent: name of a learning agent.
        env: id of the environment; the prefix ``unlearn_gym/`` may be left out.
        trials: settings to try in all, those that were stopped early among them; a second call may ask for more.
        total_timesteps: environment steps of each trial's training.
        seed: of the trainings and of the search.
        n_envs: environments of a training, one process each if more than one.
        output: folder of the search.
        env_kwargs: keywords of the environment.
        evaluation_env_kwargs: on top of them in evaluations, such as ``split: validation``.
        evaluate_seeds: evaluation episodes of a trial; their mean return is what is searched for.
        first_seed: seeds of the evaluation episodes count from here.
        evaluations: how often a trial is evaluated on its way; before its end it is stopped if its mean return is below
            the median of the trials before it.
        startup: trials drawn at random, and never stopped, before the search learns from them.
        hyperparameters: settings that all trials have.
        space: where to look, on top of unlearn_gym/configs/tuning: setting → ``{low, high, log}``, a list of choices,
            or null to leave it alone.
        parallel: trials made at once: each is proposed from what those before all of them were worth, and away from its
            own batch. More of them learn less from each other, so that the number belongs to the search; a search that
            is extended equals one at once where its trials were a multiple of it.
        device: where the agent's networks are.
    """

    agent: str = "ppo"
    env: str = "unlearn_gym/Weighted-Digits-v0"
    trials: PositiveInt = 30
    total_timesteps: PositiveInt = 2000
    seed: command_line.Seed = 0  # type: ignore[valid-type]
    n_envs: PositiveInt = 1
    output: str = "runs/tune"
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    evaluation_env_kwargs: dict[str, Any] = field(default_factory=dict)
    evaluate_seeds: PositiveInt = 5
    first_seed: command_line.Seed = 10_000  # type: ignore[valid-type]
    evaluations: PositiveInt = 4
    startup: NonNegativeInt = 5
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    space: dict[str, Any] = field(default_factory=dict)
    parallel: PositiveInt = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "env", full_id(self.env))

    @property
    def seeds(self) -> range:
        """Seeds of the evaluation episodes."""
        return range(self.first_seed, self.first_seed + self.evaluate_seeds)

    def training(self, settings: dict[str, Any], timesteps: int, folder: Path) -> TrainConfig:
        """Return how an agent with these settings is trained."""
        return TrainConfig(
            env=self.env,
            agent=self.agent,
            total_timesteps=timesteps,
            seed=self.seed,
            n_envs=self.n_envs,
            output=str(folder),
            env_kwargs=self.env_kwargs,
            hyperparameters={**self.hyperparameters, **settings},
            device=self.device,
            progress_bar=False,
        )


def claim(folder: Path, config: TuneConfig) -> None:
    """Write the configuration into a new folder; in one that has it, check that the search is the same.

    Raises:
        UserError: when the folder holds another search, or something else.
    """
    file = folder / FILE
    if file.is_file():
        stored = command_line.check(TuneConfig, configs.read_file(file), str(file))
        for key, value in vars(stored).items():
            if key not in CHANGEABLE and getattr(config, key) != value:
                raise UserError(
                    f"{key}={getattr(config, key)!r} differs from {value!r} of the search in {folder}; give the same "
                    "to go on with it, or another --output."
                )
        return
    ours = {LOCK, *LITTER}
    other = [path.name for path in folder.iterdir() if path.name not in ours and not is_temporary(path)]
    if other:
        raise UserError(f"{folder} holds {min(other)} and no search ({FILE}); give another --output.")
    values = {key: value for key, value in dataclasses.asdict(config).items() if key not in ENGINE}
    write_text(file, yaml.safe_dump(values, sort_keys=False))
