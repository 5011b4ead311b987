"""``results.json``: every number of a report, with its seeds, intervals, settings and versions.

It is the same, byte for byte, however often the evaluation was killed and in however many processes it ran. What the
clock measured is in ``timings.json``.
"""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from unlearn_gym.evaluation.certificates import certificates
from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED, Entry
from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.statistics import Summary
from unlearn_gym.metrics.glossary import GLOSSARY
from unlearn_gym.storage.files import write_json

PACKAGES = ("unlearn-gym", "torch", "diffusers", "stable-baselines3", "gymnasium", "numpy", "torchmetrics")


def as_json(results: Results, command: str, output: Path) -> dict[str, Any]:
    """Return what ``results.json`` holds.

    Args:
        results: what was found.
        command: the command line that repeats it.
        output: the report's folder; run records are named relative to it.
    """
    experiment = results.experiment
    rows = {entry.name: results.of(entry.name) for entry in experiment.entries}
    limits = experiment.limits
    certified = [asdict(one) for one in certificates(rows, limits)] if limits.shares else []
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
        "agents": {c.name: _agent(results, c) for c in experiment.entries},
        "references": {
            name: {"metrics": _row(results, name)} for name in results.names if name in (BEFORE, RETRAINED)
        },
        "pairs": [
            {
                "a": pair.a,
                "b": pair.b,
                "metric": pair.metric,
                "difference": pair.summary.mean,
                "ci95": pair.summary.ci95,
            }
            for pair in (*results.against_static, *results.against_baseline)
        ],
        **({"limits": asdict(limits), "certificates": certified} if certified else {}),
        "notes": list(results.notes),
        "runs": {
            name: [os.path.relpath(path, output) for (row, _), path in results.paths.items() if row == name]
            for name in dict.fromkeys(row for row, _ in results.paths)
        },
    }


def rows_of(content: Mapping[str, Any]) -> dict[str, dict[str, Summary]]:
    """Read the numbers of ``results.json`` again.

    Args:
        content: what the file holds.

    Returns:
        Name of an agent or a reference → metric → its numbers; before first, retrained last.
    """
    references = content["references"]
    parts = {name: references[name] for name in (BEFORE,) if name in references} | content["agents"]
    parts |= {name: references[name] for name in (RETRAINED,) if name in references}
    return {
        name: {metric: _summary(values) for metric, values in part["metrics"].items()}
        for name, part in parts.items()
    }


def _summary(values: Mapping[str, Any]) -> Summary:
    interval = values["ci95"]
    return Summary(tuple(values["values"]), values["mean"], values["std"], interval and tuple(interval))


def timings(results: Results) -> dict[str, Any]:
    """Return what ``timings.json`` holds: agent → metric → the numbers that differ from run to run."""
    return {c.name: _row(results, c.name, timed=True) for c in results.experiment.entries}


def save_results(content: dict[str, Any], results: Results, output: Path) -> list[Path]:
    """Write ``results.json`` and ``timings.json`` into ``output`` and return their paths.

    Args:
        content: of ``results.json``.
        results: what was found.
        output: the report's folder.
    """
    files = {output / "results.json": content, output / "timings.json": timings(results)}
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


def _agent(results: Results, entry: Entry) -> dict[str, Any]:
    env_id, env_kwargs = results.experiment.setting(entry)
    own = {"group": entry.group, "env": env_id, "env_kwargs": readable(env_kwargs)} if entry.group else {}
    return {"kind": entry.kind, **own, "metrics": _row(results, entry.name)}


def _row(results: Results, name: str, *, timed: bool = False) -> dict[str, Any]:
    return {
        metric: {**asdict(summary), "better": GLOSSARY[metric].better}
        for metric, summary in results.row(name).items()
        if (GLOSSARY[metric].unit == "seconds") == timed
    }
