"""The tables of a report, for Markdown and for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from unlearn_gym.evaluation.campaign import BEFORE, RETRAINED, Campaign, Findings
from unlearn_gym.evaluation.results import best_static, pairs, table
from unlearn_gym.evaluation.statistics import Summary, interquartile_mean, stratified_bootstrap
from unlearn_gym.evaluation.wording import interval, mean_and_half, number
from unlearn_gym.metrics.glossary import GLOSSARY

STAR = "★"


@dataclass(frozen=True)
class Grid:
    """A table: a heading, and rows of as many texts as there are columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return the table in GitHub's Markdown."""
        lines = [self.columns, tuple("---" for _ in self.columns), *self.rows]
        return "\n".join(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
        )

    def rich(self, title: str) -> Table:
        """Return the table for a terminal: long names and ± on lines of their own."""
        drawn = Table(title=title, title_justify="left")
        for k, column in enumerate(self.columns):
            drawn.add_column(column.replace("_", "_\n"), justify="right" if k else "left", no_wrap=not k)
        for row in self.rows:
            drawn.add_row(*(cell.replace(" ± ", "\n± ") for cell in row))
        return drawn


def main_grid(campaign: Campaign, findings: Findings, metrics: Sequence[str]) -> Grid:
    """One row per agent between "before" and "retrained": mean ± half of the 95 % interval.

    A star marks, column by column, the best static agent.
    """
    agents = [contestant.name for contestant in campaign.contestants]
    names = [name for name in (BEFORE, *agents, RETRAINED) if findings.of(name)]
    best = {metric: best_static(campaign, findings, metric) for metric in metrics}
    rows = []
    for name in names:
        summary = table(findings, name)
        cells = [_cell(summary.get(metric), best[metric] == name) for metric in metrics]
        rows.append((name, *cells))
    return Grid(("agent", *(f"{metric} {GLOSSARY[metric].arrow}" for metric in metrics)), tuple(rows))


def pair_grid(campaign: Campaign, findings: Findings, metrics: Sequence[str]) -> Grid:
    """Paired differences to the best static agent, with what they say."""
    rows = tuple(
        (
            pair.a,
            f"{pair.metric} {GLOSSARY[pair.metric].arrow}",
            pair.b,
            number(pair.summary.mean),
            interval(pair.summary.ci95).removeprefix("95 % interval "),
            pair.verdict if pair.summary.ci95 else "open",
        )
        for pair in pairs(campaign, findings)
        if pair.metric in metrics
    )
    return Grid(("agent", "metric", "best static", "difference", "95 % interval", "agent is"), rows)


def robust_grid(campaign: Campaign, findings: Findings, metrics: Sequence[str]) -> Grid:
    """Interquartile means over seeds with bootstrap intervals (Agarwal et al. 2021)."""
    rows = []
    for contestant in campaign.contestants:
        summary = table(findings, contestant.name)
        cells = [_robust(summary.get(metric)) for metric in metrics]
        rows.append((contestant.name, *cells))
    return Grid(("agent", *(f"{metric} {GLOSSARY[metric].arrow}" for metric in metrics)), tuple(rows))


def glossary_grid(metrics: Sequence[str]) -> Grid:
    """What every metric means."""
    rows = tuple(
        (
            f"`{name}`",
            f"{GLOSSARY[name].arrow} {GLOSSARY[name].better}",
            GLOSSARY[name].unit,
            GLOSSARY[name].definition,
        )
        for name in metrics
    )
    return Grid(("metric", "better", "unit or range", "what was measured"), rows)


def _cell(summary: Summary | None, starred: bool) -> str:
    if summary is None:
        return "–"
    return mean_and_half(summary, STAR if starred else "")


def _robust(summary: Summary | None) -> str:
    if summary is None:
        return "–"
    low, high = stratified_bootstrap([summary.values])
    return f"{number(float(interquartile_mean(summary.values)))} ({number(low)} to {number(high)})"
