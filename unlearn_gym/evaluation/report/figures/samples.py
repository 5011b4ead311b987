"""Images: what the model was trained on, and samples of every model on the same noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED
from unlearn_gym.evaluation.records import Record
from unlearn_gym.evaluation.report.drawing import Picture, new_figure, save
from unlearn_gym.evaluation.report.names import row_names
from unlearn_gym.evaluation.report.sentences import number
from unlearn_gym.evaluation.results import Results

GAP = 1
"""White pixels between two samples."""
TILE, LABELS = 0.38, 2.0
"""Inches of a sample, and of the names on the left."""


def examples_figure(results: Results, output: Path) -> Picture | None:
    """Draw ``data.png``: what the model was trained on; None where the evaluator has no examples."""
    if not results.examples:
        return None
    longest = max(map(len, results.examples.values()))
    figure = new_figure(LABELS + TILE * longest, 0.8 + (TILE + 0.1) * len(results.examples))
    panels = figure.subplots(len(results.examples), 1, squeeze=False)[:, 0]
    for panel, (title, images) in zip(panels, results.examples.items(), strict=True):
        _show(panel, images)
        panel.set_ylabel(title, rotation=0, ha="right", va="center")
    caption = (
        f"The training data ({results.experiment.env_id}): images to forget, and images to keep. Where both stand "
        "under one label, the model was taught to draw both when it is asked for that label."
    )
    return save(figure, output / "data.png", caption)


def samples_figure(results: Results, output: Path) -> Picture | None:
    """Draw ``samples.png`` at the seed where the agents differ most; None where the evaluator made no pictures."""
    experiment = results.experiment
    place = telling_place(results)
    rows = [records[place] for name in results.names if (records := results.of(name))[place].pictures]
    if not rows:
        return None
    titles = list(rows[0].pictures)
    counts = [len(rows[0].pictures[title]) for title in titles]
    figure = new_figure(LABELS + TILE * sum(counts), 0.8 + (TILE + 0.1) * len(rows))
    grid = figure.subplots(len(rows), len(titles), squeeze=False, width_ratios=counts)
    for axes, record in zip(grid, rows, strict=True):
        for panel, title in zip(axes, titles, strict=True):
            _show(panel, record.pictures[title])
        axes[0].set_ylabel(_label(record, results), rotation=0, ha="right", va="center")
    for panel, title in zip(grid[0], titles, strict=True):
        panel.set_title(f"samples of the {title}")
    caption = (
        f"Samples after unlearning ({experiment.env_id}, seed {rows[0].seed}, the one of "
        f"{len(experiment.seeds)} on which the agents differ most in {results.trade_off[0]}); every column starts "
        f"from the same noise in every row. “{BEFORE}” is the original model"
        + (f", “{RETRAINED}” one trained without the forget set" if rows[-1].name == RETRAINED else "")
        + ". Look for what was to be forgotten on the left, and for damage on the right."
    )
    return save(figure, output / "samples.png", caption)


def telling_place(results: Results) -> int:
    """Return the place among the seeds where the agents differ most on the forget side, the first of equals."""
    metric = results.trade_off[0]
    spread = [
        float(
            np.std(
                [
                    record.values.get(metric, 0.0)
                    for record in results.records
                    if record.run and record.seed == seed
                ]
            )
        )
        for seed in results.experiment.seeds
    ]
    return int(np.argmax(np.nan_to_num(spread)))


def _show(panel: Axes, images: np.ndarray) -> None:
    panel.imshow(strip(images), interpolation="nearest", cmap="gray", vmin=0, vmax=255)
    panel.set(xticks=[], yticks=[])
    panel.grid(False)
    panel.spines[:].set_visible(False)


def strip(images: np.ndarray) -> np.ndarray:
    """Set images side by side with a white gap.

    Args:
        images: uint8, shape (n, height, width, channels); one channel is grey.

    Returns:
        uint8, shape (height, n·(width + gap) − gap), with a last axis of 3 for colour.
    """
    gap = np.full((images.shape[1], GAP, images.shape[3]), 255, np.uint8)
    parts = [part for image in images for part in (image, gap)][:-1]
    joined = np.concatenate(parts, axis=1)
    return joined[..., 0] if joined.shape[2] == 1 else joined[..., :3]


def _label(record: Record, results: Results) -> str:
    metric = results.trade_off[0]
    value, name = record.values.get(metric), row_names(results.experiment).get(record.name, record.name)
    return name if value is None else f"{name}\n{metric} {number(value)}"
