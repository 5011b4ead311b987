"""``results.json``: every number of a report, with its seeds, intervals, settings and versions.

It is the same, byte for byte, however often the evaluation was killed and in however many processes it ran. What the
clock measured is in ``timings.json``.
"""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED, Campaign, Contestant, Findings
from unlearn_gym.evaluation.statistics import Summary, paired_difference, summarize
from unlearn_gym.metrics.glossary import GLOSSARY
from unlearn_gym.storage.files import write_json

TIMED = frozenset(name for name, metric in GLOSSARY.items() if metric.unit == "seconds")
PACKAGES = ("unlearn-gym", "torch", "diffusers", "stable-baselines3", "gymnasium", "numpy", "torchmetrics")


@dataclass(frozen=True)
class Pair:
    """A paired difference a − b of one metric.

    Attributes:
        a: the agent compared.
        b: the static agent of its group with the best mean, or the campaign's baseline.
        metric: name in the glossary.
        summary: of the differences, seed by seed.
    """

    a: str
    b: str
    metric: str
    summary: Summary

    @property
    def verdict(self) -> str:
        """Return "better", "worse" or "no difference", by whether the 95 % interval leaves out 0."""
        low, high = self.summary.ci95 or (-math.inf, math.inf)
        if low <= 0.0 <= high:
            return "no difference"
        return "better" if (low > 0.0) == (GLOSSARY[self.metric].better == "higher") else "worse"


def table(findings: Findings, name: str) -> dict[str, Summary]:
    """Summarise a row: metric → numbers over seeds; metrics that the row lacks or that failed are missing."""
    records = findings.of(name)
    columns = {
        metric: [record.values.get(metric, math.nan) for record in records] for metric in findings.metrics
    }
    return {
        metric: summarize(values)
        for metric, values in columns.items()
        if values and all(map(math.isfinite, values))
    }


def best_static(campaign: Campaign, findings: Findings, metric: str, group: str = "") -> str | None:
    """Return a group's static agent with the best mean, the first of equals; None if there is none to compare."""
    if not GLOSSARY[metric].compared:
        return None
    sign = 1.0 if GLOSSARY[metric].better == "higher" else -1.0
    means = {
        contestant.name: sign * summary[metric].mean
        for contestant in campaign.contestants
        if contestant.kind == "static"
        and contestant.group == group
        and metric in (summary := table(findings, contestant.name))
    }
    return max(means, key=lambda name: means[name]) if means else None


def pairs(campaign: Campaign, findings: Findings) -> list[Pair]:
    """Compare every other agent with the best static one of its group, metric by metric."""
    return _pairs(
        campaign, findings, lambda one, metric: best_static(campaign, findings, metric, one.group), True
    )


def baseline_pairs(campaign: Campaign, findings: Findings) -> list[Pair]:
    """Compare every agent with the campaign's baseline, metric by metric; empty where it has none."""
    return _pairs(campaign, findings, lambda one, metric: campaign.baseline or None, False)


def _pairs(
    campaign: Campaign,
    findings: Findings,
    reference: Callable[[Contestant, str], str | None],
    skip_static: bool,
) -> list[Pair]:
    found = []
    tables = {contestant.name: table(findings, contestant.name) for contestant in campaign.contestants}
    for metric in findings.metrics:
        for one in campaign.contestants:
            other = reference(one, metric) if GLOSSARY[metric].compared else None
            if other is None or other == one.name or (skip_static and one.kind == "static"):
                continue
            if metric in tables[one.name] and metric in tables[other]:
                values = (tables[name][metric].values for name in (one.name, other))
                found.append(Pair(one.name, other, metric, paired_difference(*values)))
    return found


def results(campaign: Campaign, findings: Findings, command: str, output: Path) -> dict[str, Any]:
    """Return what ``results.json`` holds.

    Args:
        campaign: what was measured.
        findings: what was found.
        command: the command line that repeats it.
        output: the report's folder; run records are named relative to it.
    """
    references = [name for name in (BEFORE, RETRAINED) if findings.of(name)]
    return {
        "env": campaign.env_id,
        "seeds": list(campaign.seeds),
        "settings": {
            "env_kwargs": readable(campaign.env_kwargs),
            "deterministic": campaign.deterministic,
            **asdict(campaign.judge),
        },
        "samples": {"forget_label": campaign.judge.samples, "each_other_label": campaign.judge.class_samples},
        "command": command,
        "versions": versions(),
        "agents": {c.name: _agent(campaign, findings, c) for c in campaign.contestants},
        "references": {name: {"metrics": _row(findings, name)} for name in references},
        "pairs": [
            {
                "a": pair.a,
                "b": pair.b,
                "metric": pair.metric,
                "difference": pair.summary.mean,
                "ci95": pair.summary.ci95,
            }
            for pair in (*pairs(campaign, findings), *baseline_pairs(campaign, findings))
        ],
        "notes": list(findings.notes),
        "runs": {
            name: [os.path.relpath(path, output) for (row, _), path in findings.paths.items() if row == name]
            for name in dict.fromkeys(row for row, _ in findings.paths)
        },
    }


def timings(campaign: Campaign, findings: Findings) -> dict[str, Any]:
    """Return what ``timings.json`` holds: agent → metric → the numbers that differ from run to run."""
    return {c.name: _row(findings, c.name, timed=True) for c in campaign.contestants}


def save_results(content: dict[str, Any], campaign: Campaign, findings: Findings, output: Path) -> list[Path]:
    """Write ``results.json`` and ``timings.json`` into ``output`` and return their paths.

    Args:
        content: of ``results.json``.
        campaign: what was measured.
        findings: what was found.
        output: the report's folder.
    """
    files = {output / "results.json": content, output / "timings.json": timings(campaign, findings)}
    for path, values in files.items():
        write_json(path, values)
    return list(files)


def readable(value: Any) -> Any:
    """Return keywords as JSON can say them: infinite numbers and objects as text, tuples as lists."""
    if isinstance(value, dict):
        return {str(key): readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [readable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of Python, of the packages that are installed, and the machine."""
    found = {"python": platform.python_version(), "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _agent(campaign: Campaign, findings: Findings, contestant: Contestant) -> dict[str, Any]:
    env_id, env_kwargs = campaign.setting(contestant)
    own = (
        {"group": contestant.group, "env": env_id, "env_kwargs": readable(env_kwargs)}
        if contestant.group
        else {}
    )
    return {"kind": contestant.kind, **own, "metrics": _row(findings, contestant.name)}


def _row(findings: Findings, name: str, *, timed: bool = False) -> dict[str, Any]:
    return {
        metric: {**asdict(summary), "better": GLOSSARY[metric].better}
        for metric, summary in table(findings, name).items()
        if (metric in TIMED) == timed
    }
