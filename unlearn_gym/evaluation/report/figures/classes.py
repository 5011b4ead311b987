"""What was measured class by class."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED
from unlearn_gym.evaluation.report.drawing import COLOURS, Picture, new_figure, save
from unlearn_gym.evaluation.report.names import row_names
from unlearn_gym.evaluation.results import Results

LOG_FROM = 20.0
"""Ratio of the highest bar to the usual one from which an axis is logarithmic above the usual one."""
LEARNED = 2
"""Learned agents of a group that are drawn."""
REFERENCES = {BEFORE: ("", "#BBBBBB"), RETRAINED: ("", "#333333")}
"""Hatch and colour; in greys, so that the rows leave out the last colour, black."""


def classes_figure(results: Results, output: Path) -> Picture | None:
    """Draw ``classes.png``: every metric that was measured class by class; None where none was."""
    experiment = results.experiment
    if not results.by_class:
        return None
    looks, names = itertools.cycle(itertools.product(("", "///"), COLOURS[:-1])), row_names(experiment)
    measured = {name for rows in results.by_class.values() for name in rows}
    chosen = {**REFERENCES, **{name: next(looks) for name in _chosen(results)}}
    look = {name: style for name, style in chosen.items() if name in measured}
    figure = new_figure(12.5, 0.8 + 2.0 * len(results.by_class))
    panels = figure.subplots(len(results.by_class), 1, squeeze=False, sharex=True)[:, 0]
    for panel, (metric, rows) in zip(panels, results.by_class.items(), strict=True):
        for place, (name, (hatch, colour)) in zip(
            np.linspace(-0.36, 0.36, len(look)), look.items(), strict=True
        ):
            found = list(rows.get(name, {}).values())
            where, means = np.arange(len(found)) + place, [one.mean for one in found]
            ends = [one.ci95 or (one.mean, one.mean) for one in found]
            half = np.abs(np.array(ends).reshape(-1, 2).T - means)
            label = names.get(name, name)
            panel.bar(where, means, 0.68 / len(look), color=colour, alpha=0.55, hatch=hatch, label=label)
            panel.errorbar(where, means, half, fmt="none", ecolor=colour, elinewidth=1.2)
        labels = list(next(iter(rows.values())))
        _scale(panel)
        panel.set(ylabel=metric, xticks=range(len(labels)), xticklabels=labels)
        panel.tick_params(labelbottom=True)
    panels[0].legend(
        fontsize=8, frameon=False, ncols=len(look), loc="lower center", bbox_to_anchor=(0.5, 1.0)
    )
    beside = "the original (first bar)"
    if RETRAINED in look:
        beside += " and the retrained one (second bar)"
    caption = (
        f"Class by class ({experiment.env_id}): mean over {len(experiment.seeds)} seeds with 95 % intervals; a class "
        f"is the label asked for. Look for classes on which the unlearned models leave {beside}: that is where the "
        "damage is."
    )
    return save(figure, output / "classes.png", caption)


def _scale(panel: Axes) -> None:
    """Start at 0 where no bar is below it, and show small bars beside huge ones."""
    heights = np.array([bar.get_height() for bar in panel.patches])  # type: ignore[attr-defined]
    usual = float(np.median(np.abs(heights)))
    if heights.max() > LOG_FROM * usual > 0:
        panel.set_yscale("symlog", linthresh=usual)
        panel.yaxis.set_major_formatter(
            "{x:g}"
        )  # the usual one writes mathematics, which STYLE takes literally
    panel.set_ylim(bottom=min(0.0, float(heights.min())))


def _chosen(results: Results) -> list[str]:
    """Return the agents that are drawn: the baseline, and each group's best static one and first learned ones."""
    experiment = results.experiment
    metric = "balance" if "balance" in results.metrics else results.key_metrics[-1]
    names = [experiment.baseline]
    for group in experiment.groups():
        learned = [c.name for c in experiment.entries if c.kind == "learned" and c.group == group]
        names += [results.best_static(metric, group) or "", *learned[:LEARNED]]
    return list(dict.fromkeys(filter(None, names))) or [c.name for c in experiment.entries][: len(COLOURS)]
