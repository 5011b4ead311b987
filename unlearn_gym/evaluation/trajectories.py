"""The runs of an experiment as Minari data sets: put together from their records, one for each environment."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from unlearn_gym.data.fingerprint import content_of
from unlearn_gym.envs.making import make_env, registered_kwargs
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.experiment import Entry, Experiment
from unlearn_gym.evaluation.records import Record
from unlearn_gym.evaluation.results import Results
from unlearn_gym.evaluation.run import Run
from unlearn_gym.trajectories import datasets
from unlearn_gym.trajectories.episode import Episode, Latent


@dataclass(frozen=True)
class Part:
    """Entries that run in the same environment, and the data set of their runs."""

    name: str
    env_id: str
    env_kwargs: dict[str, Any]
    entries: tuple[Entry, ...]

    def label(self, experiment: Experiment) -> str:
        """Return the digest of the runs' keys: a data set of the same name with another label holds other runs."""
        keys = [experiment.key(entry.name, seed) for entry in self.entries for seed in experiment.seeds]
        return hashlib.sha256("".join(keys).encode()).hexdigest()[:16]


def parts(experiment: Experiment, name: str, *, apart: bool = False) -> Iterator[Part]:
    """Yield the data sets of an experiment.

    Args:
        experiment: what is run.
        name: of the data set. Where rows run in different environments, or ``apart`` is set, there are several,
            called ``NAME/ENVIRONMENT-DIGEST``, the digest being that of its keywords.
        apart: say that other experiments log under the same name.
    """
    found: dict[str, tuple[str, dict[str, Any], list[Entry]]] = {}
    for entry in experiment.entries:
        env_id, env_kwargs = experiment.setting(entry)
        said = json.dumps(
            [env_id, registered_kwargs(env_id) | env_kwargs], sort_keys=True, default=content_of
        )
        found.setdefault(said, (env_id, env_kwargs, []))[2].append(entry)
    base, version = datasets.full_name(name).rsplit("-v", 1)
    for said, (env_id, env_kwargs, entries) in found.items():
        own = f"{env_id.rpartition('/')[2]}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"
        several = apart or len(found) > 1
        full = f"{base}/{own}-v{version}" if several else f"{base}-v{version}"
        yield Part(datasets.full_name(full), env_id, env_kwargs, tuple(entries))


def check(experiment: Experiment, name: str, *, apart: bool = False) -> None:
    """Refuse what cannot be logged, before anything is run.

    Raises:
        UserError: where Minari is missing, a name is none or taken by other runs, or an environment is made of objects.
    """
    datasets.minari()
    for part in parts(experiment, name, apart=apart):
        spec = copy.copy(gym.spec(part.env_id.rpartition(":")[2]))
        spec.kwargs = spec.kwargs | part.env_kwargs
        datasets.check_spec(part.env_id, spec)
        if datasets.label_of(part.name) not in (None, part.label(experiment)):
            raise UserError(
                f"The data set {part.name} is there already and holds other runs; give another name, or delete it by "
                f"minari delete {part.name}."
            )


def write(results: Results, name: str, *, apart: bool = False) -> Iterator[Path]:
    """Write the data sets that are not yet there, and yield the folder of each; see ``parts``.

    What makes no run of its own (a closed form, an update rule, the end of an online run) is left out.

    Raises:
        UserError: as ``check`` does.
    """
    check(results.experiment, name, apart=apart)
    for part in parts(results.experiment, name, apart=apart):
        records = [record for entry in part.entries for record in results.of(entry.name)]
        episodes = [episode_of(record, record.run) for record in records if record.run is not None]
        if datasets.label_of(part.name) is None and episodes:
            label = part.label(results.experiment)
            env = make_env(part.env_id, part.env_kwargs)
            about = (
                f"Runs of unlearn-gym evaluate in {part.env_id}, {json.dumps(part.env_kwargs, default=repr)}"
            )
            datasets.write(part.name, episodes, env, description=about, label=label)
            env.close()
        if episodes:
            yield datasets.place(part.name)


def episode_of(record: Record, run: Run) -> Episode:
    """Return the trajectory that a record keeps."""
    terms = {name: np.array(values) for name, values in run.reward_terms.items()}
    latent = None
    if run.latents and all(len(rows) == len(run.rewards) for rows in run.latents.values()):
        latent = Latent(**{name: np.array(rows) for name, rows in run.latents.items()})
    return Episode(
        np.array(run.observations, dtype=np.float32),
        np.array(run.actions, dtype=np.float32),
        np.array(run.rewards),
        terminated=not run.truncated,
        truncated=run.truncated,
        reward_terms=terms,
        latent=latent,
        request=run.request,
        agent=record.name,
        seed=record.seed,
    )
