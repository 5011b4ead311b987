"""What a report compares, and what was found: agents, seeds, settings, and the records of all runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import torch

from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.judge import JudgeSettings
from unlearn_gym.evaluation.records import Record, digest, stamps
from unlearn_gym.evaluation.run import Run

BEFORE, RETRAINED = "before", "retrained"


@dataclass(frozen=True)
class Contestant:
    """One agent of a report.

    Attributes:
        name: its row's name; unique.
        make: builds a fresh agent for an environment; module-level (it is sent to other processes).
        kind: "static" agents are what "learned" ones are compared with.
        fingerprint: changes when the agent does, such as a digest of its files.
        run_folder: where its training was logged, for the learning curves.
    """

    name: str
    make: Callable[[gym.Env], Any]
    kind: Literal["static", "learned", "other"] = "other"
    fingerprint: str = ""
    run_folder: Path | None = None


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
    """

    env_id: str
    contestants: tuple[Contestant, ...]
    seeds: tuple[int, ...]
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    judge: JudgeSettings = field(default_factory=JudgeSettings)
    deterministic: bool = True
    metrics: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [contestant.name for contestant in self.contestants]
        if not names:
            raise UserError("No agents were given; name at least one, such as static:0.5.")
        if not self.seeds:
            raise UserError("No seeds were given; give at least 1.")
        for name in names:
            if names.count(name) > 1 or name in (BEFORE, RETRAINED):
                raise UserError(f"The agent name {name!r} is taken; name every agent once.")

    def contestant(self, name: str) -> Contestant | None:
        """Return the contestant of that name, or None for a reference."""
        return next((one for one in self.contestants if one.name == name), None)

    def key(self, name: str, seed: int) -> str:
        """Return the digest that the record of a row and a seed is found by."""
        contestant = self.contestant(name)
        settings = {
            "env": self.env_id,
            "env_kwargs": self.env_kwargs,
            "name": name,
            "fingerprint": contestant.fingerprint if contestant else "",
            "seed": seed,
            "judge": asdict(self.judge),
            "deterministic": self.deterministic,
            "torch": torch.__version__,
        }
        return digest(settings | stamps(self.env_kwargs))


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
    """

    records: tuple[Record, ...]
    metrics: tuple[str, ...]
    key_metrics: tuple[str, ...]
    trade_off: tuple[str, str]
    notes: tuple[str, ...]
    paths: dict[tuple[str, int], Path]

    def of(self, name: str) -> list[Record]:
        """Return a row's records in the order of the seeds."""
        return sorted((record for record in self.records if record.name == name), key=lambda r: r.seed)

    def runs(self, name: str) -> list[Run]:
        """Return a row's runs in the order of the seeds."""
        return [record.run for record in self.of(name) if record.run is not None]
