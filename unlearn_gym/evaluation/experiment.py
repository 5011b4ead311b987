"""What a report compares: agents, seeds and settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
import torch

from unlearn_gym.data.fingerprint import content_of
from unlearn_gym.envs.making import registered_kwargs
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.evaluators.base import EvaluatorSettings
from unlearn_gym.evaluation.records import digest, stamps
from unlearn_gym.evaluation.risk_tests import Limits
from unlearn_gym.evaluation.sources import registered
from unlearn_gym.storage.bundles import named

BEFORE, RETRAINED = "before", "retrained"
MOST_SEEDS = 2**32
"""NumPy's global generator takes no larger seed."""


@dataclass(frozen=True)
class Entry:
    """One agent of a report.

    Attributes:
        name: its row's name; unique.
        make: builds a fresh agent, or a ``ClosedForm``, for an environment; module-level (it is sent to other
            processes).
        kind: "static" agents are what "learned" ones are compared with.
        fingerprint: changes when the agent does, such as a digest of its files.
        run_folder: where its training was logged, for the learning curves.
        env_id: the environment it runs in; the experiment's if empty. It has the same task: the same evaluator
            measures what is left.
        env_kwargs: keywords of ``gym.make``, on top of the experiment's.
        description: what it is, for the report's list of rows, where its name does not say it.
        group: static agents are chosen as the best, and compared with, within their group.
        unlearned: weights that an online run left, in safetensors; they are measured, and no run is made.
        files: files and folders that ``make`` reads.
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
    unlearned: Path | None = None
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """What is to be measured.

    Attributes:
        env_id: a registered environment.
        entries: the agents.
        seeds: one run of every agent on each.
        env_kwargs: keywords of ``gym.make``.
        evaluator: how much is measured after each run.
        deterministic: whether learned policies act by their mean.
        metrics: names of what reports show; everything that is measured if empty.
        baseline: name of an agent that all others are compared with, beside the best static one; none if empty.
        seeded: keyword of the environment that is the run's seed, such as ``draw``, where every seed is to be another
            problem; none if empty.
        limits: what rows are to be certified for; it decides nothing about the runs.
    """

    env_id: str
    entries: tuple[Entry, ...]
    seeds: tuple[int, ...]
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    evaluator: EvaluatorSettings = field(default_factory=EvaluatorSettings)
    deterministic: bool = True
    metrics: tuple[str, ...] = ()
    baseline: str = ""
    seeded: str = ""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        names = [entry.name for entry in self.entries]
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

    def entry(self, name: str) -> Entry | None:
        """Return the entry of that name, or None for a reference."""
        return next((one for one in self.entries if one.name == name), None)

    def groups(self) -> tuple[str, ...]:
        """Return the groups of the entries, in their order."""
        return tuple(dict.fromkeys(entry.group for entry in self.entries))

    def setting(self, entry: Entry | None, seed: int | None = None) -> tuple[str, dict[str, Any]]:
        """Return id and keywords of the environment that an entry, or a reference, runs in, at a seed or as such."""
        own = {self.seeded: seed} if self.seeded and seed is not None else {}
        if entry is None:
            return self.env_id, self.env_kwargs | own
        return entry.env_id or self.env_id, self.env_kwargs | entry.env_kwargs | own

    def files(self) -> tuple[Path, ...]:
        """Return the files and folders that a run reads by their paths: agents, and what keywords name."""
        found: dict[Path, None] = {}
        for entry in (None, *self.entries):
            env_id, env_kwargs = self.setting(entry)
            own = () if entry is None else (*entry.files, *([entry.unlearned] if entry.unlearned else []))
            found |= dict.fromkeys((*own, *named(env_kwargs), *_module(env_id)))
        return tuple(path for path in found if path.exists())

    def key(self, name: str, seed: int, content: Callable[[Any], Any] = content_of) -> str:
        """Return the digest that the record of a row and a seed is found by; for ``content`` see ``digest``."""
        entry = self.entry(name)
        env_id, env_kwargs = self.setting(entry, seed)
        settings = {
            "env": env_id,
            "env_kwargs": registered_kwargs(env_id) | env_kwargs,
            "name": name,
            "fingerprint": entry.fingerprint if entry else "",
            "seed": seed,
            "evaluator": asdict(self.evaluator),
            "deterministic": self.deterministic,
            "torch": torch.__version__,
        }
        if own := registered():
            settings["metrics"] = own
        return digest(settings | stamps(env_kwargs), content)


def _module(env_id: str) -> tuple[Path, ...]:
    """Return where the module of an id ``module:id`` would be in the working folder."""
    module, _, _ = env_id.rpartition(":")
    return (Path(*module.split(".")).with_suffix(".py"),) if module else ()
