"""``report.md``: what was asked, what was found, in tables, sentences and pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from unlearn_gym.evaluation.campaign import Campaign, Findings
from unlearn_gym.evaluation.drawing import Picture
from unlearn_gym.evaluation.markup import code, escape
from unlearn_gym.evaluation.results import baseline_pairs, pairs, versions
from unlearn_gym.evaluation.tables import (
    STAR,
    Grid,
    class_grid,
    deviation_grid,
    glossary_grid,
    main_grid,
    pair_grid,
    robust_grid,
)
from unlearn_gym.evaluation.wording import conclusion, spread
from unlearn_gym.files import write_text


def save_report(
    campaign: Campaign,
    findings: Findings,
    pictures: Sequence[Picture],
    command: str,
    output: Path,
) -> Path:
    """Write ``report.md`` into ``output`` and return its path.

    Args:
        campaign: what was measured.
        findings: what was found.
        pictures: what was drawn, in ``output``.
        command: the command line that repeats it.
        output: the report's folder.
    """
    metrics = findings.metrics
    sections = [
        f"# Unlearning with {escape(campaign.env_id)}",
        _setting(campaign, command),
        *_classes(findings),
        *_rows(campaign),
        "## What was found",
        "\n".join(
            f"- {escape(sentence)}"
            for sentence in (
                *spread(campaign, findings),
                *conclusion(campaign, findings),
                *_diverged(campaign, findings),
            )
        ),
        "## Results",
        main_grid(campaign, findings, metrics).markdown(),
        f"Mean ± half of the 95 % interval (Student's t) over seeds. {STAR} marks the best static agent, "
        "column by column. It is chosen on the very seeds it is compared on, which favours it.",
        *(f"*{escape(note)}*" for note in findings.notes),
        *_deviations(campaign, findings),
        *_compared(campaign, findings),
        *_class_by_class(campaign, findings),
        "## Pictures",
        *(
            f"![{picture.path.stem}]({os.path.relpath(picture.path, output)})\n\n{escape(picture.caption)}"
            for picture in pictures
        ),
        "## What the metrics mean",
        glossary_grid(metrics).markdown(),
        "## Versions",
        ", ".join(f"{name} {number}" for name, number in versions().items()) + ".",
    ]
    path = output / "report.md"
    write_text(path, "\n\n".join(sections) + "\n")
    return path


def _setting(campaign: Campaign, command: str) -> str:
    seeds = ", ".join(map(str, campaign.seeds))
    keywords = (
        "".join(f" {code(f'{name}={value}')}" for name, value in campaign.env_kwargs.items())
        or " the defaults"
    )
    return (
        f"{code(command)}\n\nEnvironment keywords:{keywords}. Seeds: {seeds}; every agent starts from the same "
        "weights and sees the same minibatches and noise at one seed (common random numbers)."
    )


def _classes(findings: Findings) -> list[str]:
    """Say which class has which number, where classes have names: a wrong numbering is seen here."""
    names = findings.class_names
    if all(name == str(number) for number, name in names.items()):
        return []
    return [f"Classes: {', '.join(f'{number} {escape(name)}' for number, name in names.items())}."]


def _rows(campaign: Campaign) -> list[str]:
    """Say which agent runs where, if not all run in one environment."""
    if campaign.groups() == ("",):
        return []
    rows = []
    for contestant in campaign.contestants:
        env_id, _ = campaign.setting(contestant)
        own = ", ".join(f"{name}={value}" for name, value in contestant.env_kwargs.items()) or "–"
        rows.append((contestant.name, contestant.group or "–", contestant.description, code(env_id), own))
    return [Grid(("row", "group", "agent", "environment", "own keywords"), tuple(rows)).markdown()]


def _diverged(campaign: Campaign, findings: Findings) -> list[str]:
    counts = {c.name: sum(run.diverged for run in findings.runs(c.name)) for c in campaign.contestants}
    return [
        f"{count} of the runs of {name} diverged and ended early." for name, count in counts.items() if count
    ]


def _deviations(campaign: Campaign, findings: Findings) -> list[str]:
    if len(campaign.seeds) < 2:
        return []
    grid = deviation_grid(campaign, findings, findings.key_metrics or findings.metrics)
    return ["### The same as mean ± standard deviation over seeds", grid.markdown()]


def _compared(campaign: Campaign, findings: Findings) -> list[str]:
    key = findings.key_metrics
    if len(campaign.seeds) < 2 or not key:
        return []
    sections = [
        "## Interquartile means",
        robust_grid(campaign, findings, key).markdown(),
        "Mean of the middle half of the seeds, with 95 % bootstrap intervals.",
    ]
    return [*differences(campaign, findings, key), *sections]


def _class_by_class(campaign: Campaign, findings: Findings) -> list[str]:
    """Return a table a metric that was measured class by class: mean over seeds, a column a class."""
    sections = [
        f"### {escape(metric)}\n\n{class_grid(campaign, findings, metric).markdown()}"
        for metric in findings.class_metrics()
    ]
    return (
        ["## Class by class", "Means over seeds; the classes are the labels asked for.", *sections]
        if sections
        else []
    )


def differences(campaign: Campaign, findings: Findings, metrics: Sequence[str]) -> list[str]:
    """Return the sections of paired differences on some metrics: to the best static agent, to the baseline."""
    sections = []
    best = pair_grid(pairs(campaign, findings), metrics, name_other=True)
    if best.rows:
        sections += [
            "## Against the best static agent",
            best.markdown(),
            "Paired differences, seed by seed, to the static agent (in brackets; of the same objective) with the "
            "best mean of that metric. ± is half of the 95 % interval; ≈ where it holds 0.",
        ]
    if campaign.baseline:
        sections += [
            f"## Against {escape(campaign.baseline)}",
            pair_grid(baseline_pairs(campaign, findings), metrics, name_other=False).markdown(),
            f"Paired differences, seed by seed, to {escape(campaign.baseline)}.",
        ]
    return sections
