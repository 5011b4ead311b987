"""The interval plot of the first screen: a row a method, a few metrics, lines for before and retrained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import accumulate

import numpy as np

from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED
from unlearn_gym.evaluation.report.headline import is_share, ranked, shown_metrics, unranked, value
from unlearn_gym.evaluation.report.names import metric_name, metric_note, row_names
from unlearn_gym.evaluation.report.sentences import interval, number
from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.statistics import Summary
from unlearn_gym.metrics.glossary import GLOSSARY

MOST_ROWS = 23
"""Methods with names of one line that fit on the first screen; of more, the best."""
LINE = 22
"""Letters of a name that stand on a line; each further line takes half a row."""
FAR = 4.0
"""Values further from the median than so many times the usual distance are cut off at the frame."""
Frame = tuple[float, float]


def intervals(results: Results) -> str:
    """Return the plot as an HTML table; empty where nothing is compared."""
    metrics = shown_metrics(results)
    if not metrics:
        return ""
    order = [*ranked(results), *unranked(results)]
    near = _fitting(order, row_names(results.experiment))
    rows = [name for name in (BEFORE, *near, RETRAINED) if name in results.names]
    frames = {metric: _frame(results, rows, metric) for metric in metrics}
    head = "".join(
        f'<th scope="col"><abbr title="{escape(metric_note(metric))}">{escape(metric_name(results, metric))}</abbr> '
        f"{'in % ' if is_share(metric) else ''}{GLOSSARY[metric].arrow}</th>"
        for metric in metrics
    )
    body = "".join(_row(results, name, name == order[0], frames) for name in rows)
    left_out = len(order) - len(near)
    more = f" {left_out} rows behind these are in the tables below." if left_out > 0 else ""
    lines = [
        f"{line} line {name}" for name, line in ((BEFORE, "dotted"), (RETRAINED, "dashed")) if name in rows
    ]
    key = "; ".join(["mean and 95 % interval over seeds", *lines])
    return (
        '<section><h2>What is forgotten, what is kept</h2><div class="wide"><table class="intervals">'
        f'<thead><tr><th scope="col">method</th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        f'<p class="key">{key[0].upper()}{key[1:]}. Best {escape(metric_name(results, metrics[-1]))} first.{more}'
        "</p></section>"
    )


def _fitting(order: Sequence[str], names: dict[str, str]) -> Sequence[str]:
    """Return as many of the first methods as fit on the first screen."""
    heights = accumulate((1 + math.ceil(len(names[name]) / LINE)) / 2 for name in order)
    return order[: sum(height <= MOST_ROWS for height in heights)]


def _row(results: Results, name: str, best: bool, frames: dict[str, Frame]) -> str:
    kind = "best" if best else "reference" if name in (BEFORE, RETRAINED) else "method"
    words = row_names(results.experiment).get(name, name)
    cells = "".join(_cell(results, name, metric, frame, kind) for metric, frame in frames.items())
    return f'<tr class="{kind}"><th scope="row" title="{escape(name)}">{escape(words)}</th>{cells}</tr>'


def _cell(results: Results, name: str, metric: str, frame: Frame, kind: str) -> str:
    found = results.row(name).get(metric)
    if found is None:
        return "<td><span>–</span></td>"
    amount = value(metric, found.mean).removesuffix(" %")
    marks = [
        _line(reference, _share(results.row(reference)[metric].mean, frame))
        for reference in (BEFORE, RETRAINED)
        if metric in results.row(reference)
    ]
    if kind != "reference":
        marks += _mark(found, frame, f"mark {kind}")
    note = f"{metric} {number(found.mean)}, {interval(found.ci95)}"
    return (
        f'<td><span>{amount}</span><svg role="img"><title>{escape(note)}</title>{"".join(marks)}</svg></td>'
    )


def _line(name: str, x: float) -> str:
    return f'<line class="{name}" x1="{x:.2f}%" x2="{x:.2f}%" y1="0" y2="100%"/>'


def _mark(found: Summary, frame: Frame, kind: str) -> list[str]:
    """Return a mean and its interval, cut off at the frame; a mean beyond it is an arrow at the frame."""
    mean = _share(found.mean, frame)
    low, high = (min(max(_share(x, frame), 0.0), 100.0) for x in found.ci95 or (found.mean, found.mean))
    line = f'<line class="{kind}" x1="{low:.2f}%" x2="{high:.2f}%" y1="50%" y2="50%"/>'
    if 0.0 <= mean <= 100.0:
        return [line, f'<circle class="{kind}" cx="{mean:.2f}%" cy="50%" r="3.5"/>']
    place = 'x="0"' if mean < 0.0 else 'x="100%" text-anchor="end"'
    return [f'<text class="{kind}" {place} y="80%">{"◂" if mean < 0.0 else "▸"}</text>']


def _share(amount: float, frame: Frame) -> float:
    """Return where a value stands between the ends of a frame, in per cent."""
    return 100.0 * (amount - frame[0]) / (frame[1] - frame[0])


def _frame(results: Results, names: Sequence[str], metric: str) -> Frame:
    """Return the ends of a metric's axis: 0 and 1 for what lies between, otherwise around the usual values."""
    if is_share(metric) or GLOSSARY[metric].unit == "0 to 1":
        return -0.08, 1.08
    means = np.array([results.row(name)[metric].mean for name in names if metric in results.row(name)])
    middle = float(np.median(means))
    usual = float(np.median(np.abs(means - middle))) or float(np.ptp(means)) or 1.0
    near = means[np.abs(means - middle) <= FAR * usual]
    margin = 0.1 * float(np.ptp(near)) or 0.5 * usual
    return float(near.min()) - margin, float(near.max()) + margin
