"""What ``apply`` needs of a kind of model: its environment, what is measured of it, and how it is written."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from unlearn_gym.applying.settings import Settings
from unlearn_gym.data.fingerprint import computed_by, content_of, fingerprint, of_tensors
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.metrics.subsets import evenly_spaced

MOST_MEASURED = 512
"""Images of a side that losses are measured on."""


@dataclass(frozen=True)
class Losses:
    """Losses of the same examples on the same noise, one an image, under the weights as they are now.

    Attributes:
        retain: of held-out images to keep, float64 (n,).
        forget: of images to forget, float64 (m,).
    """

    retain: Tensor
    forget: Tensor


@dataclass
class Measured:
    """A model before or after.

    Attributes:
        losses: see ``Losses``.
        values: name of a further metric → number.
        strips: title → samples, uint8 (n, height, width, channels); each from the same noise before and after.
    """

    losses: Losses
    values: dict[str, float] = field(default_factory=dict)
    strips: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Alarm:
    """When a run is said to go wrong while it runs.

    Attributes:
        rise: the retain loss exceeds ``rise`` times its start, plus ``slack``.
        slack: see ``rise``.
        least: the forget loss is not yet ``least`` times its start, plus ``slack`` ...
        patience: ... after this share of the updates.
    """

    rise: float
    slack: float
    least: float
    patience: float = 0.25


class Case(ABC):
    """A model with the images that it is to keep and to forget; the model is the case's own copy.

    Attributes:
        data: the request, with what is held out.
        name: of the loss, in words.
        alarm: when to warn.
        saved: what the unlearned model is called in the output folder.
        back: one sentence on how to use what was saved.
    """

    kind: str
    env_id: str
    name: str
    alarm: Alarm
    saved: str
    back: str
    data: UnlearningData

    @abstractmethod
    def original(self) -> nn.Module:
        """Return the network as it was given."""

    @abstractmethod
    def env_kwargs(self, settings: Settings) -> dict[str, Any]:
        """Return the keywords of its environment."""

    @abstractmethod
    def losses(self, model: nn.Module) -> Losses:
        """Measure a model on the same examples each time."""

    def glance(self, model: nn.Module) -> Losses:
        """Measure a model on few examples, the same each time, for a look during the run."""
        return self.losses(model)

    @abstractmethod
    def measure(self, model: nn.Module) -> Measured:
        """Measure everything that a report says of a model."""

    @abstractmethod
    def save(self, env: Any, folder: Path) -> None:
        """Write the network of an environment as ``saved`` into a folder."""

    def chosen_rate(self, settings: Settings) -> float | str:
        """Return the learning rate that the environment is given."""
        return settings.rate() or "auto"

    def identity(self) -> dict[str, str]:
        """Return what tells another model or other images, whatever their paths."""
        sides = {
            "retain": fingerprint(self.data.retain, self.data.retain_holdout),
            "forget": fingerprint(self.data.forget),
            "non_members": fingerprint(self.data.forget_holdout),
        }
        network = json.dumps(
            [computed_by(self.original()), *self.beside()], sort_keys=True, default=content_of
        )
        return {
            "model": of_tensors(self.original().state_dict().items()),
            "network": hashlib.sha256(network.encode()).hexdigest(),
            **sides,
        }

    def beside(self) -> Sequence[Any]:
        """Return what makes another model of the same network and weights."""
        return ()

    def non_members(self) -> LabelledSet:
        """Return what the forget images are told from: images never seen, or else held-out images to keep."""
        never_seen = self.data.forget_holdout
        return some(never_seen if len(never_seen) else self.data.retain_holdout)


def some(part: LabelledSet, most: int = MOST_MEASURED) -> LabelledSet:
    """Return at most so many examples."""
    rows = evenly_spaced(len(part), most)
    return LabelledSet(part.inputs[rows], part.labels[rows])


def auc_name(data: UnlearningData) -> str:
    """Return what the comparison of forget images with others is called in the results."""
    return "membership_auc" if len(data.forget_holdout) else "forget_against_retain_auc"
