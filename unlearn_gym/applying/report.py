"""One page on what was done: ``report.md``, and ``report.html`` that opens without a network."""

from __future__ import annotations

import os
from dataclasses import dataclass
from html import escape as html_escape
from pathlib import Path
from typing import Any

from unlearn_gym.agents.trained.origin import Origin
from unlearn_gym.applying.cases.base import Case, Measured
from unlearn_gym.applying.pictures import curves, rows_of, samples
from unlearn_gym.applying.results import numbers_of
from unlearn_gym.applying.running import Trail
from unlearn_gym.applying.settings import Sources
from unlearn_gym.applying.watch import Watch
from unlearn_gym.evaluation.report.figures.samples import strip
from unlearn_gym.evaluation.report.html import save_html
from unlearn_gym.evaluation.report.html.strips import png
from unlearn_gym.evaluation.report.markdown import bullets, save_sections, shown
from unlearn_gym.evaluation.report.markup import Markup, code, escape
from unlearn_gym.evaluation.report.results_file import versions
from unlearn_gym.evaluation.report.sentences import number
from unlearn_gym.evaluation.report.tables import MISSING, Grid

OPEN = 2
"""Sections of the page that are not folded."""
METRICS = {
    "retain_loss": ("loss, held-out to keep", ""),
    "forget_loss": ("loss, to forget", ""),
    "retain_acc": ("accuracy, held-out to keep", ""),
    "forget_acc": ("accuracy, to forget", ""),
    "ssim_forget": (
        "SSIM of samples",
        "SSIM is the structural similarity of samples to the most similar of the images to forget; 1 is the same.",
    ),
    "membership_auc": (
        "membership AUC",
        "Membership AUC is the share of pairs in which an image to forget looks more like a training image than one "
        "that was never seen; 0.5 tells nothing.",
    ),
    "forget_against_retain_auc": (
        "AUC, forget against keep",
        "AUC, forget against keep, is the share of pairs in which an image to forget is fitted better than a held-out "
        "image to keep; at 0.5 they do not stand out.",
    ),
}
"""Name of a metric → what it is called in the table, and what it means."""


@dataclass(frozen=True)
class Told:
    """What a report is made of.

    Attributes:
        case: what was unlearned.
        request: what tells this request from another.
        before: measured at the start.
        after: measured at the end.
        watch: what was seen and warned of on the way.
        trail: the updates.
        learning_rate: of them.
        seen: names of what the policy saw, as far as it is logged.
        origin: where the policy was trained, if it was.
        sources: where things were.
        output: where the folder will be.
        command: what repeats it.
    """

    case: Case
    request: dict[str, Any]
    before: Measured
    after: Measured
    watch: Watch
    trail: Trail
    learning_rate: float
    seen: tuple[str, ...]
    origin: Origin | None
    sources: Sources
    output: Path
    command: str


def save_report(told: Told, folder: Path) -> Path:
    """Write ``report.md`` with its pictures and ``report.html`` into a folder; return the latter's path."""
    pictures = [
        picture
        for picture in (samples(told.before, told.after, told.case, folder), curves(told, folder))
        if picture
    ]
    sections = [
        f"# {escape(f'Images unlearned from {_named(told.sources.model)}')}",
        "## Before and after",
        _table(told).markdown(),
        escape(_how_sure(told)),
        *_warned(told),
        "## What can be concluded, and what cannot",
        bullets(_conclusions(told)),
        "## How to go back, and how to use the new model",
        _back(told),
        *shown(pictures, folder),
        "## How it was made",
        code(told.command),
        _settings(told).markdown(),
        f"{', '.join(f'{name} {version}' for name, version in versions().items())}.",
    ]
    return save_html(save_sections(sections, folder), first=_first(told), opened=OPEN)


def answer(told: Told) -> str:
    """Say in a sentence what was forgotten and what it cost."""
    losses = numbers_of(told.before, told.after)
    forget, retain = losses["forget_loss"], losses["retain_loss"]
    name, data = told.case.name, told.case.data
    parts = [
        f"The {name} of the {len(data.forget)} images to forget went from {number(forget['before'])} to "
        f"{number(forget['after'])}, that of {len(data.retain_holdout)} held-out images to keep from "
        f"{number(retain['before'])} to {number(retain['after'])}"
    ]
    before, after = told.before.values, told.after.values
    if "forget_acc" in before:
        kept = f"{percent(before['retain_acc'])} to {percent(after['retain_acc'])}"
        parts.append(
            f"the share that is named right went from {percent(before['forget_acc'])} to "
            f"{percent(after['forget_acc'])} of the former and from {kept} of the latter"
        )
    return "; ".join(parts) + "."


def percent(share: float) -> str:
    """Write a share."""
    return f"{100 * share:.3g} %"


