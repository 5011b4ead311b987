"""How every picture looks: colours, lines, captions, and how it is saved."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from unlearn_gym.evaluation.experiment import Experiment
from unlearn_gym.storage.files import atomic_write

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's colours, which colour-blind readers tell apart."""
LINES = ("-", "--", ":", "-.")
MARKERS = "osD^vP*X"
REFERENCE = "#666666"
TITLES = {
    "oracle": "Each request beside its best constant",
    "policies": "λ during six requests",
    "data": "Training data",
    "samples": "Samples of every row",
    "metrics": "Key metrics",
    "classes": "Class by class, drawn",
    "trade_off": "Forgetting against keeping",
    "learning": "Learning curves",
    "lambda": "λ during the runs",
    "benchmark": "Scores beside the published ones",
}
"""Stem of a picture's file, as far as "-" → its heading in a report; other stems are headings themselves."""
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "figure.dpi": 110,
    "text.parse_math": False,  # names with $ are names
    "savefig.dpi": 160,
}


@dataclass(frozen=True)
class Picture:
    """A drawn picture.

    Attributes:
        path: the PNG.
        caption: what it shows and what to see.
    """

    path: Path
    caption: str

    @property
    def title(self) -> str:
        """Its heading in a report."""
        name, _, group = self.path.stem.partition("-")
        return TITLES.get(name, name.capitalize()) + (f", {group}" if group else "")


@dataclass(frozen=True)
class Look:
    """How one row is drawn in every picture."""

    colour: str
    line: str
    marker: str


def looks(experiment: Experiment) -> dict[str, Look]:
    """Give every agent a colour, a line and a marker; no two share all three up to 56 agents."""
    return {
        entry.name: Look(
            COLOURS[k % len(COLOURS)], LINES[(k // len(COLOURS)) % len(LINES)], MARKERS[k % len(MARKERS)]
        )
        for k, entry in enumerate(experiment.entries)
    }


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches, without pyplot: no window or state is touched."""
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: Path, caption: str) -> Picture:
    """Write the caption under the figure, and the figure as a PNG."""
    width = int(figure.get_figwidth() * 15)
    figure.supxlabel(textwrap.fill(caption, width), fontsize=8, x=0.01, ha="left", color="#333333")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")
    return Picture(path, caption)
