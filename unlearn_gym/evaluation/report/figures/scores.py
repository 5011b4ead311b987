"""The scores: metric by metric, and forgetting against keeping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse

from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED
from unlearn_gym.evaluation.report.drawing import REFERENCE, Look, Picture, looks, new_figure, save
from unlearn_gym.evaluation.report.names import metric_name, row_names
from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.statistics import confidence_ellipse
from unlearn_gym.metrics.glossary import GLOSSARY

MOST = 6
COLUMNS, PANEL = 6, 2.1
"""Panels of the trade-off beside each other, and the inches of one."""
REFERENCE_LINES = {BEFORE: ":", RETRAINED: "--"}
REFERENCE_MARKERS = {BEFORE: "x", RETRAINED: "*"}


def metrics_figure(results: Results, output: Path) -> Picture:
    """Draw ``metrics.png``: every key metric (or the first six metrics), a line an agent."""
    experiment = results.experiment
    look, metrics = looks(experiment), results.key_metrics or results.metrics[:MOST]
    columns = min(3 if len(metrics) <= MOST else 4, len(metrics))
    rows = -(-len(metrics) // columns)
    figure = new_figure(1.2 + 3.8 * columns, rows * (0.9 + 0.26 * len(look)) + 0.5)
    panels = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    for panel, metric in zip(panels, metrics, strict=False):
        dots(panel, results, metric, look)
    for panel in panels[len(metrics) :]:
        panel.set_visible(False)
    caption = (
        f"Key metrics ({experiment.env_id}): mean and 95 % interval over {len(experiment.seeds)} "
        "seeds, single seeds as small dots. Where it was measured, the dotted line is the model before "
        "unlearning"
        + (" and the dashed one the retrained model." if results.of(RETRAINED) else ".")
        + " The arrow says which way is better."
    )
    return save(figure, output / "metrics.png", caption)


def dots(panel: Axes, results: Results, metric: str, look: dict[str, Look]) -> None:
    """Draw a metric, a line an agent: mean, 95 % interval, single seeds, and the references as vertical lines."""
    for k, (name, drawn) in enumerate(look.items()):
        summary = results.row(name).get(metric)
        if summary is None:
            continue
        low, high = summary.ci95 or (summary.mean, summary.mean)
        panel.plot(summary.values, [k] * len(summary.values), ".", color=drawn.colour, alpha=0.35)
        panel.plot([low, high], [k, k], color=drawn.colour, linewidth=2)
        panel.plot(summary.mean, k, drawn.marker, color=drawn.colour, markersize=6)
    for name, line in REFERENCE_LINES.items():
        summary = results.row(name).get(metric)
        if summary is not None:
            panel.axvline(summary.mean, linestyle=line, color=REFERENCE, linewidth=1.2)
    names = row_names(results.experiment)
    panel.set_yticks(range(len(look)), [names[name] for name in look])
    panel.set_ylim(len(look) - 0.5, -0.5)
    panel.set_title(f"{metric_name(results, metric)} {GLOSSARY[metric].arrow}")
    if metric_name(results, metric) != metric:
        panel.set_xlabel(metric, fontsize=8, color=REFERENCE)


def trade_off_figure(results: Results, output: Path) -> Picture:
    """Draw ``trade_off.png``: forgetting against keeping, a panel an agent, the others of its group in grey."""
    experiment = results.experiment
    names, entries = row_names(experiment), experiment.entries
    columns = min(COLUMNS, len(entries))
    rows = -(-len(entries) // columns)
    figure = new_figure(1.0 + PANEL * columns, 1.2 + PANEL * rows)
    panels = list(figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).flat)
    for k, (panel, entry) in enumerate(zip(panels, entries, strict=False)):
        _others(panel, results, [one.name for one in entries if one.group == entry.group])
        _own(panel, results, entry.name, looks(experiment)[entry.name])
        panel.set_title(names[entry.name], fontsize=9)
        if k % columns == 0:
            panel.set_ylabel(_axis(results, results.trade_off[1], "↑", "↓"), fontsize=8)
        if k + columns >= len(entries):
            panel.set_xlabel(_axis(results, results.trade_off[0], "→", "←"), fontsize=8)
            panel.tick_params(labelbottom=True)
    for panel in panels[len(entries) :]:
        panel.set_visible(False)
    panels[0].margins(0.1)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
    region = (
        "the ellipse is the 95 % confidence region of the mean (Hotelling's T²), cut off at the frame"
        if len(experiment.seeds) > 3
        else "ellipses need at least 4 seeds"
    )
    caption = (
        f"Forgetting ({results.trade_off[0]}) against keeping ({results.trade_off[1]}), {experiment.env_id}: in each "
        f"panel one agent, small dots are its seeds, the large marker their mean; {region}. Grey dots are the means of "
        "the other agents"
        + (" of the same group" if len(experiment.groups()) > 1 else "")
        + "."
        + (" Near the retrained model is where unlearning wants to be." if results.of(RETRAINED) else "")
    )
    return save(figure, output / "trade_off.png", caption)


def _others(panel: Axes, results: Results, names: list[str]) -> None:
    """Draw the means of several agents in grey, and the references."""
    for name in names:
        points = _points(results, name)
        if len(points):
            panel.plot(*points.mean(0), ".", color="#C8C8C8", markersize=6)
    for name, marker in REFERENCE_MARKERS.items():
        points = _points(results, name)
        if len(points):
            mean = points.mean(0)
            panel.plot(*mean, marker, color=REFERENCE, markersize=9, label=name, mew=1.5, linestyle="")


def _own(panel: Axes, results: Results, name: str, drawn: Look) -> None:
    """Draw an agent's seeds, their mean and its confidence region, which does not widen the axes."""
    points = _points(results, name)
    if not len(points):
        return
    panel.scatter(points[:, 0], points[:, 1], s=14, color=drawn.colour, alpha=0.6, linewidths=0)
    panel.plot(*points.mean(0), drawn.marker, color=drawn.colour, markersize=8, mec="white")
    ellipse = ellipse_patch(points)
    if ellipse is not None:
        ellipse.set(edgecolor=drawn.colour, fill=False)
        panel.add_artist(ellipse)


def ellipse_patch(points: np.ndarray) -> Ellipse | None:
    """Return the 95 % confidence region of the mean of points, shape (n, 2), or None with fewer than four."""
    found = confidence_ellipse(points)
    if found is None:
        return None
    lengths, directions = found
    angle = float(np.degrees(np.arctan2(directions[1, 1], directions[0, 1])))
    return Ellipse(tuple(points.mean(0)), 2 * lengths[1], 2 * lengths[0], angle=angle)


def _points(results: Results, name: str) -> np.ndarray:
    """Return the finite (forget metric, retain metric) of each seed, shape (n, 2)."""
    rows = [
        [record.values.get(metric, np.nan) for metric in results.trade_off] for record in results.of(name)
    ]
    points = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return points[np.isfinite(points).all(axis=1)]


def _axis(results: Results, metric: str, up: str, down: str) -> str:
    return f"{metric_name(results, metric)} {up if GLOSSARY[metric].better == 'higher' else down}"
