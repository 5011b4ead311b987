"""``python -m unlearn_gym``: what there is; ``prepare`` trains a task's models, ``check`` measures them."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from gymnasium import registry

from unlearn_gym.cache import CACHE_VARIABLE, cache_dir
from unlearn_gym.commands import COMMANDS, run
from unlearn_gym.errors import UserError


def listing() -> str:
    """Return the environment ids, the agents and the cache folder, one a line."""
    from unlearn_gym.agents import names

    ids = sorted(name for name in registry if name.startswith("unlearn_gym/"))
    lines = ["Environments (gymnasium.make):", *(f"  {name}" for name in ids)]
    lines += ["Agents (unlearn_gym.agents.make):", *(f"  {name}" for name in names())]
    state = "" if cache_dir().exists() else ", empty so far"
    lines += [f"Cache ({CACHE_VARIABLE}{state}):", f"  {cache_dir()}"]
    return "\n".join(lines)


def prepare(name: str, device: str) -> None:
    """Make the models of a task, or find them in the cache, and say how long it took."""
    from unlearn_gym.envs.options import as_device
    from unlearn_gym.models import tasks

    started = time.perf_counter()
    where = as_device(device)  # before the data are read
    tasks.prepare(tasks.get_task(name), where)
    seconds = time.perf_counter() - started
    print(f"The models of {name!r} are ready ({seconds:.0f} s); what is trained is kept in {cache_dir()}.")


def check(name: str, samples: int, picture: str | None) -> None:
    """Print how good a task's judge and models are; see ``evaluation.starting_point``."""
    from unlearn_gym.evaluation import starting_point
    from unlearn_gym.models import tasks

    if samples < 1:
        raise UserError(f"samples={samples} was given; give at least 1.")
    for line in starting_point.check(tasks.get_task(name), samples, Path(picture) if picture else None):
        print(line)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    if words and words[0] in COMMANDS:
        return run(words[0], words[1:])
    parser = argparse.ArgumentParser(prog="python -m unlearn_gym", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("list", help="list ids, agents and the cache folder (the default)")
    prepared = commands.add_parser("prepare", help="train the models of a task, unless they are cached")
    prepared.add_argument("task", nargs="?", default="digits", help="name of the task (default: digits)")
    prepared.add_argument("--device", default="cpu", help="where to train (default: cpu)")
    checked = commands.add_parser(
        "check", help="measure the models of a task: are they a good starting point?"
    )
    checked.add_argument("task", nargs="?", default="digits", help="name of the task (default: digits)")
    checked.add_argument("--samples", type=int, default=100, help="samples of every label (default: 100)")
    checked.add_argument("--picture", help="PNG of 20 samples of every label of the original model")
    for name, text in COMMANDS.items():
        commands.add_parser(name, help=text)
    options = parser.parse_args(arguments)
    try:
        if options.command == "prepare":
            prepare(options.task, options.device)
        elif options.command == "check":
            check(options.task, options.samples, options.picture)
        else:
            print(listing())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
