"""What Stable-Baselines3 saves, read without running code: zips of ``model.save``, files of ``VecNormalize.save``.

The weights are read by ``torch.load(weights_only=True)``, what is pickled beside them as a description.
"""

from __future__ import annotations

import base64
import inspect
import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.policies import BasePolicy

from unlearn_gym.agents.common import serialization
from unlearn_gym.agents.imports import inert_pickle
from unlearn_gym.agents.imports.inert_pickle import Described, array
from unlearn_gym.errors import UserError

POLICIES = frozenset(
    {
        ("stable_baselines3.common.policies", "ActorCriticPolicy"),
        ("stable_baselines3.sac.policies", "SACPolicy"),
        ("stable_baselines3.td3.policies", "TD3Policy"),
        ("sb3_contrib.tqc.policies", "TQCPolicy"),
        ("sb3_contrib.crossq.policies", "CrossQPolicy"),
        ("sb3_contrib.common.recurrent.policies", "RecurrentActorCriticPolicy"),
    }
)
"""Classes of policies that are read: ``MlpPolicy`` of PPO, A2C, TRPO, SAC, TD3, DDPG, TQC, CrossQ and
``MlpLstmPolicy`` of RecurrentPPO."""
UNUSED = ("optimizer_class", "optimizer_kwargs", "normalize_images")
"""Settings of a policy that its actions do not depend on."""
ACTIVATIONS = "torch.nn.modules.activation"
LARGEST = 2**30
"""Bytes of a part of a zip; a longer one is refused before it is unpacked."""


