"""The tables of a report, for Markdown and for the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from unlearn_gym.evaluation.certificates import Certificate
from unlearn_gym.evaluation.report.markup import Markup, code, escape
from unlearn_gym.evaluation.report.sentences import mean_and_deviation, mean_and_half, number
from unlearn_gym.evaluation.results import Pair, Results
from unlearn_gym.evaluation.statistics import (
    FEWEST_TO_RESAMPLE,
    Summary,
    interquartile_mean,
    stratified_bootstrap,
)
from unlearn_gym.metrics.glossary import GLOSSARY

STAR, MISSING = "★", "–"
NAME_WIDTH = 16
"""Columns that names of rows keep at least on a narrow terminal."""


@dataclass(frozen=True)
class Grid:
    """A table: a heading, and rows of as many texts as there are columns; ``Markup`` among them is Markdown."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return the table in GitHub's Markdown."""
        lines = [self.columns, tuple("---" for _ in self.columns), *self.rows]
        return "\n".join("| " + " | ".join(_in_markdown(cell) for cell in line) + " |" for line in lines)

    def rich(self, title: str) -> Table:
        """Return the table for a terminal: intervals on lines of their own; names wrap, numbers are never cut."""
        drawn = Table(title=Text(title), title_justify="left")
        lines = [[cell.replace(" ± ", "\n± ").replace(" (", "\n(") for cell in row] for row in self.rows]
        for k, column in enumerate(self.columns):
            header = Text(column.replace("_", "_\n"))
            if k:
                longest = max((len(line) for row in lines for line in row[k].split("\n")), default=0)
                drawn.add_column(header, justify="right", no_wrap=True, min_width=longest)
            else:
                drawn.add_column(header, min_width=NAME_WIDTH, overflow="fold")
        for row in lines:
            drawn.add_row(*map(Text, row))
        return drawn


def main_grid(results: Results, metrics: Sequence[str]) -> Grid:
    """One row per agent between "before" and "retrained": mean and 95 % interval.

    A star marks, column by column, the best static agent (of each group).
    """
    best = {
        metric: {results.best_static(metric, group) for group in results.experiment.groups()}
        for metric in metrics
    }
    return _grid(
        results,
        results.names,
        metrics,
        lambda name, metric: mean_and_half(results.row(name)[metric], STAR if name in best[metric] else ""),
    )


def deviation_grid(results: Results, metrics: Sequence[str]) -> Grid:
    """One row per agent between "before" and "retrained": mean ± standard deviation over seeds."""
    return _grid(
        results, results.names, metrics, lambda name, metric: mean_and_deviation(results.row(name)[metric])
    )


def pair_grid(compared: Sequence[Pair], metrics: Sequence[str], *, name_other: bool) -> Grid:
    """Paired differences, a row an agent and a column a metric, with what they say.

    Args:
        compared: the differences.
        metrics: the columns, in order.
        name_other: whether a cell says which agent it is compared with.
    """
    cells = {(pair.a, pair.metric): _difference(pair, name_other) for pair in compared}
    agents = list(dict.fromkeys(pair.a for pair in compared if pair.metric in metrics))
    shown = [metric for metric in metrics if any((agent, metric) in cells for agent in agents)]
    rows = tuple((agent, *(cells.get((agent, metric), MISSING) for metric in shown)) for agent in agents)
    return Grid(("agent", *_headings(shown)), rows)


def robust_grid(results: Results, metrics: Sequence[str]) -> Grid:
    """Interquartile means over seeds with bootstrap intervals (Agarwal et al. 2021); of few seeds, the values."""
    agents = [entry.name for entry in results.experiment.entries]
    return _grid(results, agents, metrics, lambda name, metric: _robust(results.row(name)[metric]))


def _grid(
    results: Results, names: Sequence[str], metrics: Sequence[str], cell: Callable[[str, str], str]
) -> Grid:
    """Return a row a name and a column a metric; ``cell`` is asked where there is something to show."""
    rows = tuple(
        (name, *(cell(name, metric) if metric in results.row(name) else MISSING for metric in metrics))
        for name in names
    )
    return Grid(("agent", *_headings(metrics)), rows)


def _headings(metrics: Sequence[str]) -> list[str]:
    return [f"{metric} {GLOSSARY[metric].arrow}" for metric in metrics]


def class_grid(results: Results, metric: str) -> Grid:
    """One metric class by class: a row an agent, a column a class, means over seeds."""
    found = results.by_class[metric]
    labels = tuple(next(iter(found.values())))
    rows = tuple((name, *(number(row[label].mean) for label in labels)) for name, row in found.items())
    return Grid(("agent", *labels), rows)


def certificate_grid(certificates: Sequence[Certificate]) -> Grid:
    """What is certified, a row an agent."""
    metrics = tuple(certificates[0].bounds)
    bounds = (
        f"{metric}: {'at least' if GLOSSARY[metric].better == 'higher' else 'at most'}" for metric in metrics
    )
    columns = (
        "agent",
        "certified",
        "p-value",
        *bounds,
        "samples a model",
        "seeds that miss",
        "a fresh seed misses",
    )
    rows = tuple(
        (
            one.name,
            "yes" if one.certified else "no",
            number(one.p_value),
            *(number(one.bounds[metric]) for metric in metrics),
            ", ".join(str(one.samples[metric]) for metric in metrics),
            f"{one.missed} of {one.seeds}",
            f"at most {number(one.seed_bound)}",
        )
        for one in certificates
    )
    return Grid(columns, rows)


def glossary_grid(metrics: Sequence[str]) -> Grid:
    """What every metric means."""
    rows = tuple(
        (
            code(name),
            f"{GLOSSARY[name].arrow} {GLOSSARY[name].better}",
            GLOSSARY[name].unit,
            Markup(GLOSSARY[name].definition),
        )
        for name in metrics
    )
    return Grid(("metric", "better", "unit or range", "what was measured"), rows)


def _in_markdown(cell: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\\|", cell) if isinstance(cell, Markup) else escape(cell)


def _difference(pair: Pair, name_other: bool) -> str:
    sign = "+" if pair.summary.mean > 0 else ""
    outcome = {"better": "better", "worse": "worse", "no difference": "≈"}[pair.outcome]
    words = [sign + mean_and_half(pair.summary), outcome if pair.summary.ci95 else "open"]
    return " ".join([*words, f"({pair.b})"] if name_other else words)


def _robust(summary: Summary) -> str:
    if len(summary.values) < FEWEST_TO_RESAMPLE:
        return ", ".join(map(number, summary.values))
    low, high = stratified_bootstrap([summary.values])
    return f"{number(float(interquartile_mean(summary.values)))} ({number(low)} to {number(high)})"
