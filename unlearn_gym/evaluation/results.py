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

from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED, Entry, Experiment, Results
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
        b: the static agent of its group with the best mean, or the experiment's baseline.
        metric: name in the glossary.
        summary: of the differences, seed by seed.
    """

    a: str
    b: str
    metric: str
    summary: Summary

    @property
    def outcome(self) -> str:
        """Return "better", "worse" or "no difference", by whether the 95 % interval leaves out 0."""
        low, high = self.summary.ci95 or (-math.inf, math.inf)
        if low <= 0.0 <= high:
            return "no difference"
        return "better" if (low > 0.0) == (GLOSSARY[self.metric].better == "higher") else "worse"


def table(results: Results, name: str) -> dict[str, Summary]:
    """Summarise a row: metric → numbers over seeds; metrics that the row lacks or that failed are missing."""
    records = results.of(name)
    columns = {
        metric: [record.values.get(metric, math.nan) for record in records] for metric in results.metrics
    }
    return {
        metric: summarize(values)
        for metric, values in columns.items()
        if values and all(map(math.isfinite, values))
    }


def best_static(experiment: Experiment, results: Results, metric: str, group: str = "") -> str | None:
    """Return a group's static agent with the best mean, the first of equals; None if there is none to compare."""
    if not GLOSSARY[metric].compared:
        return None
    sign = 1.0 if GLOSSARY[metric].better == "higher" else -1.0
    means = {
        entry.name: sign * summary[metric].mean
        for entry in experiment.entries
        if entry.kind == "static"
        and entry.group == group
        and metric in (summary := table(results, entry.name))
    }
    return max(means, key=lambda name: means[name]) if means else None


def pairs(experiment: Experiment, results: Results) -> list[Pair]:
    """Compare every other agent with the best static one of its group, metric by metric."""
    return _pairs(
        experiment, results, lambda one, metric: best_static(experiment, results, metric, one.group), True
    )


def baseline_pairs(experiment: Experiment, results: Results) -> list[Pair]:
    """Compare every agent with the experiment's baseline, metric by metric; empty where it has none."""
    return _pairs(experiment, results, lambda one, metric: experiment.baseline or None, False)


def _pairs(
    experiment: Experiment,
    results: Results,
    reference: Callable[[Entry, str], str | None],
    skip_static: bool,
) -> list[Pair]:
    found = []
    tables = {entry.name: table(results, entry.name) for entry in experiment.entries}
    for metric in results.metrics:
        for one in experiment.entries:
            other = reference(one, metric) if GLOSSARY[metric].compared else None
            if other is None or other == one.name or (skip_static and one.kind == "static"):
                continue
            if metric in tables[one.name] and metric in tables[other]:
                values = (tables[name][metric].values for name in (one.name, other))
                found.append(Pair(one.name, other, metric, paired_difference(*values)))
    return found


def as_json(experiment: Experiment, results: Results, command: str, output: Path) -> dict[str, Any]:
    """Return what ``results.json`` holds.

    Args:
        experiment: what was measured.
        results: what was found.
        command: the command line that repeats it.
        output: the report's folder; run records are named relative to it.
    """
    references = [name for name in (BEFORE, RETRAINED) if results.of(name)]
    return {
        "env": experiment.env_id,
        "seeds": list(experiment.seeds),
        "settings": {
            "env_kwargs": readable(experiment.env_kwargs),
            "deterministic": experiment.deterministic,
            **asdict(experiment.evaluator),
        },
        "samples": {
            "forget_label": experiment.evaluator.samples,
            "each_other_label": experiment.evaluator.class_samples,
        },
        "command": command,
        "versions": versions(),
        "agents": {c.name: _agent(experiment, results, c) for c in experiment.entries},
        "references": {name: {"metrics": _row(results, name)} for name in references},
        "pairs": [
            {
                "a": pair.a,
                "b": pair.b,
                "metric": pair.metric,
                "difference": pair.summary.mean,
                "ci95": pair.summary.ci95,
            }
            for pair in (*pairs(experiment, results), *baseline_pairs(experiment, results))
        ],
        "notes": list(results.notes),
        "runs": {
            name: [os.path.relpath(path, output) for (row, _), path in results.paths.items() if row == name]
            for name in dict.fromkeys(row for row, _ in results.paths)
        },
    }


def timings(experiment: Experiment, results: Results) -> dict[str, Any]:
    """Return what ``timings.json`` holds: agent → metric → the numbers that differ from run to run."""
    return {c.name: _row(results, c.name, timed=True) for c in experiment.entries}


def save_results(
    content: dict[str, Any], experiment: Experiment, results: Results, output: Path
) -> list[Path]:
    """Write ``results.json`` and ``timings.json`` into ``output`` and return their paths.

    Args:
        content: of ``results.json``.
        experiment: what was measured.
        results: what was found.
        output: the report's folder.
    """
    files = {output / "results.json": content, output / "timings.json": timings(experiment, results)}
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


def _agent(experiment: Experiment, results: Results, entry: Entry) -> dict[str, Any]:
    env_id, env_kwargs = experiment.setting(entry)
    own = {"group": entry.group, "env": env_id, "env_kwargs": readable(env_kwargs)} if entry.group else {}
    return {"kind": entry.kind, **own, "metrics": _row(results, entry.name)}


def _row(results: Results, name: str, *, timed: bool = False) -> dict[str, Any]:
    return {
        metric: {**asdict(summary), "better": GLOSSARY[metric].better}
        for metric, summary in table(results, name).items()
        if (metric in TIMED) == timed
    }
