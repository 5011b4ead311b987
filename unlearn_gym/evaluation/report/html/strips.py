"""Samples of the first screen: before, the best row, its rivals and the retrained model, on the same noise."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED
from unlearn_gym.evaluation.records import Record
from unlearn_gym.evaluation.report.figures.samples import strip, telling_place
from unlearn_gym.evaluation.report.headline import ranked, rivals
from unlearn_gym.evaluation.report.names import row_names
from unlearn_gym.evaluation.results import Results

MOST_TILES = 12
"""Samples of a strip: so many fit on a narrow screen."""


def samples(results: Results) -> str:
    """Return the samples, a strip for each title, as HTML; empty where the evaluator made no pictures."""
    place, best = telling_place(results), ranked(results)[:1]
    wanted = (BEFORE, *best, *rivals(results), RETRAINED)
    rows = [found[place] for name in wanted if (found := results.of(name)) and found[place].pictures]
    if not rows:
        return ""
    names = row_names(results.experiment)
    titles = " and ".join(f"the {title}" for title in rows[0].pictures)
    shown = "".join(_row(record, names.get(record.name, record.name), record.name in best) for record in rows)
    return (
        f"<section><h2>Samples on the same noise</h2>{shown}"
        f'<p class="key">Samples of {escape(titles)}; every row starts from the same noise (seed {rows[0].seed}).'
        "</p></section>"
    )


def _row(record: Record, name: str, best: bool) -> str:
    shown = "".join(
        f'<img alt="{escape(f"samples of {name}, {title}")}" src="{png(strip(images[:MOST_TILES]))}">'
        for title, images in record.pictures.items()
    )
    words = f"<strong>{escape(name)}</strong>" if best else escape(name)
    return f'<div class="row"><span title="{escape(record.name)}">{words}</span><div>{shown}</div></div>'


def png(pixels: np.ndarray) -> str:
    """Return an image, uint8 of shape (height, width) or (height, width, 3), as an address that holds it."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
