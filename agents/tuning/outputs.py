"""What a search leaves to read: the best settings as a configuration, a table of all trials, a picture."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from optuna.trial import FrozenTrial, TrialState

from unlearn_gym.agents.tuning.config import TuneConfig
from unlearn_gym.agents.tuning.spaces import Choices, Dimension
from unlearn_gym.storage.files import atomic_write, write_text

BEST, TABLE, PICTURE = "best.yaml", "trials.csv", "search.png"
COLUMNS = 3
"""Panels in a row of the picture."""
BLUE, GREY, RED = "#0072B2", "#999999", "#D55E00"


def write(
    folder: Path, config: TuneConfig, space: Mapping[str, Dimension], trials: Sequence[FrozenTrial]
) -> None:
    """Write the table and, once a trial was made to its end, the best settings.

    Args:
        folder: of the search.
        config: the search.
        space: where it looks.
        trials: those that are over, in their order.
    """
    write_text(folder / TABLE, _table(space, trials))
    best = best_of(trials)
    if best is not None:
        write_text(folder / BEST, _configuration(config, space, trials[best], best))


def draw(
    folder: Path, config: TuneConfig, space: Mapping[str, Dimension], trials: Sequence[FrozenTrial]
) -> None:
    """Write the picture; see ``write``."""
    with atomic_write(folder / PICTURE) as temporary:
        _figure(config, space, trials).savefig(temporary, dpi=110)


def best_of(trials: Sequence[FrozenTrial]) -> int | None:
    """Return which trial has the largest value, the first of equals; None if none was made to its end."""
    values = [-np.inf if value is None else value for value in map(_value, trials)]
    return int(np.argmax(values)) if values and max(values) > -np.inf else None


def _value(trial: FrozenTrial) -> float | None:
    return trial.value if trial.state is TrialState.COMPLETE else None


def _settings(space: Mapping[str, Dimension], trial: FrozenTrial) -> dict[str, Any]:
    return {
        name: json.loads(value) if isinstance(space[name], Choices) else value
        for name, value in trial.params.items()
    }


def _configuration(
    config: TuneConfig, space: Mapping[str, Dimension], trial: FrozenTrial, number: int
) -> str:
    """Return the best settings as a configuration of ``unlearn-gym train``."""
    values = {
        "env": config.env,
        "agent": config.agent,
        "total_timesteps": config.total_timesteps,
        "seed": config.seed,
        "n_envs": config.n_envs,
        "env_kwargs": config.env_kwargs,
        "hyperparameters": {**config.hyperparameters, **_settings(space, trial)},
        "device": config.device,
    }
    title = (
        f"# Trial {number}: mean return {trial.value:.6g} over {config.evaluate_seeds} evaluation episodes."
    )
    return f"{title}\n{yaml.safe_dump(values, sort_keys=False)}"


def _table(space: Mapping[str, Dimension], trials: Sequence[FrozenTrial]) -> str:
    """Return CSV with a row for each trial; the last value that a trial reported stands for one that was stopped."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["trial", "state", "steps", "mean_return", *space, "error"])
    writer.writeheader()
    for number, trial in enumerate(trials):
        error = trial.user_attrs.get("error", "")
        state = "failed" if error else trial.state.name.lower()
        last = trial.last_step
        row = {"trial": number, "state": state, "steps": last, "error": error}
        row["mean_return"] = None if last is None else trial.intermediate_values[last]
        writer.writerow({**row, **_settings(space, trial)})
    return text.getvalue()


def _figure(config: TuneConfig, space: Mapping[str, Dimension], trials: Sequence[FrozenTrial]) -> Figure:
    """Draw the trials in their order, and against each setting."""
    rows = -(-(len(space) + 1) // COLUMNS)
    figure = Figure(figsize=(3.2 * COLUMNS, 2.5 * rows), layout="constrained")
    panels = list(np.ravel(figure.subplots(rows, COLUMNS, squeeze=False)))
    values = [_value(trial) for trial in trials]
    best = best_of(trials)
    _progress(panels[0], values)
    for panel, (name, dimension) in zip(panels[1:], space.items(), strict=False):
        _setting(panel, name, dimension, trials, values, best)
    for panel in panels[len(space) + 1 :]:
        panel.set_axis_off()
    figure.suptitle(f"{config.agent} on {config.env.removeprefix('unlearn_gym/')}: mean return", fontsize=10)
    return figure


def _progress(panel: Axes, values: Sequence[float | None]) -> None:
    """Draw every trial, and the best so far; ticks at the bottom are those that were stopped."""
    done = [number for number, value in enumerate(values) if value is not None]
    reached = np.array([values[number] for number in done], dtype=np.float64)
    panel.plot(done, reached, "o", color=BLUE, markersize=3.5)
    panel.step(done, np.maximum.accumulate(reached), where="post", color=RED, linewidth=1)
    stopped = [number for number, value in enumerate(values) if value is None]
    panel.plot(stopped, np.zeros(len(stopped)), "|", color=GREY, transform=panel.get_xaxis_transform())
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set_xlabel("trial (line: best so far; ticks: stopped early)", fontsize=8)
    _plain(panel)


def _setting(
    panel: Axes,
    name: str,
    dimension: Dimension,
    trials: Sequence[FrozenTrial],
    values: Sequence[float | None],
    best: int | None,
) -> None:
    """Draw the trials that were made to their end against one setting; the best in another colour."""
    for number, (trial, value) in enumerate(zip(trials, values, strict=True)):
        if value is not None:
            at, colour = trial.params[name], RED if number == best else BLUE
            at = dimension.ends().index(json.loads(at)) if isinstance(dimension, Choices) else at
            panel.plot(
                at, value, "o", color=colour, markersize=3.5, clip_on=False, zorder=3 if number == best else 2
            )
    if isinstance(dimension, Choices):
        panel.set_xticks(range(len(dimension.values)), [str(value) for value in dimension.values])
        panel.set_xlim(-0.5, len(dimension.values) - 0.5)
    else:
        panel.set_xlim(*dimension.ends())  # all of it: a best value at an end asks for more room
    if dimension.log:
        panel.set_xscale("log")
        panel.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_xlabel(name, fontsize=8)
    _plain(panel)


def _plain(panel: Axes) -> None:
    panel.spines[["top", "right"]].set_visible(False)
    panel.tick_params(labelsize=7)
    panel.grid(alpha=0.25)
