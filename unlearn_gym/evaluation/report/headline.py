"""What a report answers first: which row unlearns best, by how much, and how far it is from the retrained model."""

from __future__ import annotations

from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED
from unlearn_gym.evaluation.report.names import metric_name, row_names
from unlearn_gym.evaluation.report.sentences import interval, number
from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.statistics import Summary, paired_difference
from unlearn_gym.metrics.glossary import GLOSSARY

SCORES = ("balance", "unlearn_score", "fair_r2")
"""Metrics that weigh forgetting against keeping; the first one measured orders the rows."""
BESIDE = ("neither_rate", "class_accuracy")
"""What keeps the two sides of the trade-off honest: a wreck is not forgotten, and other labels count too."""
MOST_METRICS, MOST_RIVALS, MOST_NAMED = 4, 2, 4


def headline_metric(results: Results) -> str | None:
    """Return the metric that orders the rows: one that weighs both sides, or the first key metric; None without any."""
    wanted = (*SCORES, *results.key_metrics, *results.metrics)
    rows = [results.row(entry.name) for entry in results.experiment.entries]
    return next(
        (metric for metric in wanted if _compared(metric) and any(metric in row for row in rows)), None
    )


def shown_metrics(results: Results) -> list[str]:
    """Return the few metrics of the first screen: what is forgotten, what is kept, and what orders the rows last."""
    last = headline_metric(results)
    if last is None:
        return []
    forget, keep = results.trade_off
    wanted = dict.fromkeys((forget, BESIDE[0], keep, BESIDE[1], *results.key_metrics))
    found = [
        metric
        for metric in wanted
        if metric in results.metrics and metric not in ("return", last) and _compared(metric)
    ]
    return [*found[:MOST_METRICS], last]


def ranked(results: Results) -> list[str]:
    """Return the agents in the order of the headline's metric, the best first; those that lack it are left out."""
    metric = headline_metric(results)
    if metric is None:
        return []
    sign = -1.0 if GLOSSARY[metric].better == "higher" else 1.0
    names = [entry.name for entry in results.experiment.entries if metric in results.row(entry.name)]
    return sorted(names, key=lambda name: sign * results.row(name)[metric].mean)


def unranked(results: Results) -> list[str]:
    """Return the agents that lack the headline's metric, in their own order."""
    order = ranked(results)
    return [entry.name for entry in results.experiment.entries if entry.name not in order]


def rivals(results: Results) -> list[str]:
    """Return whom the best row is shown beside: the best of each other kind, then the next ones."""
    best, *others = ranked(results) or [""]
    kinds = {entry.name: entry.kind for entry in results.experiment.entries}
    first: dict[str, str] = {}
    for name in others:
        if kinds[name] != kinds[best]:
            first.setdefault(kinds[name], name)
    chosen = list(dict.fromkeys((*first.values(), *others)))[:MOST_RIVALS]
    return [name for name in others if name in chosen]


def answer(results: Results) -> str:
    """Say which row unlearns best, what it forgets and keeps, and how far that is from the retrained model."""
    metric, order = headline_metric(results), ranked(results)
    if metric is None:
        return "Nothing was measured that rows can be compared on."
    best, name = order[0], row_names(results.experiment)[order[0]]
    changes = [_change(results, best, side) for side in _sides(results)]
    score = f"{metric_name(results, metric)} {_with_interval(metric, results.row(best)[metric])}"
    found = f"{'; '.join([*changes, score])}."
    if not _improves(results, best, metric):
        return f"No row improves on the model before unlearning. Of those, {name} comes first: {found}"
    return f"{name} unlearns best: {found} {_distance(results, best, metric)}"


