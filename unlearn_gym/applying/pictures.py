"""The pictures of a report: samples before and after, and the losses on the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unlearn_gym.applying.cases.base import Case, Measured
from unlearn_gym.evaluation.report.drawing import COLOURS, Picture, new_figure, save
from unlearn_gym.evaluation.report.figures.samples import strip

if TYPE_CHECKING:
    from unlearn_gym.applying.report import Told

WIDEST = 16
"""Samples of a row."""
ROW, WIDE = 0.48, 7.5
"""Inches of a row, and of the picture."""


def rows_of(before: Measured, after: Measured) -> Iterator[tuple[str, np.ndarray]]:
    """Yield rows of samples with their titles, each before and then after from the same noise."""
    for title, first in before.strips.items():
        for start in range(0, len(first), WIDEST):
            part = slice(start, start + WIDEST)
            yield f"{title}, before", first[part]
            yield f"{title}, after", after.strips[title][part]


def samples(before: Measured, after: Measured, case: Case, folder: Path) -> Picture | None:
    """Draw ``before-after.png``; None where the model makes no images."""
    rows = list(rows_of(before, after))
    if not rows:
        return None
    figure = new_figure(WIDE, 0.6 + ROW * len(rows))
    for panel, (title, images) in zip(figure.subplots(len(rows), 1, squeeze=False)[:, 0], rows, strict=True):
        panel.imshow(strip(images), interpolation="nearest", cmap="gray", vmin=0, vmax=255)
        panel.set(xticks=[], yticks=[])
        panel.set_anchor("W")
        panel.spines[:].set_visible(False)
        panel.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=8)
    caption = "Samples of the model before and after, in each pair of rows from the same noise."
    return save(figure, folder / "before-after.png", caption)


def curves(told: Told, folder: Path) -> Picture:
    """Draw ``losses.png``: the losses of fixed examples, and λ, over the updates."""
    looks, updates = told.watch.looks, told.trail.infos
    figure = new_figure(WIDE, 3.4)
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    steps = [look.step for look in looks]
    top.plot(steps, [look.forget_loss for look in looks], color=COLOURS[1], label="images to forget")
    top.plot(steps, [look.retain_loss for look in looks], color=COLOURS[0], label="held-out images to keep")
    top.set_ylabel(told.case.name)
    top.set_ylim(bottom=0)
    top.legend(frameon=False)
    below.step(
        range(1, len(updates) + 1), [info["lambda"] for info in updates], color=COLOURS[2], where="mid"
    )
    below.set_ylim(0, max(1.0, *(info["lambda"] for info in updates)))
    below.set_ylabel("λ")
    below.set_xlabel("updates")
    for panel in (top, below):
        panel.spines[["top", "right"]].set_visible(False)
    caption = "Losses on the same examples and noise throughout, and λ as the policy chose it."
    return save(figure, folder / "losses.png", caption)