def _first(told: Told) -> str:
    """Return the first screen as HTML: the answer, and the samples before and after."""
    strips = "".join(
        f'<div class="row"><span>{html_escape(name)}</span><div>'
        f'<img alt="{html_escape(f"samples, {name}")}" src="{png(strip(images))}"></div></div>'
        for name, images in rows_of(told.before, told.after)
    )
    warned = "".join(
        f'<p class="caveat"><strong>{html_escape(said)}</strong></p>' for said in told.watch.warnings.values()
    )
    caveat = "One run; whether it equals a model retrained without these images is not known from this page."
    screen = f'<p class="answer">{html_escape(answer(told))}</p><p class="caveat">{caveat}</p>{warned}'
    if not strips:
        return screen
    key = "Each pair of rows is made of the same noise. Samples of the original may show what is to be forgotten."
    return f'{screen}<section class="first"><div><h2>Samples</h2>{strips}<p class="key">{key}</p></div></section>'


def _table(told: Told) -> Grid:
    rows = []
    for name, values in numbers_of(told.before, told.after).items():
        change = MISSING
        if values.get("change") is not None:
            half = values["ci95_half"]
            change = _signed(values["change"]) + ("" if half is None else f" ± {number(half)}")
        rows.append((METRICS[name][0], _number(values["before"]), _number(values["after"]), change))
    return Grid(("", "before", "after", "change"), tuple(rows))


def _number(value: float | None) -> str:
    return MISSING if value is None else number(value)


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + number(value)


def _how_sure(told: Told) -> str:
    data = told.case.data
    held_out, known = len(data.retain_holdout), len(data.retain) + len(data.retain_holdout)
    meant = " ".join(
        meaning for name, (_, meaning) in METRICS.items() if name in told.before.values and meaning
    )
    return (
        f"The loss is the {told.case.name}. {meant} {held_out} of the {known} images to keep were held out: "
        "no update saw them (the original's training did). Both models are measured on the same examples and the same "
        "noise; ± is half of the 95 % interval over them, and says nothing of another run."
    )


def _warned(told: Told) -> list[str]:
    said = told.watch.warnings.values()
    return ["### Warnings during the run", bullets(said)] if said else []


def _conclusions(told: Told) -> list[str]:
    data = told.case.data
    known = (
        "Membership was tested against images like those to forget that the model never saw: a number near 0.5 "
        "says that this test cannot tell them apart, one below 0.5 that the forgotten images stand out the other "
        "way, which gives them away too."
        if len(data.forget_holdout)
        else "Membership was not tested: that needs images like those to forget that the model never saw "
        "(--non-members). The comparison with held-out images to keep, which the original was trained on and which may "
        "be easier or harder, says only whether the images to forget stand out among the training images."
    )
    kept = set(data.retain.labels.tolist()) & set(data.forget.labels.tolist())
    single = (
        "The images to forget are of classes that are kept: a retrained classifier would still name most of them "
        "right, so that one which names them wrong has forgotten too much, and marks them."
    )
    trained = told.origin and (
        f"The policy that chose λ was trained on another model, in {told.origin.env}: whether it suits this one is "
        "seen from the losses above and from nothing else."
    )
    return [
        *([trained] if trained else []),
        *([single] if told.case.kind == "classifier" and kept else []),
        "A loss that has risen on the images to forget says that the network fits them worse than before; the losses "
        "of the held-out images say what that cost.",
        known,
        "Whether the model behaves as one retrained without these images cannot be said without such a model. A rise "
        "far beyond the loss of images that were never seen is no better than one up to it: it marks them.",
        "Nothing here is proof against an attack: a network can relearn what it seems to have forgotten "
        "(docs/attacks.md of Unlearn Gym), and copies of the images elsewhere, in caches, logs and backups, stay.",
    ]


def _back(told: Told) -> str:
    place = told.sources.model
    where = code(os.fspath(place)) if isinstance(place, str | os.PathLike) else "the model that was given"
    return (
        f"The original, {where}, was only read; to go back, use it again. Its weights have the SHA-256 "
        f"{code(told.request['model'])}. The new model is {code(told.case.saved)} in this folder. {told.case.back} "
        f"The original and every copy of it still know the images: delete them when you are sure."
    )


def _settings(told: Told) -> Grid:
    hidden = ("model", "retain", "forget", "non_members", "policy_files")
    rows = [
        (name, str(value))
        for name, value in told.request.items()
        if name not in hidden and value not in ("", {})
    ]
    rows.append(("learning rate in use", number(told.learning_rate)))
    return Grid(("setting", "value"), tuple((Markup(code(name)), value) for name, value in rows))


def _named(model: Any) -> str:
    return Path(os.fspath(model)).name if isinstance(model, str | os.PathLike) else type(model).__name__
