"""What a report compares, and what was found: agents, seeds, settings, and the records of all runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import torch

from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.judge import JudgeSettings
from unlearn_gym.evaluation.records import Record, digest, stamps
from unlearn_gym.evaluation.run import Run

BEFORE, RETRAINED = "before", "retrained"
MOST_SEEDS = 2**32
"""NumPy's global generator takes no larger seed."""


@dataclass(frozen=True)
class Contestant:
    """One agent of a report.

    Attributes:
        name: its row's name; unique.
        make: builds a fresh agent for an environment; module-level (it is sent to other processes).
        kind: "static" agents are what "learned" ones are compared with.
        fingerprint: changes when the agent does, such as a digest of its files.
        run_folder: where its training was logged, for the learning curves.
        env_id: the environment it runs in; the campaign's if empty. It has the same task: the same judge
            measures what is left.
        env_kwargs: keywords of ``gym.make``, on top of the campaign's.
        description: what it is, for the report's list of rows, where its name does not say it.
        group: static agents are chosen as the best, and compared with, within their group.
    """

    name: str
    make: Callable[[gym.Env], Any]
    kind: Literal["static", "learned", "other"] = "other"
    fingerprint: str = ""
    run_folder: Path | None = None
    env_id: str = ""
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    group: str = ""
    description: str = ""


@dataclass(frozen=True)
class Campaign:
    """What is to be measured.

    Attributes:
        env_id: a registered environment.
        contestants: the agents.
        seeds: one run of every agent on each.
        env_kwargs: keywords of ``gym.make``.
        judge: how much is measured after each run.
        deterministic: whether learned policies act by their mean.
        metrics: names of what reports show; everything that is measured if empty.
        baseline: name of an agent that all others are compared with, beside the best static one; none if empty.
    """

    env_id: str
    contestants: tuple[Contestant, ...]
    seeds: tuple[int, ...]
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    judge: JudgeSettings = field(default_factory=JudgeSettings)
    deterministic: bool = True
    metrics: tuple[str, ...] = ()
    baseline: str = ""

    def __post_init__(self) -> None:
        names = [contestant.name for contestant in self.contestants]
        if not names:
            raise UserError("No agents were given; name at least one, such as static:0.5.")
        if not self.seeds:
            raise UserError("No seeds were given; give at least 1.")
        for seed in self.seeds:
            if not 0 <= seed < MOST_SEEDS:
                raise UserError(f"The seed {seed} is out of range; give seeds from 0 to {MOST_SEEDS - 1}.")
        for name in names:
            if names.count(name) > 1 or name in (BEFORE, RETRAINED):
                raise UserError(f"The agent name {name!r} is taken; name every agent once.")
        if self.baseline and self.baseline not in names:
            raise UserError(f"The baseline {self.baseline!r} is not among the agents {', '.join(names)}.")

    def contestant(self, name: str) -> Contestant | None:
        """Return the contestant of that name, or None for a reference."""
        return next((one for one in self.contestants if one.name == name), None)

    def groups(self) -> tuple[str, ...]:
        """Return the groups of the contestants, in their order."""
        return tuple(dict.fromkeys(contestant.group for contestant in self.contestants))

    def setting(self, contestant: Contestant | None) -> tuple[str, dict[str, Any]]:
        """Return id and keywords of the environment that a contestant, or a reference, runs in."""
        if contestant is None:
            return self.env_id, self.env_kwargs
        return contestant.env_id or self.env_id, self.env_kwargs | contestant.env_kwargs

    def key(self, name: str, seed: int) -> str:
        """Return the digest that the record of a row and a seed is found by."""
        contestant = self.contestant(name)
        env_id, env_kwargs = self.setting(contestant)
        settings = {
            "env": env_id,
            "env_kwargs": env_kwargs,
            "name": name,
            "fingerprint": contestant.fingerprint if contestant else "",
            "seed": seed,
            "judge": asdict(self.judge),
            "deterministic": self.deterministic,
            "torch": torch.__version__,
        }
        return digest(settings | stamps(env_kwargs))


@dataclass(frozen=True)
class Findings:
    """All records of a campaign, and what its judge says about them.

    Attributes:
        records: one per row and seed.
        metrics: names of what reports show, in the glossary's order.
        key_metrics: those of them that come first.
        trade_off: forget-side and retain-side metric of the scatter.
        notes: what could not be measured and why.
        paths: (row, seed) → file of the record.
        examples: title → images of the training data, uint8 of shape (n, height, width, channels).
        class_names: number → name of the classes; empty where there are none.
    """

    records: tuple[Record, ...]
    metrics: tuple[str, ...]
    key_metrics: tuple[str, ...]
    trade_off: tuple[str, str]
    notes: tuple[str, ...]
    paths: dict[tuple[str, int], Path]
    examples: dict[str, np.ndarray] = field(default_factory=dict)
    class_names: dict[int, str] = field(default_factory=dict)

    def of(self, name: str) -> list[Record]:
        """Return a row's records in the order of the seeds."""
        return sorted((record for record in self.records if record.name == name), key=lambda r: r.seed)

    def class_metrics(self) -> tuple[str, ...]:
        """Return the names of what was measured class by class."""
        return tuple(dict.fromkeys(metric for record in self.records for metric in record.classes))

    def by_class(self, name: str, metric: str) -> dict[str, list[float]]:
        """Return class → a number a seed for one row and metric; empty where it was not measured."""
        found = [record.classes[metric] for record in self.of(name) if metric in record.classes]
        return {label: [values[label] for values in found] for label in (found[0] if found else {})}

    def runs(self, name: str) -> list[Run]:
        """Return a row's runs in the order of the seeds."""
        return [record.run for record in self.of(name) if record.run is not None]