def caveat(results: Results) -> str:
    """Say what the answer rests on: how many rows and seeds, and which rows chance may have put behind."""
    metric, order, names = headline_metric(results), ranked(results), row_names(results.experiment)
    if metric is None:
        return ""
    what, seeds = metric_name(results, metric), len(results.experiment.seeds)
    failed = ", ".join(names[name] for name in unranked(results))
    end = f". Without a number on some seed: {failed}." if failed else "."
    if seeds < 2:
        return f"The best of {len(order)} by {what} on one seed: another seed may order them otherwise{end}"
    chosen = f"The best of {len(order)} by {what}, on the same {seeds} seeds that it is judged on"
    if len(order) == 1:
        return chosen + end
    best = results.row(order[0])[metric].values
    tied = [
        names[name]
        for name in order[1:]
        if _holds_zero(paired_difference(best, results.row(name)[metric].values, GLOSSARY[metric].bounds))
    ]
    if not tied:
        return f"{chosen}; every other row is behind it beyond chance{end}"
    more = f" and {len(tied) - MOST_NAMED} more" if len(tied) > MOST_NAMED else ""
    listed = ", ".join(tied[:MOST_NAMED])
    return f"{chosen}. Not told apart from it (paired 95 % intervals hold 0): {listed}{more}{end}"


def value(metric: str, amount: float) -> str:
    """Write a value as people say it: shares in per cent."""
    if not is_share(metric):
        return number(amount)
    return f"{round(100 * amount, 1) + 0.0:.1f} %".replace("-", "−")  # + 0.0: no −0.0


def is_share(metric: str) -> bool:
    """Say whether a metric is a share of samples or images."""
    return GLOSSARY[metric].unit.startswith("share")


def _sides(results: Results) -> list[str]:
    """Return what the answer names: what was to be forgotten, and what was to be kept."""
    wanted = dict.fromkeys((*results.trade_off, BESIDE[1]))
    return [metric for metric in wanted if metric in results.metrics and metric != headline_metric(results)]


def _change(results: Results, name: str, metric: str) -> str:
    """Say what became of a metric; the first of the trade-off's, what is forgotten, comes with its interval."""
    found, before = results.row(name).get(metric), results.row(BEFORE).get(metric)
    what = metric_name(results, metric)
    if found is None:
        return f"{what} could not be measured"
    start = f"{value(metric, before.mean)} → " if before else ""
    shown = _with_interval(metric, found) if metric == results.trade_off[0] else value(metric, found.mean)
    return f"{what} {start}{shown}"


def _with_interval(metric: str, found: Summary) -> str:
    if found.ci95 is None or not is_share(metric):
        return f"{value(metric, found.mean)} ({interval(found.ci95)})"
    low, high = (value(metric, end) for end in found.ci95)
    return f"{value(metric, found.mean)} (95 % interval {low} to {high})"


def _improves(results: Results, name: str, metric: str) -> bool:
    before = results.row(BEFORE).get(metric)
    if before is None:
        return True
    gain = results.row(name)[metric].mean - before.mean
    return gain > 0 if GLOSSARY[metric].better == "higher" else gain < 0


def _distance(results: Results, name: str, metric: str) -> str:
    goal = results.row(RETRAINED).get(metric)
    if goal is None:
        return "There is no retrained model to compare it with."
    reference = results.row(RETRAINED)
    reached = [
        f"{metric_name(results, side)} {value(side, reference[side].mean)}"
        for side in (*_sides(results), metric)
        if side in reference
    ]
    gap = paired_difference(results.row(name)[metric].values, goal.values, GLOSSARY[metric].bounds)
    way = "above" if gap.mean > 0 else "below"
    return (
        f"The retrained model has {', '.join(reached)}: {row_names(results.experiment)[name]} is "
        f"{number(abs(gap.mean))} {way} it{_certainty(gap)}."
    )


def _certainty(gap: Summary) -> str:
    if gap.ci95 is None:
        return ""
    if _holds_zero(gap):
        return ", which may be chance"
    low, high = sorted(map(abs, gap.ci95))
    return f" (95 % interval {number(low)} to {number(high)})"


def _holds_zero(difference: Summary) -> bool:
    return difference.ci95 is None or difference.ci95[0] <= 0.0 <= difference.ci95[1]


def _compared(metric: str) -> bool:
    return GLOSSARY[metric].compared
