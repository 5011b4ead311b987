"""``python -m unlearn_gym``: what there is, where the cache is, and ``prepare`` to train the models now."""

from __future__ import annotations

import argparse
import sys
import time

from gymnasium import registry

from unlearn_gym.cache import CACHE_VARIABLE, cache_dir
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
    print(f"The models of {name!r} are in {cache_dir()} ({time.perf_counter() - started:.0f} s).")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m unlearn_gym", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("list", help="list ids, agents and the cache folder (the default)")
    prepared = commands.add_parser("prepare", help="train the models of a task, unless they are cached")
    prepared.add_argument("task", nargs="?", default="digits", help="name of the task (default: digits)")
    prepared.add_argument("--device", default="cpu", help="where to train (default: cpu)")
    options = parser.parse_args(arguments)
    try:
        if options.command == "prepare":
            prepare(options.task, options.device)
        else:
            print(listing())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
