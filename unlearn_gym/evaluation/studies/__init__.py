"""Studies that are more than runs of agents on one environment, by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym

from unlearn_gym.errors import UserError

Train = Callable[[str, gym.Env, int, Path, Mapping[str, Any]], Any]
"""Name of an agent, environment, steps, folder, hyperparameters → a trained agent with ``predict``."""

STUDIES: dict[str, str] = {"emse_polynomial": "unlearn_gym.evaluation.studies.regression:run"}
"""Name → function; a string, so that only the one in use is imported."""


def run_study(name: str, settings: Mapping[str, Any], output: Path, train: Train, command: str) -> list[Path]:
    """Run a study and return the files of its report.

    Args:
        name: one of ``STUDIES``.
        settings: fields of its dataclass ``Settings``.
        output: folder of the report.
        train: trains the agents that the study asks for.
        command: the command line that repeats it.

    Raises:
        UserError: for an unknown name or setting.
    """
    if name not in STUDIES:
        raise UserError(f"There is no study {name!r}; choose one of {', '.join(sorted(STUDIES))}.")
    module, _, function = STUDIES[name].partition(":")
    return getattr(importlib.import_module(module), function)(settings, output, train, command)