@dataclass(frozen=True)
class Normalizer:
    """The statistics with which ``VecNormalize`` scales observations.

    Attributes:
        mean: shape (6,).
        variance: shape (6,).
        epsilon: added to the variance.
        clip: largest scaled feature.
    """

    mean: np.ndarray
    variance: np.ndarray
    epsilon: float
    clip: float

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Scale observations, shape (..., 6)."""
        scaled = (observation - self.mean) / np.sqrt(self.variance + self.epsilon)
        return np.clip(scaled, -self.clip, self.clip).astype(np.float32)


@dataclass(frozen=True)
class Space:
    """Ends of a Box.

    Attributes:
        low: of each number.
        high: of each number.
    """

    low: np.ndarray
    high: np.ndarray

    def holds(self, values: np.ndarray) -> bool:
        """Tell whether all values, shape (n, ...), lie inside."""
        return bool(((values >= self.low - 1e-6) & (values <= self.high + 1e-6)).all())


@dataclass(frozen=True)
class SavedModel:
    """What is read of a zip.

    Attributes:
        policy: class of the policy.
        keywords: its settings.
        weights: its ``state_dict``.
        observations: the space that it was trained in.
        actions: the space that it was trained in.
        last: observations, shape (n, 6), at which its training stopped, as the policy saw them; None where unknown.
    """

    policy: type[BasePolicy]
    keywords: dict[str, Any]
    weights: dict[str, torch.Tensor]
    observations: Space
    actions: Space
    last: np.ndarray | None

    def build(self, observation_space: spaces.Space, action_space: spaces.Space) -> BasePolicy:
        """Make the policy.

        Raises:
            RuntimeError: when the weights do not fit the settings.
        """
        policy = self.policy(observation_space, action_space, lambda _: 0.0, **self.keywords)
        policy.load_state_dict(self.weights)
        policy.set_training_mode(False)
        return policy


def read_model(path: Path) -> SavedModel:
    """Read the zip that ``model.save`` of Stable-Baselines3 or sb3-contrib wrote.

    Raises:
        UserError: when it is damaged, or holds what cannot be read without running code.
    """
    with _explained(path, "a model of Stable-Baselines3"):
        with zipfile.ZipFile(path) as archive:
            data = json.loads(_part(archive, "data"))
            weights = torch.load(
                io.BytesIO(_part(archive, "policy.pth")), map_location="cpu", weights_only=True
            )
        if not isinstance(data, dict):
            raise ValueError("data: not an object")
        lost = next(serialization.not_finite(dict(weights)), None)
        if lost:
            raise ValueError(f"{lost} is not finite")
        policy = _policy_class(_value(data["policy_class"]))
        keywords = _keywords(policy, _value(data["policy_kwargs"]))
        if data.get("use_sde"):
            keywords["use_sde"] = True
        spaces_ = {name: _space(_value(data[f"{name}_space"])) for name in ("observation", "action")}
        last = data.get("_last_obs")
        seen = None if last is None else array(_value(last))
        return SavedModel(policy, keywords, dict(weights), spaces_["observation"], spaces_["action"], seen)


def read_normalizer(path: Path) -> Normalizer | None:
    """Read what ``VecNormalize.save`` wrote; None where it does not scale observations.

    Raises:
        UserError: when it is no such file.
    """
    with _explained(path, "a VecNormalize file of Stable-Baselines3"):
        found = inert_pickle.read(path.read_bytes())
        if getattr(found, "origin", ("", ""))[1] != "VecNormalize":
            raise ValueError("no VecNormalize")
        state = found.state
        if not state["norm_obs"]:
            return None
        moments = state["obs_rms"].state
        numbers = (
            array(moments["mean"]),
            array(moments["var"]),
            array(state["epsilon"]),
            array(state["clip_obs"]),
        )
        if not all(np.isfinite(number).all() for number in numbers) or (numbers[1] < 0).any():
            raise ValueError("statistics that are not finite, or a variance below zero")
        return Normalizer(numbers[0], numbers[1], float(numbers[2]), float(numbers[3]))


@contextmanager
def _explained(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except Exception as error:  # a damaged file fails in any way in the libraries below
        reason = f"no {error}" if isinstance(error, KeyError) else str(error).partition("\n")[0]
        raise UserError(f"{path} cannot be read as {what} ({reason}); save it again.") from error


def _part(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > LARGEST:
        raise ValueError(f"{name}: too long")
    return archive.read(name)


def _value(entry: Any) -> Any:
    """Return an entry of ``data``: JSON, or the description of what is pickled in it."""
    if isinstance(entry, dict) and ":serialized:" in entry:
        return inert_pickle.read(base64.b64decode(entry[":serialized:"]))
    return entry


def _policy_class(named: Any) -> type[BasePolicy]:
    origin = getattr(named, "origin", None)
    if origin not in POLICIES:
        name = ".".join(origin) if origin else "unknown"
        raise UserError(
            f"its policy ({name}) is none of Stable-Baselines3's own for vectors, and classes are never taken from "
            "a pickle; train with MlpPolicy or MlpLstmPolicy, or wrap it as path/to/file.py:ClassName."
        )
    return getattr(import_module(origin[0]), origin[1])


def _keywords(policy: type[BasePolicy], saved: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a policy that are plain values, activations among them; refuse all others."""
    known = set(inspect.signature(policy).parameters) - {"observation_space", "action_space", "lr_schedule"}
    keywords = {}
    for key, value in saved.items():
        if key in UNUSED or (key == "features_extractor_class" and _name(value) == "FlattenExtractor"):
            continue
        if key == "activation_fn" and _name(value) in torch.nn.modules.activation.__all__:
            keywords[key] = getattr(torch.nn, _name(value))
        elif key in known and not key.startswith("features_extractor") and _is_plain(value):
            keywords[key] = value
        else:
            raise UserError(
                f"its policy_kwargs have {key}={_name(value) or value!r}, which cannot be read without running code; "
                "wrap the model as path/to/file.py:ClassName."
            )
    return keywords


def _name(value: Any) -> str:
    """Return the name of a class of a library, or an empty text."""
    module, name = getattr(value, "origin", ("", ""))
    return name if module.startswith(("torch.", "stable_baselines3.")) else ""


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str))


def _space(described: Any) -> Space:
    if not isinstance(described, Described) or described.origin[1] != "Box":
        raise ValueError("a space that is no Box")
    return Space(array(described.state["low"]), array(described.state["high"]))
