"""List the ids of the environments, the agents, the tasks, and the folder in which trained models are kept.

unlearn-gym list
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gymnasium import registry

from unlearn_gym import agents
from unlearn_gym.cli import prepare
from unlearn_gym.runtime import command_line
from unlearn_gym.storage.cache import CACHE_VARIABLE, cache_dir


@dataclass
class Options:
    """There is nothing to choose."""


def main(words: Sequence[str], program: Sequence[str]) -> None:
    """Print what there is, one a line."""
    command_line.parse(Options, words, description=__doc__ or "", program=shlex.join(program))
    state = "" if cache_dir().exists() else ", empty so far"
    sections: dict[str, Iterable[object]] = {
        "Environments (gymnasium.make)": sorted(name for name in registry if name.startswith("unlearn_gym/")),
        "Agents (unlearn_gym.agents.make)": agents.names(),
        "Tasks (unlearn-gym prepare)": [*prepare.diffusion_names(), *prepare.classifier_names()],
        f"Cache ({CACHE_VARIABLE}{state})": [cache_dir()],
    }
    for title, lines in sections.items():
        print(f"{title}:", *(f"  {line}" for line in lines), sep="\n")
