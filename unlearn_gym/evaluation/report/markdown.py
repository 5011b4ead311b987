"""``report.md``: what was asked, what was found, in tables, sentences and pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from unlearn_gym.evaluation.certificates import certificates, explained
from unlearn_gym.evaluation.experiment import Experiment
from unlearn_gym.evaluation.report.drawing import Picture
from unlearn_gym.evaluation.report.markup import code, escape
from unlearn_gym.evaluation.report.results_file import versions
from unlearn_gym.evaluation.report.sentences import conclusion, spread
from unlearn_gym.evaluation.report.tables import (
    STAR,
    Grid,
    certificate_grid,
    class_grid,
    deviation_grid,
    glossary_grid,
    main_grid,
    pair_grid,
    robust_grid,
)
from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.statistics import FEWEST_TO_RESAMPLE
from unlearn_gym.storage.files import write_text


def save_report(
    results: Results,
    pictures: Sequence[Picture],
    command: str,
    output: Path,
) -> Path:
    """Write ``report.md`` into ``output`` and return its path.

    Args:
        results: what was found.
        pictures: what was drawn, in ``output``.
        command: the command line that repeats it.
        output: the report's folder.
    """
    experiment, metrics = results.experiment, results.metrics
    sections = [
        f"# Unlearning with {escape(experiment.env_id)}",
        _setting(experiment, command),
        *classes(results),
        *_rows(experiment),
        "## What was found",
        bullets((*spread(results), *conclusion(results), *_diverged(results))),
        "## Results",
        main_grid(results, metrics).markdown(),
        "Mean ± half of the 95 % interval (Student's t) over seeds; where a metric has a range, the ends of an "
        f"interval (on the logit scale, and no narrower than the samples alone allow). {STAR} marks the best static "
        "agent, column by column. It is chosen on the very seeds it is compared on, which favours it.",
        *(f"*{escape(note)}*" for note in results.notes),
        *_deviations(results),
        *_compared(results),
        *certified(results),
        *_class_by_class(results),
        *shown(pictures, output),
        *ending(metrics),
    ]
    return save_sections(sections, output)


def bullets(sentences: Iterable[str]) -> str:
    """Return sentences as a list."""
    return "\n".join(f"- {escape(sentence)}" for sentence in sentences)


def shown(pictures: Sequence[Picture], output: Path) -> list[str]:
    """Return pictures with their headings and captions."""
    return [
        f"## {escape(picture.title)}\n\n![{picture.path.stem}]({os.path.relpath(picture.path, output)})\n\n"
        f"{escape(picture.caption)}"
        for picture in pictures
    ]


def ending(metrics: Sequence[str]) -> list[str]:
    """Return what every report ends with: what its metrics mean, and the versions."""
    known = ", ".join(f"{name} {number}" for name, number in versions().items())
    return ["## What the metrics mean", glossary_grid(metrics).markdown(), "## Versions", f"{known}."]


def save_sections(sections: Sequence[str], output: Path) -> Path:
    """Write ``report.md`` into ``output`` and return its path."""
    path = output / "report.md"
    write_text(path, "\n\n".join(sections) + "\n")
    return path


def _setting(experiment: Experiment, command: str) -> str:
    seeds = ", ".join(map(str, experiment.seeds))
    keywords = (
        "".join(f" {code(f'{name}={value}')}" for name, value in experiment.env_kwargs.items())
        or " the defaults"
    )
    return (
        f"{code(command)}\n\nEnvironment keywords:{keywords}. Seeds: {seeds}; every agent starts from the same "
        "weights and sees the same minibatches and noise at one seed (common random numbers)."
    )


def classes(results: Results) -> list[str]:
    """Say which class has which number, where classes have names: a wrong numbering is seen here."""
    names = results.class_names
    if all(name == str(number) for number, name in names.items()):
        return []
    return [f"Classes: {', '.join(f'{number} {escape(name)}' for number, name in names.items())}."]


def _rows(experiment: Experiment) -> list[str]:
    """Say which agent runs where, if not all run in one environment."""
    if experiment.groups() == ("",):
        return []
    rows = []
    for entry in experiment.entries:
        env_id, _ = experiment.setting(entry)
        own = ", ".join(f"{name}={value}" for name, value in entry.env_kwargs.items()) or "–"
        rows.append((entry.name, entry.group or "–", entry.description, code(env_id), own))
    return [Grid(("row", "group", "agent", "environment", "own keywords"), tuple(rows)).markdown()]


def _diverged(results: Results) -> list[str]:
    counts = {c.name: sum(run.diverged for run in results.runs(c.name)) for c in results.experiment.entries}
    return [
        f"{count} of the runs of {name} diverged and ended early." for name, count in counts.items() if count
    ]


def _deviations(results: Results) -> list[str]:
    if len(results.experiment.seeds) < 2:
        return []
    grid = deviation_grid(results, results.key_metrics or results.metrics)
    return ["### The same as mean ± standard deviation over seeds", grid.markdown()]


def _compared(results: Results) -> list[str]:
    key = results.key_metrics
    if len(results.experiment.seeds) < 2 or not key:
        return []
    title, said = (
        ("Interquartile means", "Mean of the middle half of the seeds, with 95 % bootstrap intervals.")
        if len(results.experiment.seeds) >= FEWEST_TO_RESAMPLE
        else (
            "Seed by seed",
            f"The values themselves: {FEWEST_TO_RESAMPLE} seeds would bear robust intervals.",
        )
    )
    return [*differences(results, key), f"## {title}", robust_grid(results, key).markdown(), said]


def certified(results: Results) -> list[str]:
    """Return the section of certificates, where limits were given."""
    limits = results.experiment.limits
    if not limits.shares:
        return []
    found = certificates({entry.name: results.of(entry.name) for entry in results.experiment.entries}, limits)
    sentences = explained(limits, len(results.experiment.seeds))
    return ["## Certificates", certificate_grid(found).markdown(), bullets(sentences)]


def _class_by_class(results: Results) -> list[str]:
    """Return a table a metric that was measured class by class: mean over seeds, a column a class."""
    sections = [
        f"### {escape(metric)}\n\n{class_grid(results, metric).markdown()}" for metric in results.by_class
    ]
    return (
        ["## Class by class", "Means over seeds; the classes are the labels asked for.", *sections]
        if sections
        else []
    )


def differences(results: Results, metrics: Sequence[str]) -> list[str]:
    """Return the sections of paired differences on some metrics: to the best static agent, to the baseline."""
    experiment = results.experiment
    sections = []
    best = pair_grid(results.against_static, metrics, name_other=True)
    if best.rows:
        sections += [
            "## Against the best static agent",
            best.markdown(),
            "Paired differences, seed by seed, to the static agent (in brackets; of the same objective) with the "
            "best mean of that metric. ± is half of the 95 % interval; ≈ where it holds 0.",
        ]
    if experiment.baseline:
        sections += [
            f"## Against {escape(experiment.baseline)}",
            pair_grid(results.against_baseline, metrics, name_other=False).markdown(),
            f"Paired differences, seed by seed, to {escape(experiment.baseline)}.",
        ]
    return sections
