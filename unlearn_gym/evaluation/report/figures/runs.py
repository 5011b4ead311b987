"""What happened during the runs, and during the training before them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from unlearn_gym.envs.spaces.observations import StateObserver
from unlearn_gym.envs.spaces.observers import observer_of
from unlearn_gym.evaluation.records import slug
from unlearn_gym.evaluation.report.drawing import Look, Picture, looks, new_figure, save
from unlearn_gym.evaluation.report.names import row_names
from unlearn_gym.evaluation.results import Results

STEPS, SECONDS = "time/total_timesteps", "time/seconds"
CURVES = (
    ("rollout/return", "return of an episode"),
    ("rollout/ep_rew_mean", "mean return of the last episodes"),
    ("env/lambda", "mean λ"),
    ("reward/retain", "reward a step: retain term"),
    ("reward/forget", "reward a step: forget term"),
)
"""Columns of ``progress.csv`` that are drawn when they are there, with their titles."""
LOG_FROM = 50.0
"""Ratio of largest to smallest value from which an axis is logarithmic."""


def lambda_figure(results: Results, output: Path, group: str = "") -> Picture:
    """Draw ``lambda.png``: a group's λ_t, and beside it the numbers that the agent sees.

    Where rows see different numbers, those of the first are drawn, of the rows that see them.
    """
    experiment = results.experiment
    members = {entry.name for entry in experiment.entries if entry.group == group}
    figure = new_figure(12.5, 6.0)
    halves = np.asarray(figure.subfigures(1, 2, width_ratios=(1.0, 1.7)))
    left, right = halves
    names = row_names(experiment)
    drawn = {name: results.runs(name) for name in looks(experiment) if name in members}
    drawn = {name: runs for name, runs in drawn.items() if runs}  # what has no runs is no agent
    width = next((len(runs[0].observations[0]) for runs in drawn.values()), 0)
    titles = (observer_of(width) or StateObserver).names.values()
    columns = len(titles) // 3
    others = ""
    main, panels = left.subplots(), list(right.subplots(3, columns, sharex=True).flat)
    for name, runs in drawn.items():
        look = looks(experiment)[name]
        _band(main, _padded([run.lambdas for run in runs]), look, names[name])
        if len(runs[0].observations[0]) != width:
            others = " Rows that see other numbers are drawn on the left only."
            continue
        for k, panel in enumerate(panels):
            _band(panel, _padded([[row[k] for row in run.observations] for run in runs]), look, names[name])
    main.set(title="λ chosen at each update", xlabel="update", ylabel="λ")
    for k, (panel, title) in enumerate(zip(panels, titles, strict=True)):
        panel.set_title(f"state {k}: {title}", fontsize=9)
        _maybe_logarithmic(panel)
    for panel in panels[-columns:]:
        panel.set_xlabel("update")
    left.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    which = f", group {group}" if group else ""
    caption = (
        f"The final unlearning runs ({experiment.env_id}{which}): mean over {len(experiment.seeds)} seeds, the band is "
        "one standard deviation. A flat λ is a constant; a λ that moves with the state is a policy at work."
        + others
    )
    return save(figure, output / f"lambda-{slug(group)}.png" if group else output / "lambda.png", caption)


def learning_figure(results: Results, output: Path) -> Picture | None:
    """Draw ``learning.png`` from the run folders' ``progress.csv``; None where no agent has one."""
    experiment = results.experiment
    logs = {c.name: read_progress(c.run_folder) for c in experiment.entries if c.run_folder is not None}
    curves = [
        curve
        for curve in CURVES
        if any(STEPS in columns and curve[0] in columns for columns in logs.values())
    ]
    if not curves:
        return None
    figure = new_figure(1.5 + 3.3 * len(curves), 3.6)
    panels, names = figure.subplots(1, len(curves), squeeze=False)[0], row_names(experiment)
    for panel, (column, label) in zip(panels, curves, strict=True):
        for name, columns in logs.items():
            if STEPS in columns and column in columns:
                look = looks(experiment)[name]
                panel.plot(columns[STEPS], columns[column], look.line, color=look.colour, label=names[name])
        panel.set(xlabel="environment steps", title=label)
        panel.ticklabel_format(axis="y", useOffset=False)
    panels[0].legend(fontsize=8, frameon=False)
    caption = (
        "Training of the learned agents, from their run folders: the return should rise, then level off."
    )
    return save(figure, output / "learning.png", caption)


def read_progress(folder: Path | None) -> dict[str, np.ndarray]:
    """Read a run folder's ``progress.csv``: column → numbers, NaN for an empty cell; empty without a file."""
    path = (folder or Path()) / "progress.csv"
    if folder is None or not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {
        name: np.array([_number(row[name]) for row in rows]) for name in (rows[0] if rows else {}) if name
    }
    if STEPS not in columns:
        return columns
    return {name: values[np.isfinite(columns[STEPS])] for name, values in columns.items()}


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _padded(series: list[list[float]]) -> np.ndarray:
    """Stack series of different lengths (diverged runs are shorter), with NaN at the end."""
    longest = max(map(len, series))
    return np.array([[*values, *[np.nan] * (longest - len(values))] for values in series])


def _band(panel: Axes, values: np.ndarray, look: Look, name: str) -> None:
    mean, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    steps = np.arange(len(mean))
    panel.plot(steps, mean, look.line, color=look.colour, label=name, linewidth=1.2)
    panel.fill_between(steps, mean - spread, mean + spread, color=look.colour, alpha=0.15, linewidth=0)


def _maybe_logarithmic(panel: Axes) -> None:
    values = np.concatenate([line.get_ydata() for line in panel.get_lines()])
    positive = values[np.isfinite(values) & (values > 0)]
    if len(positive) == np.isfinite(values).sum() > 0 and positive.max() > LOG_FROM * positive.min():
        panel.set_yscale("log")
        panel.yaxis.set_major_formatter(
            "{x:g}"
        )  # the usual one writes mathematics, which STYLE takes literally
