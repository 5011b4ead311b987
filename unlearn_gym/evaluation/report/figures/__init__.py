"""The pictures of a report; each is drawn from the records and comes with a caption that says what to see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib

from unlearn_gym.evaluation.report.drawing import STYLE, Picture
from unlearn_gym.evaluation.report.figures.classes import classes_figure
from unlearn_gym.evaluation.report.figures.runs import lambda_figure, learning_figure
from unlearn_gym.evaluation.report.figures.samples import examples_figure, samples_figure
from unlearn_gym.evaluation.report.figures.scores import metrics_figure, trade_off_figure
from unlearn_gym.evaluation.results import Results

FIGURES: tuple[Callable[[Results, Path], Picture | None], ...] = (
    examples_figure,
    samples_figure,
    metrics_figure,
    classes_figure,
    trade_off_figure,
    learning_figure,
)
"""Drawn in this order, before what λ did group by group; one that has no material returns None."""


def draw_all(results: Results, output: Path) -> list[Picture]:
    """Draw every picture that the records have material for."""
    with matplotlib.rc_context(STYLE):
        drawn = [draw(results, output) for draw in FIGURES]
        drawn += [lambda_figure(results, output, group) for group in results.experiment.groups()]
    return [picture for picture in drawn if picture is not None]
