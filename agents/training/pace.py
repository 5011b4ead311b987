"""An agent in an episode of another length than the one it was trained in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from unlearn_gym.envs.spaces.observations import StateObserver
from unlearn_gym.envs.spaces.observers import observer_of


class Paced:
    """An agent that sees at update t the t/T of its training, and the T of it where it sees T, else as it was.

    Args:
        agent: the agent.
        scale: T of the environment over T of the training.
    """

    def __init__(self, agent: Any, scale: float) -> None:
        self._agent, self._scale = agent, scale

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # not yet there, while it is unpickled
            raise AttributeError(name)
        return getattr(self._agent, name)

    def predict(self, observation: np.ndarray, **more: Any) -> tuple[np.ndarray, Any]:
        """See ``Agent.predict``."""
        kind = observer_of(np.shape(observation)[-1]) or StateObserver
        return self._agent.predict(kind.paced(observation, self._scale), **more)


def paced(make: Callable[[Any], Any], horizon: int, env: Any) -> Any:
    """Return the agent that ``make`` builds for ``env``, seeing t/T with the T = ``horizon`` of its training."""
    return Paced(make(env), env.unwrapped.horizon / horizon)
