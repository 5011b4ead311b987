"""The published table of the class-unlearning benchmark (MLS-Bench, ``security-machine-unlearning``)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib import resources

METRICS = ("retain_acc", "forget_acc", "forget_mia_auc", "unlearn_score")


@dataclass(frozen=True)
class PublishedRow:
    """One row of the table, for one task.

    Attributes:
        task: name of the task as here.
        rule: name of the baseline, or of the language model that wrote the rule.
        kind: "baseline", or how a language model was asked: "vanilla" or "agent".
        values: metric → number, rounded to three digits as published.
    """

    task: str
    rule: str
    kind: str
    values: dict[str, float]


def published(task: str) -> list[PublishedRow]:
    """Return the published rows of a task, none where nothing was published."""
    source = resources.files("unlearn_gym.evaluation.benchmark").joinpath("published.csv")
    lines = csv.DictReader(source.read_text(encoding="utf-8").splitlines())
    rows = [
        PublishedRow(line["task"], line["rule"], line["kind"], {name: float(line[name]) for name in METRICS})
        for line in lines
    ]
    return [row for row in rows if row.task == task]


def baseline(task: str, rule: str) -> PublishedRow | None:
    """Return the published baseline of that name, if there is one."""
    rows = published(task)
    return next((row for row in rows if row.rule == rule and row.kind == "baseline"), None)


def best(task: str) -> PublishedRow | None:
    """Return the published row with the best score, if anything was published."""
    return max(published(task), key=lambda row: row.values["unlearn_score"], default=None)
