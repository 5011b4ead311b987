"""Measure the models of a diffusion task: whether they are a good starting point for unlearning.

unlearn-gym check digits
unlearn-gym check trousers --samples 200 --picture trousers.png
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from jsonargparse.typing import PositiveInt

from unlearn_gym.evaluation import starting_point
from unlearn_gym.models.diffusion.tasks import get_task
from unlearn_gym.runtime import command_line
from unlearn_gym.storage.files import user_path


@dataclass
class Options:
    """What to measure.

    Args:
        task: name of the task.
        samples: samples of every label.
        picture: PNG of 20 samples of every label of the original model.
    """

    task: str = "digits"
    samples: PositiveInt = 100
    picture: str | None = None


def main(words: Sequence[str], program: Sequence[str]) -> None:
    """Print how good a task's evaluator and models are."""
    options = command_line.parse(
        Options, words, description=__doc__ or "", program=shlex.join(program), leading="task"
    )
    picture = user_path(options.picture) if options.picture else None
    for line in starting_point.check(get_task(options.task), options.samples, picture):
        print(line)
