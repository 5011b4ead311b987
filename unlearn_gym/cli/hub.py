"""``unlearn-gym push`` and ``unlearn-gym pull``: agents and unlearned models, to a hub and from it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from unlearn_gym.errors import UserError
from unlearn_gym.hub import from_hub, push_to_hub
from unlearn_gym.runtime import command_line

PUSH = """Push an agent or an unlearned model to the hub: safetensors, JSON, and a card with the numbers of its report.

unlearn-gym push runs/ppo --to USER/ppo-digits --report reports/digits
unlearn-gym push out --to USER/ddpm-without-boots --no-private    (out: what unlearn-gym apply wrote)

Log in first: hf auth login.
"""
PULL = """Fetch what was pushed, and compare every file with its checksum.

unlearn-gym pull USER/ppo-digits --output ppo
unlearn-gym pull USER/ddpm-without-boots --revision main

The folder is then an agent (--agents ppo) or a model (--model ppo).
"""


@dataclass
class Push:
    """What is pushed, and where to.

    Args:
        path: a run folder, an output folder of apply, a diffusers folder, or a .safetensors file.
        to: USER/NAME, which is made where it is missing.
        report: folder of evaluate in which the agent is a row.
        row: the agent's name there, where its folder does not tell.
        private: make a new repository private.
    """

    path: str = ""
    to: str = ""
    report: str | None = None
    row: str | None = None
    private: bool = True


@dataclass
class Pull:
    """What is pulled.

    Args:
        repository: USER/NAME.
        output: a folder that is made; by default the files stay in the hub's own cache.
        revision: a branch, tag or commit.
    """

    repository: str = ""
    output: str | None = None
    revision: str | None = None


def main(words: Sequence[str], program: Sequence[str]) -> None:
    """Push or pull, as the program's last word says, and print where it is."""
    print(push(words, program) if program[-1] == "push" else pull(words, program))


def push(words: Sequence[str], program: Sequence[str]) -> str:
    """Push, and return the address."""
    options = command_line.parse(Push, words, description=PUSH, program=shlex.join(program), leading="path")
    for name in ("path", "to"):
        if not getattr(options, name):
            raise UserError(f"--{name} is missing; give a path and --to USER/NAME.")
    return push_to_hub(
        options.path, options.to, report=options.report, row=options.row, private=options.private
    )


def pull(words: Sequence[str], program: Sequence[str]) -> str:
    """Pull, and return the folder."""
    options = command_line.parse(
        Pull, words, description=PULL, program=shlex.join(program), leading="repository"
    )
    if not options.repository:
        raise UserError("--repository is missing; give USER/NAME.")
    return str(from_hub(options.repository, options.output, revision=options.revision))
