"""Gymnasium environments in which unlearning a trained model is the control problem.

``import unlearn_gym`` registers the environments. ``unlearn_gym.apply``, ``unlearn_gym.train`` and
``unlearn_gym.evaluate`` are one-line calls; ``unlearn_gym.agents`` makes and loads agents. These are imported when they
are asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from unlearn_gym.registration import register_all

if TYPE_CHECKING:
    from unlearn_gym import agents as agents
    from unlearn_gym.applying import apply as apply
    from unlearn_gym.notebook import evaluate as evaluate
    from unlearn_gym.notebook import train as train

__version__ = "0.1.0"

register_all()


def __getattr__(name: str) -> Any:
    if name == "agents":
        return import_module("unlearn_gym.agents")
    if name == "apply":
        return import_module("unlearn_gym.applying").apply
    if name in ("evaluate", "train"):
        return getattr(import_module("unlearn_gym.notebook"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), "agents", "apply", "evaluate", "train"])
