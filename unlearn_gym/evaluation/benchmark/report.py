"""``report.md`` of a benchmark: the table beside the published one, and what it says in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unlearn_gym.evaluation.benchmark import published
from unlearn_gym.evaluation.benchmark.data import data_sentence, scale_sentence
from unlearn_gym.evaluation.benchmark.experiment import BenchmarkExperiment, Rule
from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED
from unlearn_gym.evaluation.report.drawing import Picture
from unlearn_gym.evaluation.report.markdown import (
    bullets,
    certified,
    classes,
    differences,
    ending,
    save_sections,
    shown,
)
from unlearn_gym.evaluation.report.markup import Markup, code, escape
from unlearn_gym.evaluation.report.sentences import conclusion, interval, number
from unlearn_gym.evaluation.report.tables import STAR, Grid, main_grid
from unlearn_gym.evaluation.results import Results
from unlearn_gym.metrics.glossary import GLOSSARY

HIDDEN = ("return",)
"""Metrics that only λ agents have."""


def save_report(
    experiment: BenchmarkExperiment,
    results: Results,
    pictures: Sequence[Picture],
    command: str,
    output: Path,
) -> Path:
    """Write ``report.md`` into ``output`` and return its path."""
    metrics = [metric for metric in results.metrics if metric not in HIDDEN]
    key = [metric for metric in results.key_metrics if metric not in HIDDEN]
    sections = [
        f"# Class unlearning: {experiment.benchmark}{scale_sentence(experiment, ' — scaled down: ')}",
        code(command),
        _setting(experiment),
        *classes(results),
        "## What was found",
        bullets(sentences(experiment, results)),
        "## Results",
        published_grid(experiment, results, metrics).markdown(),
        "Mean and 95 % interval over the seeds of unlearning; the original model is "
        f"one and the same. {STAR} marks the best constant λ, column by column, chosen on these very seeds. "
        "Rows marked *published* are from the table of MLS-Bench's `security-machine-unlearning`, on the "
        "whole published data.",
        *(f"*{escape(note)}*" for note in results.notes),
        *_against_static(experiment, results, key),
        *shown(pictures, output),
        *certified(results),
        *ending(metrics),
    ]
    return save_sections(sections, output)


def _setting(experiment: BenchmarkExperiment) -> str:
    protocol, task = experiment.protocol, experiment.task()
    keywords = ", ".join(code(f"{name}={value}") for name, value in experiment.env_kwargs.items())
    return (
        f"{data_sentence(experiment)} Original and retrained model: {task.recipe.network}, "
        f"{task.recipe.epochs} epochs of SGD. Unlearning: {protocol.epochs} epochs of "
        f"{protocol.steps_per_epoch(task.data)} steps, an epoch being one pass over the retain set while the "
        f"forget set is cycled; each step has {protocol.batch_size} retain and {protocol.batch_size} forget "
        f"images, augmented as in training, and one Adam(lr={protocol.learning_rate:g}) over all parameters. "
        f"Seeds: {', '.join(map(str, experiment.seeds))}. λ agents make the same number of updates on "
        f"`{experiment.env_id}` with {keywords}."
    )


def sentences(experiment: BenchmarkExperiment, results: Results) -> list[str]:
    """Say which rows are best by the score and by closeness to the retrained model."""
    found = []
    for metric in ("unlearn_score", "mia_gap", "kl_forget"):
        names = _ranked(experiment, results, metric)
        if names:
            best = results.row(names[0])[metric]
            references = [
                f"{name} has {number(results.row(name)[metric].mean)}"
                for name in (BEFORE, RETRAINED)
                if metric in results.row(name)
            ]
            found.append(
                f"Best by {metric} {GLOSSARY[metric].arrow}: {names[0]} with {number(best.mean)} "
                f"({interval(best.ci95)}){_runners_up(results, names, metric)}; {', '.join(references)}."
            )
    found += filter(None, [to_beat(experiment)])
    failed = [c.name for c in experiment.entries if "unlearn_score" not in results.row(c.name)]
    found += [f"{name} left a model whose predictions are not numbers on some seed." for name in failed]
    return [*found, *conclusion(results)]


def to_beat(experiment: BenchmarkExperiment) -> str:
    """Say what the best published score is; empty where none was published."""
    top = published.best(experiment.benchmark)
    if top is None:
        return ""
    score = number(top.values["unlearn_score"])
    return f"The best published score of this task is {score} ({top.rule}, {top.kind})."


def _ranked(experiment: BenchmarkExperiment, results: Results, metric: str) -> list[str]:
    sign = -1.0 if GLOSSARY[metric].better == "higher" else 1.0
    means = {
        entry.name: sign * summary[metric].mean
        for entry in experiment.entries
        if metric in (summary := results.row(entry.name))
    }
    return sorted(means, key=lambda name: means[name])


def _runners_up(results: Results, names: Sequence[str], metric: str) -> str:
    others = [f"{name} {number(results.row(name)[metric].mean)}" for name in names[1:3]]
    return f", then {' and '.join(others)}" if others else ""


def published_grid(experiment: BenchmarkExperiment, results: Results, metrics: Sequence[str]) -> Grid:
    """The main table, with the published row under each rule that has one, and the best one last."""
    grid = main_grid(results, metrics)
    rows = []
    for row in grid.rows:
        rows.append(row)
        known = published.baseline(experiment.benchmark, row[0])
        if known is not None and isinstance(experiment.entry(row[0]), Rule):
            rows.append(_published_cells(Markup(f"{escape(row[0])}, *published*"), known, metrics))
    top = published.best(experiment.benchmark)
    if top is not None:
        rows.append(
            _published_cells(
                Markup(f"best *published*: {escape(top.rule)} ({escape(top.kind)})"), top, metrics
            )
        )
    return Grid(("rule or agent", *grid.columns[1:]), tuple(rows))


def _published_cells(name: str, row: published.PublishedRow, metrics: Sequence[str]) -> tuple[str, ...]:
    return (name, *(f"{row.values[metric]:.3f}" if metric in row.values else "–" for metric in metrics))


def _against_static(experiment: BenchmarkExperiment, results: Results, key: Sequence[str]) -> list[str]:
    return differences(results, key) if len(experiment.seeds) > 1 else []
