"""Pictures of a regression problem: its points, and curves through them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor, nn

from unlearn_gym.data.split import UnlearningData

WANTED, UNWANTED = "#0072B2", "#D55E00"
LINES: tuple[dict[str, Any], ...] = (
    {"color": "#666666", "linestyle": "--"},
    {"color": "#000000"},
    {"color": "#009E73", "linestyle": ":"},
)
"""Colours of Okabe and Ito, and line styles, in the order of the curves: before, after, retrained."""


@torch.no_grad()
def draw_fits(axes: Axes, data: UnlearningData, fits: Mapping[str, nn.Module]) -> None:
    """Draw training points of both kinds and up to three curves with a legend.

    Args:
        axes: where to draw.
        data: a problem with inputs and labels of shape (n, 1).
        fits: name → model from (n, 1) to (n, 1), in the order before, after, retrained.
    """
    for part, colour, marker, name in (
        (data.forget, UNWANTED, "x", "unwanted"),
        (data.retain, WANTED, "o", "wanted"),
    ):
        axes.scatter(
            part.inputs[:, 0],
            part.labels[:, 0],
            s=12,
            c=colour,
            marker=marker,
            alpha=0.55,
            lw=0.8,
            label=name,
        )
    every = torch.cat([data.retain.inputs, data.forget.inputs])
    x = torch.linspace(float(every.min()), float(every.max()), 200)[:, None]
    for (name, model), style in zip(fits.items(), LINES, strict=False):
        where = next(model.parameters())
        y = model(x.to(where.device, where.dtype)).float().cpu()
        axes.plot(x[:, 0], y[:, 0], lw=2, label=name, **style)
    axes.set(
        xlabel="x", ylabel="y", xlim=_around(data.retain.inputs, 0.5), ylim=_around(data.retain.labels, 0.7)
    )
    axes.set_xlim(max(axes.get_xlim()[0], float(x[0]) - 0.05), min(axes.get_xlim()[1], float(x[-1]) + 0.05))


def _around(values: Tensor, margin: float) -> tuple[float, float]:
    """Return the range of the values, widened at both ends by a share of it."""
    low, high = float(values.min()), float(values.max())
    return low - margin * (high - low), high + margin * (high - low)


def picture(draw: Callable[[Axes], None]) -> np.ndarray:
    """Return what ``draw`` draws, with a legend, as uint8 of shape (height, width, 3)."""
    figure = Figure(figsize=(5, 3.6), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    draw(axes)
    axes.legend(fontsize=8)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
