"""List environments, agents, trained policies that come along, tasks, and the folder in which trained models are kept.

unlearn-gym list
unlearn-gym list --requests                     (deletion requests that come with the package, split by split)
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from gymnasium import registry

from unlearn_gym import agents
from unlearn_gym.agents.trained import shipped
from unlearn_gym.cli import prepare
from unlearn_gym.data.requests.ready import READY
from unlearn_gym.runtime import command_line
from unlearn_gym.storage.cache import CACHE_VARIABLE, cache_dir


@dataclass
class Options:
    """What is listed.

    Args:
        requests: the deletion requests of every ready-made set, in the place of everything else.
    """

    requests: bool = False


def main(words: Sequence[str], program: Sequence[str]) -> None:
    """Print what there is, one a line."""
    options = command_line.parse(Options, words, description=__doc__ or "", program=shlex.join(program))
    if options.requests:
        _print_requests()
        return
    state = "" if cache_dir().exists() else ", empty so far"
    sections: dict[str, Sequence[object]] = {
        "Environments (gymnasium.make)": sorted(name for name in registry if name.startswith("unlearn_gym/")),
        "Agents (unlearn_gym.agents.make)": agents.names(),
        "Trained policies (--agents, --policy)": [f"{shipped.WORD}:{name}" for name in shipped.names()],
        "Tasks (unlearn-gym prepare)": [
            *prepare.diffusion_names(),
            *prepare.vae_names(),
            *prepare.generator_names(),
            *prepare.classifier_names(),
        ],
        f"Cache ({CACHE_VARIABLE}{state})": [cache_dir()],
    }
    for title, lines in sections.items():
        if lines:
            print(f"{title}:", *(f"  {line}" for line in lines), sep="\n")


def _print_requests() -> None:
    """Print the name of every request below its set and split."""
    for name, make in READY.items():
        for split, requests in make().splits.items():
            print(f"{name}, {split}: {len(requests)} requests", *(f"  {r.name}" for r in requests), sep="\n")
