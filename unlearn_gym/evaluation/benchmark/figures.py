"""The picture of a benchmark: forgetting, keeping, privacy and the score, beside what was published."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes

from unlearn_gym.evaluation.benchmark.experiment import BenchmarkExperiment
from unlearn_gym.evaluation.benchmark.published import baseline, published
from unlearn_gym.evaluation.report.drawing import REFERENCE, Picture, looks, new_figure, save
from unlearn_gym.evaluation.report.figures.scores import dots
from unlearn_gym.evaluation.results import Results

PUBLISHED_MARKER = "d"
SHOWN = ("forget_acc", "retain_acc", "forget_mia_auc", "unlearn_score")


def benchmark_figure(experiment: BenchmarkExperiment, results: Results, output: Path) -> Picture:
    """Draw ``benchmark.png``: four metrics, a line a rule or agent."""
    look = looks(experiment)
    figure = new_figure(13.5, 2.2 + 0.28 * len(look))
    panels = figure.subplots(1, len(SHOWN), sharey=True)
    for panel, metric in zip(panels, SHOWN, strict=True):
        dots(panel, results, metric, look)
        _published(panel, experiment, metric)
    panels[SHOWN.index("forget_mia_auc")].axvline(0.5, color=REFERENCE, linewidth=1)
    seeds = len(experiment.seeds)
    diamonds = "; hollow diamonds are published rows" if published(experiment.benchmark) else ""
    caption = (
        f"{experiment.benchmark}: means over {seeds} seed{'s' if seeds > 1 else ''} with 95 % intervals, single "
        "seeds as small dots; the dotted line is the model before unlearning, the dashed one that retrained "
        f"without the class{diamonds}. A membership AUC of 0.5 (solid line) gives nothing away, one below it as "
        "much as one above it; the benchmark's score does not see that."
    )
    return save(figure, output / "benchmark.png", caption)


def _published(panel: Axes, experiment: BenchmarkExperiment, metric: str) -> None:
    for k, entry in enumerate(experiment.entries):
        known = baseline(experiment.benchmark, entry.name)
        if known is not None:
            panel.plot(known.values[metric], k, PUBLISHED_MARKER, color="black", mfc="none", markersize=8)
