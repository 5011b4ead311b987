"""``python -m unlearn_gym``: what there is; ``prepare`` trains a task's models, ``check`` measures them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Container, Iterable
from pathlib import Path
from typing import Any, NoReturn

from gymnasium import registry

from unlearn_gym import cli
from unlearn_gym.cache import CACHE_VARIABLE, cache_dir
from unlearn_gym.commands import COMMANDS, run
from unlearn_gym.errors import UserError


def _numbers(text: str) -> list[int]:
    try:
        return [int(number) for number in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers, such as 3,17,256") from error


CLASSIFIER_OPTIONS: tuple[tuple[str, Callable[[str], Any], str], ...] = (
    ("forget_class", int, "label to forget (default: 0)"),
    ("forget_indices", _numbers, "numbers of the training images to forget instead, such as 3,17,256"),
    ("fraction", float, "share of each class's images that is used (default: 1)"),
    ("pretrain_epochs", int, "epochs of original and retrained model (default: the task's own)"),
    ("seed", int, "of both trainings (default: 42)"),
)
"""Name, type and help of each option of a classification task; see ``TaskOptions``."""


def listing() -> str:
    """Return the environment ids, the agents and the cache folder, one a line."""
    from unlearn_gym.agents import names

    ids = sorted(name for name in registry if name.startswith("unlearn_gym/"))
    lines = ["Environments (gymnasium.make):", *(f"  {name}" for name in ids)]
    lines += ["Agents (unlearn_gym.agents.make):", *(f"  {name}" for name in names())]
    state = "" if cache_dir().exists() else ", empty so far"
    lines += [f"Cache ({CACHE_VARIABLE}{state}):", f"  {cache_dir()}"]
    return "\n".join(lines)


def prepare(name: str, device: str, options: dict[str, Any]) -> None:
    """Make the models of a task, or find them in the cache, and say how long it took.

    Args:
        name: a diffusion task, or a classification task; ``emse-digits`` is the classifier of the digits.
        device: where to train.
        options: of a classification task; see ``TaskOptions``.
    """
    from unlearn_gym.envs.options import as_device
    from unlearn_gym.models import supervised_tasks, tasks

    started = time.perf_counter()
    where = as_device(device)  # before the data are read
    classifiers = _classifier_names(supervised_tasks.SUPERVISED_TASKS, tasks.TASKS)
    if name in classifiers:
        supervised_tasks.prepare(classifiers[name], where, **options)
    elif name not in tasks.TASKS:
        raise UserError(
            f"There is no task {name!r}; choose one of {', '.join(sorted(tasks.TASKS))} (diffusion models) or "
            f"{', '.join(sorted(classifiers))} (classifiers)."
        )
    elif options:
        raise UserError(
            f"{next(iter(options))} was given, but the diffusion task {name!r} has no options here; leave it out."
        )
    else:
        tasks.prepare(tasks.get_task(name), where)
    seconds = time.perf_counter() - started
    print(f"The models of {name!r} are ready ({seconds:.0f} s); what is trained is kept in {cache_dir()}.")


def _classifier_names(classifiers: Iterable[str], taken: Container[str]) -> dict[str, str]:
    """Return what the command line calls each classification task: its name, unless a diffusion task has it."""
    return {f"emse-{name}" if name in taken else name: name for name in classifiers}


def check(name: str, samples: int, picture: str | None) -> None:
    """Print how good a task's judge and models are; see ``evaluation.starting_point``."""
    from unlearn_gym.evaluation import starting_point
    from unlearn_gym.models import tasks

    if samples < 1:
        raise UserError(f"samples={samples} was given; give at least 1.")
    for line in starting_point.check(tasks.get_task(name), samples, Path(picture) if picture else None):
        print(line)


class _Parser(argparse.ArgumentParser):
    """Refuses in one sentence, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise UserError(f"{message}; see {self.prog} --help.")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status; see ``cli.status``."""
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0] in COMMANDS:
        return run(words[0], words[1:])
    return cli.status(lambda: _run(words))


def _run(words: list[str]) -> None:
    parser = _Parser(prog="python -m unlearn_gym", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("list", help="list ids, agents and the cache folder (the default)")
    prepared = commands.add_parser(
        "prepare", help="train the models of a task, unless they are cached; a killed training goes on"
    )
    prepared.add_argument("task", nargs="?", default="digits", help="name of the task (default: digits)")
    prepared.add_argument("--device", default="cpu", help="where to train (default: cpu)")
    classifier = prepared.add_argument_group(
        "options of classification tasks (task_kwargs of the environments)"
    )
    for name, kind, text in CLASSIFIER_OPTIONS:
        classifier.add_argument(
            f"--{name.replace('_', '-')}", type=kind, help=text, default=argparse.SUPPRESS
        )
    checked = commands.add_parser(
        "check", help="measure the models of a task: are they a good starting point?"
    )
    checked.add_argument("task", nargs="?", default="digits", help="name of the task (default: digits)")
    checked.add_argument("--samples", type=int, default=100, help="samples of every label (default: 100)")
    checked.add_argument("--picture", help="PNG of 20 samples of every label of the original model")
    for name, text in COMMANDS.items():
        commands.add_parser(name, help=text)
    options = parser.parse_args(words)
    if options.command == "prepare":
        given = {name: vars(options)[name] for name, *_ in CLASSIFIER_OPTIONS if name in options}
        prepare(options.task, options.device, given)
    elif options.command == "check":
        check(options.task, options.samples, options.picture)
    else:
        print(listing())


if __name__ == "__main__":
    sys.exit(main())
