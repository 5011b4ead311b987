"""The pictures of the requests' study: policy against oracle, request by request, and λ during telling runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from unlearn_gym.evaluation.report.drawing import COLOURS, LINES, REFERENCE, STYLE, Picture, new_figure, save
from unlearn_gym.evaluation.studies.requests.study import Found

TELLING = 6


def draw(found: Mapping[str, Found], output: Path) -> list[Picture]:
    """Draw both pictures."""
    with matplotlib.rc_context(STYLE):
        return [_scatter(found, output), _lambdas(found, output)]


def rival(found: Found) -> str:
    """Return the row that is drawn against the oracle: the best learned one, or else the best of the others."""
    names = found.learned or tuple(found.chosen.values())
    return max(names, key=lambda name: found.outcomes[name].mean())


def _scatter(found: Mapping[str, Found], output: Path) -> Picture:
    figure = new_figure(4 * len(found), 4.2)
    for axes, (name, one) in zip(np.ravel(figure.subplots(1, len(found))), found.items(), strict=True):
        constant = one.outcomes[one.chosen["constant"]].mean(1)
        row = rival(one)
        axes.plot([0, 1], [0, 1], color=REFERENCE, linewidth=0.8)
        axes.plot(one.oracle, constant, "o", color=COLOURS[0], alpha=0.6, label=one.chosen["constant"])
        if row != one.chosen["constant"]:
            axes.plot(one.oracle, one.outcomes[row].mean(1), "s", color=COLOURS[1], alpha=0.6, label=row)
        axes.set(xlabel="best constant of each request, in hindsight", title=name, aspect="equal")
        axes.legend(loc="upper left", frameon=False)
    figure.axes[0].set_ylabel("outcome")
    caption = (
        "A point is a test request: its outcome, the mean over seeds, against that of the constant that was best on "
        "it. On the grey line a row is as good as the oracle; above it, it does what no constant does."
    )
    return save(figure, output / "oracle.png", caption)


def _lambdas(found: Mapping[str, Found], output: Path) -> Picture:
    name, one = next((item for item in found.items() if item[1].learned), next(iter(found.items())))
    rows = [rival(one), *one.chosen.values()]
    figure = new_figure(11, 5.4)
    for axes, number in zip(figure.subplots(2, TELLING // 2).flat, _telling(one), strict=False):
        _of_request(axes, one, rows, number)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    rates = any(run.learning_rates for run in one.results.runs(rows[0]))
    caption = (
        f"λ during one run on six test requests, spread over how much the choice of λ matters there ({name}); in "
        "brackets the outcomes of the rows, in the order of the legend."
        + (f" Grey, right: by what {rows[0]} multiplies the request's learning rate." if rates else "")
    )
    return save(figure, output / "policies.png", caption)


def _telling(found: Found) -> list[int]:
    """Return requests from the one where constants differ least to that where they differ most."""
    constants = [found.outcomes[name].mean(1) for name in found.problem.rows()["constant"]]
    order = np.argsort(np.ptp(constants, axis=0))
    return [int(order[k]) for k in np.linspace(0, len(order) - 1, TELLING).round().astype(int)]


def _of_request(axes: Axes, found: Found, rows: list[str], number: int) -> None:
    for k, name in enumerate(rows):
        run = found.results.runs(name)[number]
        updates = range(1, len(run.lambdas) + 1)
        axes.step(updates, run.lambdas, COLOURS[k], linestyle=LINES[k % len(LINES)], where="mid", label=name)
        if k == 0 and run.learning_rates:
            right = axes.twinx()
            right.step(updates, np.divide(run.learning_rates, found.requests[number].learning_rate),
                       color=REFERENCE, linewidth=0.9, where="mid")  # fmt: skip
            right.set(yscale="log", ylim=(0.2, 5.0), ylabel="factor of the rate")
            right.yaxis.set_major_locator(FixedLocator([0.25, 0.5, 1, 2, 4]))
            right.yaxis.set_minor_locator(NullLocator())
            right.yaxis.set_major_formatter("{x:g}")
    outcomes = ", ".join(f"{found.outcomes[name].mean(1)[number]:.2f}" for name in rows)
    axes.set_title(f"{found.requests[number].name}\n({outcomes})", fontsize=8)
    axes.set(xlabel="update", ylabel="λ")
