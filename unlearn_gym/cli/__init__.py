"""The command ``unlearn-gym``: a module here for each subcommand, with ``main(words, program)``.

A module is imported when it is asked for, under ``status``, so that a signal during the import of the libraries ends
in a sentence too.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

from unlearn_gym.errors import UserError
from unlearn_gym.runtime.memory import keep_freed_memory
from unlearn_gym.runtime.stopping import stopped_by_signals

COMMANDS = {
    "list": "list ids, agents, tasks and the cache folder (the default)",
    "prepare": "train the models of a task, unless they are there; a killed training goes on",
    "check": "measure the models of a task: are they a good starting point?",
    "apply": "carry out a deletion request on your own model: the new model, with a report",
    "train": "train an agent to choose λ, or finish a run that was killed",
    "tune": "search the settings of a learning agent (extra: tune)",
    "evaluate": "run agents on an environment, measure what is left, and write a report",
    "estimate": "estimate what agents would return from logged episodes (extra: offline)",
    "benchmark": "compare methods of class unlearning and agents from the same classifier",
    "study": "run an experiment that comes with the package, by name",
    "push": "push an agent or an unlearned model to the hub, with a card",
    "pull": "fetch what was pushed, and check it",
}
"""Name of a subcommand → what it does."""
MODULES = {"list": "listing", "push": "hub", "pull": "hub"}
"""Subcommands whose module has another name: one would hide Python's own ``list`` here, two are in one."""
BROKEN_PIPE = 141
"""What the shell says of a program that wrote to a closed pipe: 128 + SIGPIPE."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``unlearn-gym`` with ``arguments``, ``sys.argv[1:]`` if None, and return the exit status; see ``status``."""
    words = list(sys.argv[1:] if arguments is None else arguments) or ["list"]
    if words[0] in COMMANDS:
        return run(words[0], words[1:])
    return status(lambda: _overview(words[0]))


def run(name: str, words: Sequence[str], program: Sequence[str] = ()) -> int:
    """Run a subcommand and return its exit status; see ``status``.

    Args:
        name: one of ``COMMANDS``.
        words: what follows its name.
        program: how it was called, for the help and for reports; ``unlearn-gym NAME`` if empty.
    """
    called = tuple(program) or ("unlearn-gym", name)
    keep_freed_memory()
    return status(lambda: import_module(f"{__name__}.{MODULES.get(name, name)}").main(words, called))


def _overview(word: str) -> None:
    """Print the subcommands, or refuse what is none."""
    if word not in ("-h", "--help"):
        raise UserError(
            f"There is no command {word!r}; choose one of {', '.join(COMMANDS)}; see unlearn-gym --help."
        )
    print("usage: unlearn-gym [COMMAND] [OPTIONS]\n")
    for name, text in COMMANDS.items():
        print(f"  {name:<10} {text}")
    print("\nunlearn-gym COMMAND --help shows its options, with examples.")


def status(main: Callable[[], object]) -> int:
    """Call ``main`` and return the exit status, having said in one sentence why it is not 0.

    Returns:
        0, or 2 after bad input or a bad path, or 128 + the signal: 130 after SIGINT, 143 after SIGTERM, and 141,
        without a word, when nobody reads the output any more.
    """
    try:
        with stopped_by_signals(), _warnings_as_sentences():
            main()
        sys.stdout.flush()
    except UserError as error:
        return _refused(str(error))
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # or Python's own last flush would complain
        return BROKEN_PIPE
    except OSError as error:  # a folder that cannot be written, a full disk
        return _refused(f"{error}; give a path that can be read and written.")
    except KeyboardInterrupt as error:
        name, number = str(error) or "SIGINT", getattr(error, "number", 2)
        hint = getattr(error, "hint", "") or "run the same command again to go on"
        print(f"stopped by {name}; what was finished is kept: {hint}.", file=sys.stderr)
        return 128 + number
    return 0


@contextlib.contextmanager
def _warnings_as_sentences() -> Iterator[None]:
    """Print this package's warnings as one line each, without the line of code that gave them."""
    written = warnings.formatwarning

    def sentence(message: Any, category: type[Warning], filename: str, *place: Any) -> str:
        if "unlearn_gym" not in filename or not issubclass(category, UserWarning):
            return written(message, category, filename, *place)
        return f"warning: {' '.join(str(message).split())}\n"

    warnings.formatwarning = sentence  # type: ignore[assignment]
    try:
        yield
    finally:
        warnings.formatwarning = written


def _refused(sentence: str) -> int:
    print(f"error: {' '.join(sentence.split())}", file=sys.stderr)
    return 2
