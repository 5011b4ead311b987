"""``report.md``: what was asked, what was found, in tables, sentences and pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from unlearn_gym.evaluation.campaign import Campaign, Findings
from unlearn_gym.evaluation.drawing import Picture
from unlearn_gym.evaluation.results import versions
from unlearn_gym.evaluation.tables import STAR, glossary_grid, main_grid, pair_grid, robust_grid
from unlearn_gym.evaluation.wording import conclusion
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
        f"# Unlearning with {campaign.env_id}",
        _setting(campaign, command),
        "## What was found",
        "\n".join(
            f"- {sentence}" for sentence in (*conclusion(campaign, findings), *_diverged(campaign, findings))
        ),
        "## Results",
        main_grid(campaign, findings, metrics).markdown(),
        f"Mean ± half of the 95 % interval (Student's t) over seeds. {STAR} marks the best static agent, "
        "column by column. It is chosen on the very seeds it is compared on, which favours it.",
        *(f"*{note}*" for note in findings.notes),
        *_compared(campaign, findings),
        *(
            f"![{picture.path.stem}]({os.path.relpath(picture.path, output)})\n\n{picture.caption}"
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
    keywords = "".join(f" `{name}={value}`" for name, value in campaign.env_kwargs.items()) or " the defaults"
    return (
        f"`{command}`\n\nEnvironment keywords:{keywords}. Seeds: {seeds}; every agent starts from the same "
        "weights and sees the same minibatches and noise at one seed (common random numbers)."
    )


def _diverged(campaign: Campaign, findings: Findings) -> list[str]:
    counts = {c.name: sum(run.diverged for run in findings.runs(c.name)) for c in campaign.contestants}
    return [
        f"{count} of the runs of {name} diverged and ended early." for name, count in counts.items() if count
    ]


def _compared(campaign: Campaign, findings: Findings) -> list[str]:
    key = findings.key_metrics
    if len(campaign.seeds) < 2 or not key:
        return ["## Pictures"]
    sections = [
        "## Interquartile means",
        robust_grid(campaign, findings, key).markdown(),
        "Mean of the middle half of the seeds, with 95 % bootstrap intervals.",
    ]
    grid = pair_grid(campaign, findings, key)
    if grid.rows:
        sections = [
            "## Against the best static agent",
            grid.markdown(),
            "Paired differences, seed by seed, to the static agent with the best mean of that metric.",
            *sections,
        ]
    return [*sections, "## Pictures"]
