"""Unlearning in one step that is written down, not searched for: rows of an evaluation without λ and without a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import Any

CLOSED_FORMS: dict[str, str] = {"newton": "newton:Newton"}
"""Name, as ``--agents`` and rows have it → module here and class in it."""


class ClosedForm(ABC):
    """Takes the place of an agent and its run.

    Args:
        env: the environment whose model it is for.

    Raises:
        UserError: when it says nothing about models of this kind.
    """

    @abstractmethod
    def __init__(self, env: Any) -> None: ...

    @abstractmethod
    def unlearn(self) -> None:
        """Change the weights of the environment's model in place, right after a reset.

        Raises:
            UserError: when they are not those that it starts from.
        """


def make_closed_form(name: str, env: Any) -> ClosedForm:
    """Return the closed form of a name in ``CLOSED_FORMS`` for an environment."""
    module, attribute = CLOSED_FORMS[name].split(":")
    return getattr(import_module(f"unlearn_gym.methods.{module}"), attribute)(env)
