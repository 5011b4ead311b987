"""The scores: metric by metric, and forgetting against keeping."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse

from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED
from unlearn_gym.evaluation.report.drawing import REFERENCE, Look, Picture, looks, new_figure, save
from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.statistics import confidence_ellipse
from unlearn_gym.metrics.glossary import GLOSSARY

MOST = 6
REFERENCE_LINES = {BEFORE: ":", RETRAINED: "--"}
REFERENCE_MARKERS = {BEFORE: "x", RETRAINED: "*"}


def metrics_figure(results: Results, output: Path) -> Picture:
    """Draw ``metrics.png``: every key metric (or the first six metrics), a line an agent."""
    experiment = results.experiment
    look, metrics = looks(experiment), results.key_metrics or results.metrics[:MOST]
    columns = min(3, len(metrics))
    rows = -(-len(metrics) // columns)
    figure = new_figure(1.2 + 3.8 * columns, rows * (0.9 + 0.26 * len(look)) + 0.5)
    panels = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    for panel, metric in zip(panels, metrics, strict=False):
        _dots(panel, results, metric, look)
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


def _dots(panel: Axes, results: Results, metric: str, look: dict[str, Look]) -> None:
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
    panel.set_yticks(range(len(look)), list(look))
    panel.set_ylim(len(look) - 0.5, -0.5)
    panel.set_title(f"{metric} {GLOSSARY[metric].arrow}")


def trade_off_figure(results: Results, output: Path) -> Picture:
    """Draw ``trade_off.png``: forgetting against keeping, with confidence ellipses of the means."""
    experiment = results.experiment
    groups = experiment.groups()
    figure = new_figure(2.6 + 5.0 * len(groups), max(5.2, 1.2 + 0.2 * len(experiment.entries)))
    panels = figure.subplots(1, len(groups), squeeze=False, sharex=True, sharey=True)[0]
    for panel, group in zip(panels, groups, strict=True):
        members = [entry.name for entry in experiment.entries if entry.group == group]
        _scatter(panel, results, {name: looks(experiment)[name] for name in members})
        panel.set_title(group)
        panel.set_xlabel(_axis(results.trade_off[0], "→", "←"))
        panel.margins(0.2 if len(groups) == 1 else 0.08)
    panels[0].set_ylabel(_axis(results.trade_off[1], "↑", "↓"))
    drawn = {
        label: line
        for panel in panels
        for line, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(list(drawn.values()), list(drawn), loc="outside right upper", frameon=False)
    region = (
        "the ellipse is the 95 % confidence region of the mean (Hotelling's T²), cut off at the frame"
        if len(experiment.seeds) > 3
        else "ellipses need at least 4 seeds"
    )
    caption = (
        f"Forgetting against keeping ({experiment.env_id}): small dots are seeds, large markers their means; "
        f"{region}."
        + (" Near the retrained model is where unlearning wants to be." if results.of(RETRAINED) else "")
    )
    return save(figure, output / "trade_off.png", caption)


def _scatter(panel: Axes, results: Results, look: dict[str, Look]) -> None:
    """Draw the agents' seeds, means and ellipses, and the references."""
    for name, drawn in look.items():
        points = _points(results, name)
        if not len(points):
            continue
        panel.scatter(points[:, 0], points[:, 1], s=16, color=drawn.colour, alpha=0.6, linewidths=0)
        panel.plot(*points.mean(0), drawn.marker, color=drawn.colour, markersize=8, label=name, mec="white")
        ellipse = ellipse_patch(points)
        if ellipse is not None:
            ellipse.set(edgecolor=drawn.colour, linestyle=drawn.line, fill=False)
            panel.add_artist(ellipse)
    for name, marker in REFERENCE_MARKERS.items():
        points = _points(results, name)
        if len(points):
            mean = points.mean(0)
            panel.plot(*mean, marker, color=REFERENCE, markersize=11, label=name, mew=2, linestyle="")


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


def _axis(metric: str, up: str, down: str) -> str:
    return f"{metric} (better {up if GLOSSARY[metric].better == 'higher' else down})"
