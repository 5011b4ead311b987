"""Where a search looks: the range or the choices of each setting."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from unlearn_gym import agents, configs
from unlearn_gym.errors import UserError
from unlearn_gym.runtime import command_line
from unlearn_gym.runtime.words import merged

if TYPE_CHECKING:
    from optuna import Trial


class Dimension(ABC):
    """What one setting may be."""

    log: bool = False
    """Whether it is searched, and drawn, on a logarithmic scale."""

    @abstractmethod
    def suggest(self, trial: Trial, name: str) -> Any:
        """Return what a trial tries."""

    @abstractmethod
    def ends(self) -> list[Any]:
        """Return values that must be settings of the agent, so that all others are."""


@dataclass(frozen=True)
class Range(Dimension):
    """Numbers from ``low`` to ``high``; ``whole`` ones where the setting is."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def suggest(self, trial: Trial, name: str) -> float:
        """See ``Dimension.suggest``."""
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def ends(self) -> list[float]:
        """See ``Dimension.ends``."""
        return [self.low, self.high]


@dataclass(frozen=True)
class Choices(Dimension):
    """One of a list."""

    values: tuple[Any, ...]

    def suggest(self, trial: Trial, name: str) -> Any:
        """See ``Dimension.suggest``; Optuna keeps the value as JSON, since it may be a list."""
        return json.loads(trial.suggest_categorical(name, [json.dumps(value) for value in self.values]))

    def ends(self) -> list[Any]:
        """See ``Dimension.ends``."""
        return list(self.values)


def search_space(
    agent: str, changes: Mapping[str, Any], hyperparameters: Mapping[str, Any]
) -> dict[str, Dimension]:
    """Return setting → what it may be.

    Args:
        agent: name of a learning agent.
        changes: on top of the agent's file in ``unlearn_gym/configs/tuning``; null takes a setting out.
        hyperparameters: settings that are not searched.

    Raises:
        UserError: when nothing is left to search, or a value is none that the setting can have.
    """
    kind = agents.agent_class(agent)
    wanted = merged(configs.search_space(agent), dict(changes))
    space = {
        name: _dimension(name, value, whole=isinstance(getattr(kind.Settings(), name, None), int))
        for name, value in wanted.items()
        if value is not None and name not in hyperparameters
    }
    if not space:
        raise UserError(
            f"There is nothing to search: {agent} has no file in unlearn_gym/configs/tuning, or all its settings are "
            "given; say where to look with --space.SETTING.low and .high, or a list --space.SETTING '[1, 2]'."
        )
    for name, dimension in space.items():
        for value in dimension.ends():
            command_line.check(kind.Settings, {name: value}, f"The search space of {agent}")
    return space


def _dimension(name: str, value: Any, *, whole: bool) -> Dimension:
    if isinstance(value, list) and value:
        return Choices(tuple(value))
    known = isinstance(value, Mapping) and {"low", "high"} <= set(value) <= {"low", "high", "log"}
    if known and all(isinstance(value[end], int | float) for end in ("low", "high")):
        found = Range(value["low"], value["high"], bool(value.get("log", False)), whole)
        if found.low < found.high and (found.low > 0 or not found.log):
            return found
    raise UserError(
        f"The search space of {name}, {value!r:.80}, is no list of choices and no range; give low < high, and log: "
        "true only where low is above 0."
    )
