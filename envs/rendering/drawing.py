"""Drawing the curves of λ, losses and gradient norms: the figure is built once and its lines are moved."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullLocator

from unlearn_gym.models.curve_picture import UNWANTED, WANTED

LAMBDA = "#009E73"
"""Green of Okabe and Ito; retain and forget have the colours of wanted and unwanted points."""
WIDTH, HEIGHT, DPI = 640, 480, 100


class Drawing:
    """The figure: three panels over one x axis. It is drawn by Agg alone and knows nothing of pyplot."""

    def __init__(self, horizon: int, lambda_range: tuple[float, float]) -> None:
        self._horizon = horizon
        figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor="white")
        self._canvas = FigureCanvasAgg(figure)
        self._panels: list[Axes] = list(figure.subplots(3, 1, sharex=True))
        figure.subplots_adjust(left=0.13, right=0.97, top=0.89, bottom=0.1, hspace=0.42)
        self._title = figure.text(0.13, 0.955, "", fontsize=11, fontweight="bold")
        self._state = figure.text(0.97, 0.955, "", fontsize=10, ha="right", color="#444444")
        for axes, name in zip(self._panels, ("λ", "loss", "gradient norm"), strict=True):
            axes.set_ylabel(name, fontsize=9)
            axes.tick_params(labelsize=8)
            axes.grid(color="#e6e6e6", linewidth=0.8)
            axes.spines[["top", "right"]].set_visible(False)
        low, high = lambda_range
        margin = 0.06 * (high - low)
        self._panels[0].set(xlim=(0, horizon), ylim=(low - margin, high + margin))
        self._panels[0].set_yticks([low, (low + high) / 2, high])
        self._panels[0].yaxis.set_major_formatter("{x:.3g}")
        self._panels[2].set_xlabel("update", fontsize=9)
        for axes in self._panels[1:]:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=5))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_locator(NullLocator())
        self._empty = [_note(axes, "all 0") for axes in self._panels[1:]]
        self._lines: list[Line2D] = [_line(self._panels[0], LAMBDA, "steps-pre")]
        for axes in self._panels[1:]:
            self._lines += [_line(axes, WANTED), _line(axes, UNWANTED)]
        self._legends = [
            _legend(axes, lines) for axes, lines in zip(self._panels, self._grouped(), strict=True)
        ]

    def _grouped(self) -> list[list[Line2D]]:
        return [self._lines[:1], self._lines[1:3], self._lines[3:]]

    def of(self, rows: np.ndarray, title: str) -> np.ndarray:
        """Return the picture of these rows, (steps, 7)."""
        steps, curves = rows[:, 0], rows[:, 1:6]
        for line, values in zip(self._lines, curves.T, strict=True):
            shown = values if line is self._lines[0] else _positive(values)
            line.set_data(steps, shown)
            line.set_markevery([len(steps) - 1])  # a dot at the end
        sides = (curves[:, 1:3], curves[:, 3:5])
        for axes, note, values in zip(self._panels[1:], self._empty, sides, strict=True):
            note.set_visible(not (values > 0).any())
            axes.set_ylim(*_limits(values))
        names = ("λ", *("retain", "forget") * 2)
        texts = [text for legend in self._legends for text in legend]
        for text, name, value in zip(texts, names, curves[-1], strict=True):
            text.set_text(
                f"{name} {value:#.3g}" if value > 0 else f"{name} {value:g}" if value == 0 else name
            )
        self._title.set_text(title)
        ended = ", diverged" if rows[-1, 6] else ""
        self._state.set_text(f"update {steps[-1]:.0f} of {self._horizon}{ended}")
        self._state.set_color(UNWANTED if ended else "#444444")
        self._canvas.draw()
        return np.asarray(self._canvas.buffer_rgba())[..., :3].copy()


def _line(axes: Axes, colour: str, style: str = "default") -> Line2D:
    return axes.plot([], [], color=colour, lw=1.8, drawstyle=style, marker="o", ms=4, clip_on=False)[0]


def _legend(axes: Axes, lines: list[Line2D]) -> list[Text]:
    """Put the names of the lines above the panel, where they hide nothing, and return their texts."""
    legend = axes.legend(
        lines,
        [" "] * len(lines),
        loc="lower right",
        bbox_to_anchor=(1.0, 0.98),
        ncols=len(lines),
        fontsize=8,
        frameon=False,
        borderpad=0.1,
        handlelength=1.4,
        columnspacing=1.4,
    )
    return legend.get_texts()


def _note(axes: Axes, text: str) -> Text:
    return axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color="#888888", fontsize=9)


def _positive(values: np.ndarray) -> np.ndarray:
    """Return what a log axis can show: nothing for 0, and no number that float32 would not hold."""
    return np.where(values > 0, np.clip(values, 1e-37, 1e37), np.nan)


def _limits(values: np.ndarray) -> tuple[float, float]:
    """Return limits of a log axis around the values, at 1 and 3 of each decade, so that they seldom move."""
    shown = _positive(values)
    shown = shown[np.isfinite(shown)]
    if not shown.size:
        return 0.1, 1.0
    low, high = (math.log10(end) for end in (shown.min(), shown.max()))
    marks = [mark for k in range(math.floor(low) - 1, math.ceil(high) + 2) for mark in (k, k + math.log10(3))]
    below = max(mark for mark in marks if mark <= low)
    above = min(mark for mark in marks if mark >= high and mark > below)
    return 10.0**below, 10.0**above
