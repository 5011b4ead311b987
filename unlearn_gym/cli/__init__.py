"""The command lines that are more than a few lines: ``unlearn-gym train`` and ``evaluate``, a module each.

A module has ``main(words, program)``; it is imported when it is asked for, under ``command_line.status``, so that a
signal during the import of the libraries ends in a sentence too.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from unlearn_gym.runtime import command_line

COMMANDS = {
    "train": "train an agent to choose λ, or finish a run that was killed",
    "evaluate": "run agents on an environment, measure what is left, and write a report",
}
"""Name of a module here → what it does."""


def run(name: str, words: Sequence[str], program: Sequence[str] = ()) -> int:
    """Run a command line and return its exit status; see ``command_line.status``.

    Args:
        name: one of ``COMMANDS``.
        words: what follows its name.
        program: how it was called, for the help and for reports; ``unlearn-gym NAME`` if empty.
    """
    called = tuple(program) or ("unlearn-gym", name)
    return command_line.status(lambda: import_module(f"{__name__}.{name}").main(words, called))
