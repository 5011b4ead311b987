"""The pictures of a benchmark: forgetting and privacy against keeping, and the score."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes

from unlearn_gym.evaluation.benchmark.experiment import BenchmarkExperiment
from unlearn_gym.evaluation.benchmark.published import baseline, published
from unlearn_gym.evaluation.report.drawing import REFERENCE, STYLE, Look, Picture, looks, new_figure, save
from unlearn_gym.evaluation.report.figures.scores import REFERENCE_LINES, REFERENCE_MARKERS
from unlearn_gym.evaluation.results import Results
from unlearn_gym.metrics.glossary import GLOSSARY

PUBLISHED_MARKER = "d"


def benchmark_figure(experiment: BenchmarkExperiment, results: Results, output: Path) -> Picture:
    """Draw ``benchmark.png``: two scatters and the bars of ``unlearn_score``."""
    with matplotlib.rc_context({**STYLE, "savefig.dpi": 120}):
        look = looks(experiment)
        figure = new_figure(13.5, 2.6 + 0.28 * (len(look) + 2))
        forgetting, privacy, score = figure.subplots(1, 3)
        _scatter(forgetting, experiment, results, "forget_acc")
        _scatter(privacy, experiment, results, "forget_mia_auc")
        privacy.axvline(0.5, color=REFERENCE, linewidth=1, linestyle="-")
        _bars(score, experiment, results, look)
        handles, labels = forgetting.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", frameon=False)
        seeds = len(experiment.seeds)
        diamonds = "; hollow diamonds are published rows" if published(experiment.benchmark) else ""
        caption = (
            f"{experiment.benchmark}: means over {seeds} seed{'s' if seeds > 1 else ''}, lines are 95 % "
            "intervals; in grey the model before unlearning (cross, dotted) and the one retrained without "
            f"the class (star, dashed){diamonds}. Left: up and to the left is better. Middle: an AUC of 0.5 "
            "gives nothing away, one below it as much as one above it. Right: the benchmark's score, which "
            "does not see that."
        )
        return save(figure, output / "benchmark.png", caption)


def _scatter(panel: Axes, experiment: BenchmarkExperiment, results: Results, metric: str) -> None:
    for name, drawn in looks(experiment).items():
        summary = results.row(name)
        if metric not in summary or "retain_acc" not in summary:
            continue
        x, y = summary[metric], summary["retain_acc"]
        panel.plot(x.mean, y.mean, drawn.marker, color=drawn.colour, label=name, mec="white", markersize=8)
        for interval, straight in ((x.ci95, True), (y.ci95, False)):
            if interval is not None:
                across = (interval, (y.mean, y.mean)) if straight else ((x.mean, x.mean), interval)
                panel.plot(*across, color=drawn.colour, alpha=0.5, linewidth=1)
        known = baseline(experiment.benchmark, name)
        if known is not None:
            place = known.values[metric], known.values["retain_acc"]
            panel.plot(*place, PUBLISHED_MARKER, color=drawn.colour, mfc="none", markersize=8)
    for name, marker in REFERENCE_MARKERS.items():
        summary = results.row(name)
        if metric in summary:
            place = summary[metric].mean, summary["retain_acc"].mean
            panel.plot(*place, marker, color=REFERENCE, markersize=11, mew=2, linestyle="", label=name)
    panel.set(xlabel=f"{metric} {GLOSSARY[metric].arrow}", ylabel="retain_acc ↑")
    panel.margins(0.08)


def _bars(panel: Axes, experiment: BenchmarkExperiment, results: Results, look: dict[str, Look]) -> None:
    for k, (name, drawn) in enumerate(look.items()):
        score = results.row(name).get("unlearn_score")
        if score is None:
            continue
        panel.barh(k, score.mean, color=drawn.colour, alpha=0.75, height=0.7)
        if score.ci95 is not None:
            panel.plot(score.ci95, (k, k), color="black", linewidth=1.5)
        known = baseline(experiment.benchmark, name)
        if known is not None:
            panel.plot(known.values["unlearn_score"], k, PUBLISHED_MARKER, color="black", mfc="none")
    for name, line in REFERENCE_LINES.items():
        score = results.row(name).get("unlearn_score")
        if score is not None:
            panel.axvline(score.mean, color=REFERENCE, linestyle=line, linewidth=1.2)
    panel.set_yticks(range(len(look)), list(look))
    panel.set_ylim(len(look) - 0.5, -0.5)
    panel.set_xlim(0, 1)
    panel.set_title("unlearn_score ↑")
