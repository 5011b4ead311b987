"""From the words and the rows of a command line to the agents that are evaluated, trained where they are not yet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from unlearn_gym.agents.common import specs
from unlearn_gym.agents.training.comparison import Row, read_rows, train_all, training_of
from unlearn_gym.cli.online_runs import judged
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import Entry
from unlearn_gym.evaluation.records import file_digest, slug


def entry(text: str) -> Entry:
    """Read one word of ``--agents``: what kind it is, and what its run is recognised by."""
    spec = specs.parse(text)
    fingerprint = json.dumps(spec.settings, sort_keys=True) if spec.settings else ""
    fingerprint += "".join(file_digest(file) for file in spec.files if file.exists())
    return Entry(text.rstrip("/"), spec.make, spec.kind, fingerprint, spec.run_folder)


def trained(
    env_id: str,
    env_kwargs: Mapping[str, Any],
    rows: Mapping[str, Mapping[str, Any]],
    *,
    output: Path,
    jobs: int,
) -> tuple[Entry, ...]:
    """Return the agents of rows; those that learn are trained first where they are not yet.

    Args:
        env_id: id of the environment of rows that name none.
        env_kwargs: its keywords.
        rows: name → keys of ``unlearn_gym.agents.training.comparison.Row``.
        output: folder of the report; agents are kept in ``agents`` below it.
        jobs: processes.
    """
    checked = read_rows(rows)
    folders = {name: output / "agents" / slug(name) for name in checked}
    if len(set(folders.values())) < len(folders):
        raise UserError(
            f"Two of the rows {', '.join(folders)} have the same folder; name them more differently."
        )
    trainings = {name: training_of(row, env_id, env_kwargs, folders[name]) for name, row in checked.items()}
    ready = {name: entry(row.agent) for name, row in checked.items() if trainings[name] is None}
    train_all([config for config in trainings.values() if config], jobs)
    return tuple(
        one
        for name, row in checked.items()
        for one in judged(as_entry(name, row, ready.get(name) or entry(str(folders[name]))))
    )


def as_entry(name: str, row: Row, agent: Entry) -> Entry:
    """Return the entry of a row with its agent."""
    return replace(
        agent,
        name=name,
        kind=row.kind or agent.kind,
        env_id=row.env,
        env_kwargs=row.env_kwargs,
        group=row.group,
        description=row.description or row.agent,
    )
