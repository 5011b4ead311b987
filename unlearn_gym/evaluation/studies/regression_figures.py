"""The pictures of the regression study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes

from unlearn_gym.evaluation.report.drawing import COLOURS, LINES, MARKERS, STYLE, Picture, new_figure, save
from unlearn_gym.evaluation.statistics import summarize
from unlearn_gym.evaluation.studies.regression_records import (
    REAL,
    SCORES,
    Problem,
    Study,
    by_correlation,
    by_share,
)
from unlearn_gym.models.curve_picture import draw_fits

NAMES = {"r2_wanted": "R² wanted ↑", "r2_unwanted": "R² unwanted ↓", "fair_r2": "Fair R² ↑"}
LOWEST = -3.0
"""R² axes end here; curves that miss the points by far have no lower bound."""


def draw_study(study: Study, output: Path) -> list[Picture]:
    """Draw all four pictures."""
    with matplotlib.rc_context(STYLE):
        return [
            _fits(study, output),
            _lifts(study, output),
            _sweep(study, output),
            _dependence(study, output),
        ]


def _fits(study: Study, output: Path) -> Picture:
    shares = by_share(study.settings)
    shown = [shares[0].name, shares[len(shares) // 2].name, shares[-1].name, REAL.name]
    figure = new_figure(9, 7.2)
    for axes, name in zip(figure.subplots(2, 2).flat, shown, strict=True):
        data, fits = study.fits[name]
        draw_fits(axes, data, fits)
        before, after = (study.rows_of(name, method)[0].scores.r2_wanted for method in list(fits)[:2])
        axes.set_title(f"{name}: R² wanted {before:.2f} → {after:.2f}", fontsize=10)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5, frameon=False)
    caption = (
        "Training points and curves of draw 0. The dashed curve was fitted to all points; EMSE moves it to "
        "the wanted ones, near the curve refitted without the unwanted points. R² is that of held-out wanted "
        "points; a few points may lie outside the picture."
    )
    return save(figure, output / "fits.png", caption)


def _lifts(study: Study, output: Path) -> Picture:
    x = [100 * share for share in study.settings.shares]
    return _scores_by(study, by_share(study.settings), x, "unwanted points, %", output / "shares.png", (
        f"Held-out scores by the share of unwanted points: mean of {study.settings.draws} draws with 95 % "
        f"intervals. R² axes end at {LOWEST:g}."
    ))  # fmt: skip


def _dependence(study: Study, output: Path) -> Picture:
    x = study.settings.correlations
    label = "correlation ρ of the two curves"
    return _scores_by(study, by_correlation(study.settings), x, label, output / "dependence.png", (
        "The more alike the two curves are, the less there is to gain, and the less an unwanted point can be "
        f"missed: mean of {study.settings.draws} draws with 95 % intervals, "
        f"{study.settings.middle_share:.0%} unwanted points."
    ))  # fmt: skip


def _scores_by(
    study: Study, problems: Sequence[Problem], x: Sequence[float], label: str, path: Path, caption: str
) -> Picture:
    figure = new_figure(11, 4)
    for axes, score in zip(figure.subplots(1, 3), SCORES, strict=True):
        for k, method in enumerate(study.methods()):
            found = [study.summary(problem.name, method, score) for problem in problems]
            errors = [s.mean - s.ci95[0] if s.ci95 else 0.0 for s in found]
            axes.errorbar(
                x,
                [s.mean for s in found],
                errors,
                color=COLOURS[k],
                ls=LINES[k % len(LINES)],
                marker=MARKERS[k],
                ms=4,
                capsize=2,
                label=method,
            )
        _finish(axes, score, label)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=6, frameon=False)
    return save(figure, path, caption)


def _sweep(study: Study, output: Path) -> Picture:
    settings = study.settings
    figure = new_figure(11, 4)
    for axes, score in zip(figure.subplots(1, 3), SCORES, strict=True):
        for k, objective in enumerate(settings.objectives):
            found = [
                summarize(
                    [
                        getattr(row.scores, score)
                        for row in study.sweep
                        if (row.method, row.lam) == (f"EMSE {objective}", lam)
                    ]
                )
                for lam in settings.lambdas
            ]
            errors = [s.mean - s.ci95[0] if s.ci95 else 0.0 for s in found]
            axes.errorbar(
                settings.lambdas,
                [s.mean for s in found],
                errors,
                color=COLOURS[k],
                marker=MARKERS[k],
                ms=4,
                capsize=2,
                label=objective,
            )
            axes.axvline(study.best[objective], color=COLOURS[k], lw=0.8, ls=":")
        _finish(axes, score, "λ = −μ")
    axes.legend()
    caption = (
        f"Constant λ at {settings.middle_share:.0%} unwanted points; the dotted lines are the λ chosen on "
        f"{settings.tuning_draws} other draws. Beyond its best λ the linear form throws the curve away from "
        "the wanted points too; the likelihood form is bounded and hardly does."
    )
    return save(figure, output / "sweep.png", caption)


def _finish(axes: Axes, score: str, label: str) -> None:
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, LOWEST if score != "fair_r2" else -0.03), min(high, 1.05))
    axes.set(xlabel=label, title=NAMES[score])
