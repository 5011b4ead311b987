"""What was found: every row's numbers over seeds, and how rows compare, each computed once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from unlearn_gym.evaluation.experiment import BEFORE, RETRAINED, Entry, Experiment
from unlearn_gym.evaluation.records import Record
from unlearn_gym.evaluation.run import Run
from unlearn_gym.evaluation.statistics import Summary, paired_difference, summarize
from unlearn_gym.metrics.glossary import GLOSSARY


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


@dataclass(frozen=True)
class Results:
    """All records of an experiment, what its evaluator says about them, and the statistics of both.

    Tables, figures, sentences and files are made of this alone; summaries and comparisons are computed when they are
    first asked for, and then kept.

    Attributes:
        experiment: what was measured.
        records: one per row and seed.
        metrics: names of what reports show, in the glossary's order.
        key_metrics: those of them that come first.
        trade_off: forget-side and retain-side metric of the scatter.
        notes: what could not be measured and why.
        paths: (row, seed) → file of the record.
        examples: title → images of the training data, uint8 of shape (n, height, width, channels).
        forgotten: name of what is to be forgotten, such as "ankle boot"; empty where nothing names it.
        label: name of the label that it was learned under; empty where there is no single one.
        class_names: number → name of the classes; empty where there are none.
        samples: metric → draws behind each seed's value, of the metrics that are shares of samples.
    """

    experiment: Experiment
    records: tuple[Record, ...]
    metrics: tuple[str, ...]
    key_metrics: tuple[str, ...]
    trade_off: tuple[str, str]
    notes: tuple[str, ...] = ()
    paths: dict[tuple[str, int], Path] = field(default_factory=dict)
    examples: dict[str, np.ndarray] = field(default_factory=dict)
    forgotten: str = ""
    label: str = ""
    class_names: dict[int, str] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=dict)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the rows that something was found for: before, the agents, retrained."""
        agents = (entry.name for entry in self.experiment.entries)
        found = {record.name for record in self.records}
        return tuple(name for name in (BEFORE, *agents, RETRAINED) if name in found)

    def of(self, name: str) -> list[Record]:
        """Return a row's records in the order of the seeds."""
        return sorted((record for record in self.records if record.name == name), key=lambda r: r.seed)

    def runs(self, name: str) -> list[Run]:
        """Return a row's runs in the order of the seeds."""
        return [record.run for record in self.of(name) if record.run is not None]

    def row(self, name: str) -> dict[str, Summary]:
        """Return metric → numbers over seeds; metrics that the row lacks or that failed are missing."""
        return self._rows.get(name, {})

    @cached_property
    def _rows(self) -> dict[str, dict[str, Summary]]:
        return {name: self._summaries(self.of(name)) for name in self.names}

    def _summaries(self, records: list[Record]) -> dict[str, Summary]:
        columns = {
            metric: [record.values.get(metric, math.nan) for record in records] for metric in self.metrics
        }
        return {
            metric: summarize(values, GLOSSARY[metric].bounds, self.samples.get(metric))
            for metric, values in columns.items()
            if np.isfinite(values).all()
        }

    @cached_property
    def by_class(self) -> dict[str, dict[str, dict[str, Summary]]]:
        """Metric → row → class → numbers over seeds, of what was measured class by class."""
        found: dict[str, dict[str, dict[str, Summary]]] = {}
        for metric in dict.fromkeys(metric for record in self.records for metric in record.classes):
            rows = {
                name: [r.classes[metric] for r in self.of(name) if metric in r.classes] for name in self.names
            }
            bounds = GLOSSARY[metric].bounds if metric in GLOSSARY else None
            samples = self.experiment.evaluator.class_samples if metric in self.samples else None
            found[metric] = {
                name: {
                    label: summarize([values[label] for values in row], bounds, samples) for label in row[0]
                }
                for name, row in rows.items()
                if row
            }
        return found

    def best_static(self, metric: str, group: str = "") -> str | None:
        """Return a group's static agent with the best mean, the first of equals; None if there is none to compare."""
        return self._best.get((group, metric))

    @cached_property
    def _best(self) -> dict[tuple[str, str], str]:
        best = {}
        for metric in filter(lambda name: GLOSSARY[name].compared, self.metrics):
            sign = 1.0 if GLOSSARY[metric].better == "higher" else -1.0
            for group in self.experiment.groups():
                means = {
                    entry.name: sign * self.row(entry.name)[metric].mean
                    for entry in self.experiment.entries
                    if entry.kind == "static" and entry.group == group and metric in self.row(entry.name)
                }
                if means:
                    best[group, metric] = max(means, key=lambda name: means[name])
        return best

    @cached_property
    def against_static(self) -> tuple[Pair, ...]:
        """Every other agent beside the best static one of its group, metric by metric."""
        return self._pairs(
            lambda one, metric: None if one.kind == "static" else self.best_static(metric, one.group)
        )

    @cached_property
    def against_baseline(self) -> tuple[Pair, ...]:
        """Every agent beside the experiment's baseline, metric by metric; empty where it has none."""
        return self._pairs(lambda one, metric: self.experiment.baseline or None)

    def _pairs(self, reference: Callable[[Entry, str], str | None]) -> tuple[Pair, ...]:
        found = []
        for metric in filter(lambda name: GLOSSARY[name].compared, self.metrics):
            for one in self.experiment.entries:
                other = reference(one, metric)
                if other in (None, one.name) or not all(
                    metric in self.row(name) for name in (one.name, other)
                ):
                    continue
                ours, theirs = (self.row(name)[metric].values for name in (one.name, other))
                difference = paired_difference(ours, theirs, GLOSSARY[metric].bounds)
                found.append(Pair(one.name, other, metric, difference))
        return tuple(found)
