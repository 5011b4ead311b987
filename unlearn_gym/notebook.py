"""Training and evaluation as one call each, for notebooks and scripts: ``unlearn_gym.train`` and ``.evaluate``."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

from rich.console import Console

from unlearn_gym.agents import training
from unlearn_gym.agents.training.comparison import pending
from unlearn_gym.cli import evaluate as command
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.report.results_file import rows_of
from unlearn_gym.evaluation.report.sentences import mean_and_half
from unlearn_gym.evaluation.report.tables import Grid
from unlearn_gym.evaluation.statistics import Summary
from unlearn_gym.metrics.glossary import GLOSSARY
from unlearn_gym.runtime import command_line
from unlearn_gym.storage.files import user_path

WIDTH = 160
"""Columns of a table as text."""


def train(
    env_id: str,
    agent: str = "ppo",
    steps: int = 4000,
    *,
    seed: int = 0,
    output: str | Path | None = None,
    n_envs: int = 1,
    env_kwargs: Mapping[str, Any] | None = None,
    hyperparameters: Mapping[str, Any] | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress_bar: bool = True,
) -> Path:
    """Train an agent to choose λ, as ``unlearn-gym train`` does.

    The same call again finishes a training that was broken off, and returns at once where it is done. More than one
    environment run in processes of their own: a script then needs ``if __name__ == "__main__":``.

    Args:
        env_id: id of the environment; the prefix ``unlearn_gym/`` may be left out.
        agent: name of a learning agent.
        steps: environment steps in all; an agent may finish the rollout it is in.
        seed: seed of weights, exploration and environments.
        output: folder of the run, ``runs/AGENT`` by default.
        n_envs: environments.
        env_kwargs: keywords of the environment.
        hyperparameters: settings of the agent, on top of those in ``unlearn_gym.configs``.
        device: where the agent's networks are.
        overwrite: delete the run that is in the output folder.
        progress_bar: show one.

    Returns:
        The folder of the run: give it to ``evaluate``, or to ``unlearn_gym.agents.load`` for the agent itself.

    Raises:
        UserError: on bad input, or when the folder holds another run.
    """
    folder = user_path(output or Path("runs") / agent)
    values = {
        "env": env_id,
        "agent": agent,
        "total_timesteps": steps,
        "seed": seed,
        "output": str(folder),
        "n_envs": n_envs,
        "env_kwargs": dict(env_kwargs or {}),
        "hyperparameters": dict(hyperparameters or {}),
        "device": device,
        "overwrite": overwrite,
        "progress_bar": progress_bar,
    }
    config = command_line.check(training.TrainConfig, values, "train")
    todo = config if overwrite else pending(config)
    return training.train(todo) if todo else folder


def evaluate(
    env_id: str,
    agents: Sequence[str | Path],
    seeds: int = 5,
    *,
    output: str | Path = "reports/evaluation",
    env_kwargs: Mapping[str, Any] | None = None,
    jobs: int = 1,
    **options: Any,
) -> Report:
    """Run agents on an environment, measure what is left, and write a report, as ``unlearn-gym evaluate`` does.

    The same call again makes only the runs that are not there yet. With ``jobs`` above 1 a script needs
    ``if __name__ == "__main__":``.

    Args:
        env_id: id of the environment; the prefix ``unlearn_gym/`` may be left out.
        agents: names (``"static:0.5"``, ``"random"``), folders that ``train`` returned, ``"file.py:Class"``, zips of
            Stable-Baselines3; see ``unlearn_gym.agents.resolve``.
        seeds: number of runs of each agent.
        output: folder of the report.
        env_kwargs: keywords of the environment.
        jobs: processes.
        **options: what else ``unlearn-gym evaluate --help`` lists, such as ``samples=100`` or ``baseline="random"``.

    Returns:
        The report, which a notebook shows as a table.

    Raises:
        UserError: on bad input, before anything is run.
    """
    elsewhere = sorted({*command.ELSEWHERE, "rows"} & set(options))
    if elsewhere:
        raise UserError(
            f"evaluate: {elsewhere[0]!r} is none of its options; use unlearn-gym benchmark or study instead."
        )
    values = {
        "env": env_id,
        "agents": [os.fspath(agent) for agent in agents],
        "seeds": seeds,
        "output": os.fspath(output),
        "env_kwargs": dict(env_kwargs or {}),
        **options,
    }
    checked = command_line.check(command.Options, {**values, "jobs": jobs}, "evaluate")
    call = ", ".join(f"{key}={value!r}" for key, value in values.items())
    with contextlib.redirect_stdout(io.StringIO()):  # what the command prints is in the report
        command.start(checked, f"unlearn_gym.evaluate({call})".replace("(env=", "(env_id="))
    return Report(output)


class Report:
    """What ``evaluate`` wrote: a table here, the whole of it in ``path``.

    Args:
        folder: of the report.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = user_path(folder)

    @property
    def path(self) -> Path:
        """The report with all tables and pictures, one HTML file."""
        return self.folder / "report.html"

    @cached_property
    def numbers(self) -> dict[str, Any]:
        """What ``results.json`` holds: every number with its seeds, intervals, settings and versions."""
        return json.loads((self.folder / "results.json").read_text(encoding="utf-8"))

    @property
    def rows(self) -> dict[str, dict[str, Summary]]:
        """Name of an agent or a reference → metric → its values, mean, standard deviation and 95 % interval."""
        return rows_of(self.numbers)

    def table(self) -> Grid:
        """Return mean and 95 % interval of every metric, a row an agent."""
        metrics = list(dict.fromkeys(metric for row in self.rows.values() for metric in row))
        rows = (
            (name, *(mean_and_half(row[metric]) if metric in row else "–" for metric in metrics))
            for name, row in self.rows.items()
        )
        return Grid(("agent", *(f"{metric} {GLOSSARY[metric].arrow}" for metric in metrics)), tuple(rows))

    def __str__(self) -> str:
        text = io.StringIO()
        title = f"{self.numbers['env']}, {len(self.numbers['seeds'])} seeds"
        Console(file=text, width=WIDTH, force_jupyter=False).print(self.table().rich(title))
        return f"{text.getvalue()}{self.path}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the table as a notebook shows it."""
        grid = self.table()
        head = "".join(f"<th>{escape(column)}</th>" for column in grid.columns)
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in grid.rows)
        return f"<table><tr>{head}</tr>{body}</table><p>{escape(str(self.path))}</p>"
