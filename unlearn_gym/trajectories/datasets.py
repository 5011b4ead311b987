"""Logged episodes as Minari data sets: written whole or not at all, and read back.

There are T + 1 rows of observations and infos, and T of all others. Row t + 1 of the infos belongs to the step from
observation t, as Gymnasium's ``step`` returns it; row 0, of the reset, has NaN for what was drawn, and zeros.
Requests and agents are numbers, of names in the data set's metadata, so that all infos are arrays of numbers.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from unlearn_gym.errors import UserError
from unlearn_gym.storage.files import atomic_directory
from unlearn_gym.trajectories.episode import LATENTS, Episode, Latent

ROOT = "MINARI_DATASETS_PATH"
"""Environment variable that says where Minari keeps its data sets."""
NAME = re.compile(r"([-\w][-\w/]*[-\w]/)?[-\w]+?(-v\d+)?")
NAMED = ("request", "agent")
"""Names of an episode, in its order."""


@dataclass(frozen=True)
class DataSet:
    """What was read.

    Attributes:
        name: its id.
        env_id: of the environment it was logged in, "" where that is not known, and
        env_kwargs: its keywords.
        observation_space: of the observations.
        action_space: of the actions.
        episodes: in the order of logging.
    """

    name: str
    env_id: str
    env_kwargs: dict[str, Any]
    observation_space: spaces.Box
    action_space: spaces.Box
    episodes: tuple[Episode, ...]


def minari() -> Any:
    """Return the library.

    Raises:
        UserError: where it is not installed.
    """
    try:
        import h5py  # noqa: F401 (Minari asks for it late)
        import minari as library
    except ImportError as error:
        raise UserError(
            "Logged trajectories are Minari data sets, and minari[hdf5] is not installed; install the extra: "
            'pip install "unlearn-gym[offline]".'
        ) from error
    return library


def full_name(name: str) -> str:
    """Return the id of a data set; ``-v0`` may be left out.

    Raises:
        UserError: where it is none.
    """
    if not NAME.fullmatch(name):
        raise UserError(
            f"{name!r} is no name of a data set; give words of letters, digits, - and _, such as digits-v0 or "
            "mine/digits-v0 (two characters or more before a slash)."
        )
    return name if re.search(r"-v\d+$", name) else f"{name}-v0"


def place(name: str) -> Path:
    """Return the folder of a data set, there or not."""
    minari()
    from minari.storage.datasets_root_dir import get_dataset_path

    return get_dataset_path(full_name(name))


def check_spec(env_id: str, spec: EnvSpec | None) -> None:
    """Refuse an environment that nobody could make again from the data set.

    Raises:
        UserError: where its description is not JSON.
    """
    try:
        if spec is not None and not isinstance(spec.entry_point, str):
            raise TypeError("the entry point is no text")
        if spec is not None:
            spec.to_json()
    except (TypeError, ValueError) as error:
        raise UserError(
            f"Trajectories of {env_id} cannot be logged, for a data set describes its environment in JSON ({error}); "
            "give models and data as names and paths, not as objects."
        ) from error


def label_of(name: str) -> str | None:
    """Return the ``label`` that a data set was written with, None where there is no such set."""
    folder = place(name)
    if not folder.exists():
        return None
    with _said(name):
        return str(minari().load_dataset(full_name(name)).storage.metadata.get("label", ""))


def write(
    name: str, episodes: Sequence[Episode], env: gym.Env, *, description: str = "", label: str = ""
) -> Path:
    """Write a data set, whole or not at all, where Minari keeps its own.

    Args:
        name: its id; ``-v0`` may be left out.
        episodes: at least one, all with the same reward terms.
        env: that they were logged in; its spaces and its ``spec`` are kept.
        description: a sentence about it.
        label: what ``label_of`` returns, to recognise it by.

    Returns:
        Its folder.

    Raises:
        UserError: for no episodes, a name that is taken or none, or an environment that JSON cannot describe.
    """
    library, target = minari(), place(name)
    if target.exists():
        raise UserError(
            f"There is a data set {full_name(name)} already, in {target}; give another name, or delete it by "
            f"minari delete {full_name(name)}."
        )
    if not episodes:
        raise UserError(f"The data set {full_name(name)} would be empty: no episode was logged.")
    check_spec(type(env.unwrapped).__name__, env.spec)
    if len({frozenset(episode.reward_terms) for episode in episodes}) > 1:
        raise UserError(f"The episodes of {full_name(name)} have other reward terms each; log them apart.")
    stand_in = _StandIn(env)
    names = {key: list(dict.fromkeys(getattr(episode, key) for episode in episodes)) for key in NAMED}
    with atomic_directory(target) as temporary, _minari_in(temporary / "made"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it asks for authors and links
            made = library.create_dataset_from_buffers(
                full_name(name),
                [_buffer(episode, names) for episode in episodes],
                env=stand_in,
                algorithm_name=", ".join(filter(None, names["agent"])) or None,
                description=description or None,
                data_format="hdf5",
                requirements=["unlearn-gym"],
            )
        made.storage.update_metadata({"label": label, **{f"{key}s": found for key, found in names.items()}})
        (temporary / "made" / full_name(name) / "data").rename(temporary / "data")
        shutil.rmtree(temporary / "made")
    _name_space(full_name(name))
    return target


def read(name: str) -> DataSet:
    """Read a data set of vectors that this package wrote, or another: what only ours have is empty then.

    Raises:
        UserError: where there is none of that name, it cannot be read, is empty, or holds other than vectors.
    """
    if not place(name).exists():
        raise UserError(
            f"There is no data set {full_name(name)} in {place(name)}; log one by unlearn-gym evaluate "
            "--log-trajectories NAME, or get it by minari download."
        )
    with _said(name):
        found = minari().load_dataset(full_name(name))
        seen, taken = found.observation_space, found.action_space
        if not all(isinstance(box, spaces.Box) and len(box.shape) == 1 for box in (seen, taken)):
            raise ValueError("its observations and actions are no vectors")
        spec = found.spec.env_spec
        numbers = [int(number) for number in found.episode_indices]
        seeds = [each.get("seed") for each in found.storage.get_episode_metadata(numbers)]
        names = {key: found.storage.metadata.get(f"{key}s", []) for key in NAMED}
        episodes = [_episode(data, names, seed) for data, seed in zip(found, seeds, strict=True)]
        if not episodes:
            raise ValueError("it has no episodes")
    env_id, env_kwargs = ("", {}) if spec is None else (spec.id, dict(spec.kwargs))
    return DataSet(full_name(name), env_id, env_kwargs, seen, taken, tuple(episodes))


def _buffer(episode: Episode, names: Mapping[str, list[str]]) -> Any:
    from minari.data_collector import EpisodeBuffer

    steps, width = episode.steps, episode.actions.shape[-1]
    rows = {name: np.full((steps + 1, width), np.nan) for name in LATENTS}
    if episode.latent is not None:
        for name in LATENTS:
            rows[name][1:] = getattr(episode.latent, name)
    infos: dict[str, Any] = {"behaviour": rows}
    if episode.reward_terms:
        infos["reward_terms"] = {
            name: np.insert(values, 0, 0.0) for name, values in episode.reward_terms.items()
        }
    for key, known in names.items():
        infos[key] = np.full(steps + 1, known.index(getattr(episode, key)))
    last = np.arange(steps) == steps - 1
    return EpisodeBuffer(
        seed=episode.seed,
        observations=episode.observations,  # type: ignore[arg-type]  # Minari's own example gives arrays
        actions=episode.actions,  # type: ignore[arg-type]
        rewards=episode.rewards,  # type: ignore[arg-type]
        terminations=last & episode.terminated,  # type: ignore[arg-type]
        truncations=last & (episode.truncated or not episode.terminated),  # type: ignore[arg-type]
        infos=infos,
    )


def _episode(data: Any, names: Mapping[str, list[str]], seed: int | None) -> Episode:
    infos = data.infos or {}
    behaviour, latent = infos.get("behaviour", {}), None
    if set(LATENTS) <= set(behaviour) and np.isfinite(behaviour["z"][1:]).all():
        latent = Latent(**{name: behaviour[name][1:] for name in LATENTS})
    return Episode(
        data.observations,
        data.actions,
        np.asarray(data.rewards, dtype=np.float64),
        bool(data.terminations[-1]),
        bool(data.truncations[-1]),
        {name: values[1:] for name, values in infos.get("reward_terms", {}).items()},
        latent,
        seed=seed,
        **{key: known[int(infos[key][0])] for key, known in names.items() if known},
    )


class _StandIn(gym.Env):
    """Spaces and description of an environment, for Minari, which would make another one of a description alone."""

    def __init__(self, env: gym.Env) -> None:
        self.observation_space, self.action_space = env.observation_space, env.action_space
        self.spec = env.spec


@contextlib.contextmanager
def _minari_in(folder: Path) -> Iterator[None]:
    """Let Minari keep its data sets in a folder for a while."""
    before = os.environ.get(ROOT)
    os.environ[ROOT] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[ROOT]
        else:
            os.environ[ROOT] = before


def _name_space(name: str) -> None:
    """Let Minari know of the folders around a data set."""
    from minari.namespace import create_namespace, list_local_namespaces

    parent = name.rpartition("/")[0]
    if parent and parent not in list_local_namespaces():
        create_namespace(parent)


@contextlib.contextmanager
def _said(name: str) -> Iterator[None]:
    """Turn what a library raises over a damaged data set into one sentence."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # libraries fail in many ways on what they did not write
        reason = " ".join(str(error).split())
        raise UserError(
            f"The data set {full_name(name)} in {place(name)} cannot be read ({reason})."
        ) from error
