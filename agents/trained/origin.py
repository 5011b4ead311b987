"""Where a policy was trained, and so what it must be shown and what its actions must mean elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearn_gym.agents.common import saving, serialization
from unlearn_gym.data.requests.ready import READY, ready
from unlearn_gym.envs.making import environment, keywords_of_env
from unlearn_gym.errors import UserError

if TYPE_CHECKING:
    from unlearn_gym.agents.training.config import TrainConfig

BUDGET = ("horizon", "learning_rate")
DECISIVE = (
    "objective",
    "objective_kwargs",
    "observation",
    "state",
    "grad_norms",
    "time",
    "action",
    "control",
    "lambda_range",
)
"""Keywords of an environment that decide what a policy sees and what its actions do."""


@dataclass(frozen=True)
class Origin:
    """A training, as the saved agent tells it.

    Attributes:
        env: id of the environment.
        env_kwargs: its keywords; of those that name a path, None in its place.
        total_timesteps: steps that it was to learn from.
        seed: of the training.
    """

    env: str
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    total_timesteps: int = 0
    seed: int = 0

    @classmethod
    def of_config(cls, config: TrainConfig) -> Origin:
        """Return the training that a configuration describes."""
        told = {
            key: None if set("/\\") & set(str(value)) else value for key, value in config.env_kwargs.items()
        }
        return cls(config.env, told, config.total_timesteps, config.seed)

    def as_record(self) -> dict[str, Any]:
        """Return what ``agent.json`` has of it."""
        return asdict(self)

    def fits(self, env_id: str) -> bool:
        """Say whether an environment is of the same family, so that it has the same keywords and signals.

        Raises:
            UserError: when the environment of the training is not known here.
        """
        own, other = environment(self.env), environment(env_id)
        return isinstance(own, type) and isinstance(other, type) and issubclass(own, other)

    def budgets(self) -> dict[str, tuple[float, float]]:
        """Return the smallest and largest horizon and learning rate of its runs, as far as these are numbers."""
        known = keywords_of_env(self.env, self.env_kwargs)
        runs: list[dict[str, Any]] = [known]
        if str(known.get("requests")) in READY:
            own = {name: known[name] for name in BUDGET if known.get(name) is not None}
            asked = ready(known["requests"]).split(known["split"])
            runs = [{name: getattr(request, name) for name in BUDGET} | own for request in asked]
        found: dict[str, list[Any]] = {name: [run.get(name) for run in runs] for name in BUDGET}
        return {
            name: (min(values), max(values))
            for name, values in found.items()
            if all(isinstance(value, int | float) for value in values)
        }

    def keywords(self) -> dict[str, Any]:
        """Return those of ``DECISIVE`` that its environment has, each with its value in the training."""
        known = keywords_of_env(self.env, self.env_kwargs)
        return {name: known[name] for name in DECISIVE if name in known}


def origin_of(folder: Path) -> Origin | None:
    """Return where a saved agent was trained; None where nothing says so.

    It stands in the agent's own file; for runs of early versions in the configuration beside it.

    Args:
        folder: the agent's, or the run folder that holds it.

    Raises:
        UserError: where the agent is damaged, or the configuration is.
    """
    agent = saving.find(folder)
    if agent is None:
        return None
    found = serialization.load(agent, saving.FILE).get(saving.TRAINED)
    if isinstance(found, Mapping):
        try:
            return Origin(**found)
        except TypeError as error:
            raise UserError(f"{agent} does not say where it was trained; train it again.") from error
    from unlearn_gym.agents.training.config import CONFIG, TrainConfig, stored_config

    for place in (agent, agent.parent):
        if (place / CONFIG).is_file():
            return Origin.of_config(TrainConfig(**stored_config(str(place))))
    return None
