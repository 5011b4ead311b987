"""The forms of observations by name, and by how many numbers they have."""

from __future__ import annotations

from unlearn_gym.envs.spaces.judged import JudgedObserver
from unlearn_gym.envs.spaces.observations import Observer, StateObserver
from unlearn_gym.envs.spaces.relative import RelativeObserver

OBSERVERS: dict[str, type[Observer]] = {
    kind.name: kind for kind in (StateObserver, RelativeObserver, JudgedObserver)
}
"""Name → class. A new one is one line here."""


def observer_of(width: int) -> type[Observer] | None:
    """Return what makes observations of this many numbers; None for those of a foreign environment."""
    return next((kind for kind in OBSERVERS.values() if len(kind.names) == width), None)
