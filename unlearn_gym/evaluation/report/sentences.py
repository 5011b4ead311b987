"""What the numbers say, in sentences that are made from them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from unlearn_gym.evaluation.results import Pair, Results
from unlearn_gym.evaluation.statistics import Interval, Summary, max_min_test
from unlearn_gym.metrics.glossary import GLOSSARY

DUST = 1e-12
"""Means below it are rounding of 0."""
LEVEL = 0.05
"""False alarms that "beyond chance" allows."""


def number(value: float) -> str:
    """Write a number with three significant digits, without an exponent where it is readable."""
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.2e}".replace("-", "−")
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:.{digits}f}".replace("-", "−")


def mean_and_half(summary: Summary, mark: str = "") -> str:
    """Write a mean, a mark, and the 95 % interval: ± its half with two digits that count, or, if skew, its ends."""
    if summary.ci95 is None:
        return _mean_and(summary.mean, None, mark)
    below, above = summary.mean - summary.ci95[0], summary.ci95[1] - summary.mean
    if math.isclose(below, above, rel_tol=1e-6, abs_tol=DUST):
        return _mean_and(summary.mean, (below + above) / 2, mark)
    ends = " to ".join(_share(end) for end in summary.ci95)
    return f"{_share(summary.mean)}{mark} ({ends})".replace("-", "−")


def mean_and_deviation(summary: Summary) -> str:
    """Write a mean and the standard deviation with two digits that count."""
    return _mean_and(summary.mean, summary.std, "")


def _mean_and(mean: float, half: float | None, mark: str) -> str:
    mean = 0.0 if abs(mean) < DUST else mean
    if half is None:
        return f"{number(mean)}{mark}"
    if 0 < abs(mean) < 1e-3:
        return f"{number(mean)}{mark} ± {number(half)}"
    half = 0.0 if half < DUST else half
    places = min(max(1 - math.floor(math.log10(half)), 0), 5) if half else 3
    return f"{mean:.{places}f}{mark} ± {half:.{places}f}".replace("-", "−")


def _share(value: float) -> str:
    """Write a number of a bounded range, where an absolute precision counts."""
    return f"{value + 0.0:.3f}"


def interval(ci95: Interval | None) -> str:
    """Write an interval, or say that there is none."""
    return (
        "no interval from one seed"
        if ci95 is None
        else f"95 % interval {number(ci95[0])} to {number(ci95[1])}"
    )


def conclusion(results: Results) -> list[str]:
    """Say whether any learned agent beats the best constant λ on the key metrics.

    Returns:
        An overall sentence, then one a learned agent; one sentence saying why where nothing can be compared.
    """
    experiment = results.experiment
    learned = [c.name for c in experiment.entries if c.kind == "learned"]
    compared = [p for p in results.against_static if p.metric in results.key_metrics and p.a in learned]
    if not compared:
        missing = "learned agent" if not learned else "static agent"
        return [f"No {missing} is in this report, so nothing is said about learned against constant λ."]
    if len(experiment.seeds) < 2:
        return [
            "With one seed there are no intervals: whether a learned agent beats a constant λ stays open."
        ]
    wins = [pair for pair in compared if pair.outcome == "better"]
    overall = (
        f"On {len({p.metric for p in wins})} of {len({p.metric for p in compared})} key metrics a learned "
        "agent is better than the best static agent of this report by more than chance (paired 95 % "
        "intervals)."
        if wins
        else "No learned agent is better than the best static agent of this report on any key metric by more "
        "than chance (paired 95 % intervals)."
    )
    return [overall, *(_of(name, [pair for pair in compared if pair.a == name]) for name in learned)]


def spread(results: Results) -> list[str]:
    """Say, group by group, how much the constant λ matters: best against worst static agent, metric by metric.

    The two are chosen by looking, which the test knows: see ``max_min_test``.
    """
    experiment = results.experiment
    sentences = []
    for group in experiment.groups():
        statics = [c.name for c in experiment.entries if c.kind == "static" and c.group == group]
        if len(statics) < 2 or len(experiment.seeds) < 2:
            continue
        found = [text for metric in results.key_metrics if (text := _range(results, statics, metric))]
        label = f" of the group {group}" if group else ""
        sentences.append(f"Among the {len(statics)} constant λ{label}: {'; '.join(found)}.")
    return sentences


def _range(results: Results, names: list[str], metric: str) -> str:
    found = {name: results.row(name)[metric] for name in names if metric in results.row(name)}
    means = {name: summary.mean for name, summary in found.items()}
    if len(means) < 2 or not GLOSSARY[metric].compared:
        return ""
    low, high = min(means, key=lambda n: means[n]), max(means, key=lambda n: means[n])
    ends = f"{number(means[low])} ({low}) to {number(means[high])} ({high})"
    return f"{metric} {ends}, {_beyond_chance([summary.values for summary in found.values()])}"


def _beyond_chance(rows: Sequence[Sequence[float]]) -> str:
    """Say whether the best and the worst of rows, chosen by looking, differ by more than chance gives."""
    p = max_min_test(rows)
    if p is None:
        return "too few seeds to tell from chance"
    said = "a difference beyond chance" if p < LEVEL else "within chance"
    return f"{said} (p {'< 0.001' if p < 0.001 else f'= {p:.3f}'})"


def _of(name: str, compared: list[Pair]) -> str:
    phrases = {
        "better": "better on {}",
        "worse": "worse on {}",
        "no difference": "no difference seen on {}",
    }
    clauses = {
        outcome: [_clause(pair) for pair in compared if pair.outcome == outcome] for outcome in phrases
    }
    said = [phrases[outcome].format(", ".join(found)) for outcome, found in clauses.items() if found]
    return f"{name} against the best static agent by each metric: {'; '.join(said)}."


def _clause(pair: Pair) -> str:
    metric = f"{pair.metric} {GLOSSARY[pair.metric].arrow}"
    if pair.outcome == "no difference":
        return metric
    return f"{metric} (by {number(abs(pair.summary.mean))} against {pair.b}; {interval(pair.summary.ci95)})"
