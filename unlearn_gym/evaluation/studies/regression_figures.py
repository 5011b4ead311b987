"""The pictures of the regression study: what reports of one experiment cannot show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from torch import nn

from unlearn_gym.data.split import UnlearningData
from unlearn_gym.envs.making import make_env
from unlearn_gym.evaluation.report.drawing import COLOURS, LINES, MARKERS, STYLE, Picture, new_figure, save
from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.run import rollout
from unlearn_gym.evaluation.statistics import Summary
from unlearn_gym.evaluation.studies.regression import REAL, Study, sweep_row
from unlearn_gym.models.curve_picture import draw_fits
from unlearn_gym.models.threads import one_thread
from unlearn_gym.processes.regression import fit_all, fit_wanted

TITLES = {"r2_wanted": "R² wanted ↑", "r2_unwanted": "R² unwanted ↓", "fair_r2": "Fair R² ↑"}
"""Metric → title, of the metrics that are shown."""
LOWEST = -3.0
"""R² axes end here; curves that miss the points by far have no lower bound."""


def draw_study(study: Study, output: Path) -> list[Picture]:
    """Draw all four pictures."""
    settings = study.settings
    by_share = {name: results for name, results in study.shares.items() if name != REAL}
    with matplotlib.rc_context(STYLE):
        return [
            _fits(study, output),
            _by_problem(by_share, [100 * share for share in settings.shares], "unwanted points, %",
                        output / "shares.png",
                        f"Held-out scores by the share of unwanted points: mean of {settings.draws} draws with "
                        f"95 % intervals. R² axes end at {LOWEST:g}."),
            _sweep(study, output),
            _by_problem(study.correlations, settings.correlations, "correlation ρ of the two curves",
                        output / "dependence.png",
                        "The more alike the two curves are, the less there is to gain, and the less an unwanted "
                        f"point can be missed: mean of {settings.draws} draws with 95 % intervals, "
                        f"{settings.middle_share:.0%} unwanted points."),
        ]  # fmt: skip


def _fits(study: Study, output: Path) -> Picture:
    names, row = list(study.shares), f"EMSE {study.settings.objectives[0]}"
    figure = new_figure(9, 7.2)
    for axes, name in zip(
        figure.subplots(2, 2).flat, (names[0], names[(len(names) - 1) // 2], *names[-2:]), strict=True
    ):
        results = study.shares[name]
        draw_fits(axes, *_curves(results, row))
        before, after = (results.row(one)["r2_wanted"].values[0] for one in ("before", row))
        axes.set_title(f"{name}: R² wanted {before:.2f} → {after:.2f}", fontsize=10)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5, frameon=False)
    caption = (
        "Training points and curves of draw 0. The dashed curve was fitted to all points; EMSE moves it to "
        "the wanted ones, near the curve retrained without the unwanted points. R² is that of held-out wanted "
        "points; a few points may lie outside the picture."
    )
    return save(figure, output / "fits.png", caption)


def _curves(results: Results, row: str) -> tuple[UnlearningData, dict[str, nn.Module]]:
    """Make the first run of a row again for its curve, which records do not keep."""
    experiment, seed = results.experiment, results.experiment.seeds[0]
    entry = experiment.entry(row)
    assert entry is not None
    env = make_env(*experiment.setting(entry, seed))
    with one_thread():
        rollout(env, entry.make(env), seed)
    process = env.unwrapped.process  # type: ignore[attr-defined]
    data, degree = process.data, process.curves.degree
    return data, {"before": fit_all(data, degree), row: process.model, "retrained": fit_wanted(data, degree)}


def _by_problem(
    problems: Mapping[str, Results], x: Sequence[float], label: str, path: Path, caption: str
) -> Picture:
    names = next(iter(problems.values())).names
    lines = {name: [results.row(name) for results in problems.values()] for name in names}
    return _lines(lines, x, label, path, caption)


def _sweep(study: Study, output: Path) -> Picture:
    settings = study.settings
    lines = {
        objective: [study.sweep.row(sweep_row(objective, lam)) for lam in settings.lambdas]
        for objective in settings.objectives
    }
    caption = (
        f"Constant λ at {settings.middle_share:.0%} unwanted points; the dotted lines are the λ chosen on "
        f"{settings.tuning_draws} other draws. Beyond its best λ the linear form throws the curve away from "
        "the wanted points too; the likelihood form is bounded and hardly does."
    )
    return _lines(lines, settings.lambdas, "λ = −μ", output / "sweep.png", caption, study.best)


def _lines(
    lines: Mapping[str, Sequence[Mapping[str, Summary]]],
    x: Sequence[float],
    label: str,
    path: Path,
    caption: str,
    marked: Mapping[str, float] | None = None,
) -> Picture:
    """Draw every shown metric over ``x``: name → metric → numbers at each x; a vertical line where one is marked."""
    figure = new_figure(11, 4)
    for axes, (metric, title) in zip(figure.subplots(1, 3), TITLES.items(), strict=True):
        for k, (name, rows) in enumerate(lines.items()):
            places = [(where, row[metric]) for where, row in zip(x, rows, strict=True) if metric in row]
            axes.errorbar(
                [where for where, _ in places],
                [found.mean for _, found in places],
                np.abs([np.subtract(found.ci95 or (found.mean,) * 2, found.mean) for _, found in places]).T,
                color=COLOURS[k],
                ls=LINES[k % len(LINES)],
                marker=MARKERS[k],
                ms=4,
                capsize=2,
                label=name,
            )
            if marked:
                axes.axvline(marked[name], color=COLOURS[k], lw=0.8, ls=":")
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, LOWEST if metric != "fair_r2" else -0.03), min(high, 1.05))
        axes.set(xlabel=label, title=title)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=6, frameon=False)
    return save(figure, path, caption)
