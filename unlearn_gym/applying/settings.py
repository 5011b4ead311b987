"""What one application of unlearning is given: where model and images are, and how it is to be done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jsonargparse.typing import NonNegativeInt, PositiveInt
from torch import nn

from unlearn_gym.errors import UserError
from unlearn_gym.runtime import command_line


@dataclass(frozen=True)
class Default:
    """What is taken for a kind of model where the user names nothing.

    Attributes:
        objective: its objective.
        policy: the word of the agent that chooses λ.
    """

    objective: str
    policy: str


CONSTANT = "static:0.5"
"""What chooses λ where nobody says more."""
DEFAULTS = {
    "diffusion": Default("posterior", CONSTANT),
    "classifier": Default("demote", CONSTANT),
}
"""Kind of model → what unlearned best in this package's comparisons (docs/objectives.md, docs/class_unlearning.md)."""
AUTO = "auto"


@dataclass(frozen=True)
class Sources:
    """What is read; a path, or in Python what ``SISS-v0`` and ``EMSE-v0`` take.

    Attributes:
        model: a diffusers folder, or a classifier's .safetensors file.
        retain: images to keep.
        forget: images to forget.
        factory: ``path/to/file.py:function`` that returns the classifier without its weights, or the function.
        scheduler: noise schedule of a bare UNet folder.
        class_names: which class name has which number.
        non_members: images like those to forget that the model never saw.
        image_shape: (channels, height, width) of a classifier's images.
    """

    model: Any
    retain: Any
    forget: Any
    factory: Any = None
    scheduler: Any = None
    class_names: Any = None
    non_members: Any = None
    image_shape: Sequence[int] = ()

    def paths(self) -> list[str]:
        """Return those that are paths on the disk."""
        return [
            os.fspath(source)
            for source in (self.model, self.retain, self.forget, self.non_members, self.scheduler)
            if isinstance(source, str | os.PathLike) and os.fspath(source)
        ]


@dataclass
class Settings:
    """How it is done.

    Attributes:
        steps: updates.
        learning_rate: a number, or "auto" for a short test on a copy.
        objective: its name; "auto" for that of the policy's training, else the one in ``DEFAULTS``.
        policy: a word that ``unlearn_gym.agents.common.specs.parse`` knows; "auto" for the one in ``DEFAULTS``.
        device: where to compute.
        seed: of every draw.
        convert: whether images of another size or of other channels are converted rather than refused.
        samples: images drawn before and after, of a diffusion model.
        sampling_steps: DDIM steps of each.
        env_kwargs: further keywords of the environment.
    """

    steps: PositiveInt = 200
    learning_rate: str | float = AUTO
    objective: str = AUTO
    policy: str = AUTO
    device: str = "cpu"
    seed: command_line.Seed = 0  # type: ignore[valid-type]
    convert: bool = False
    samples: NonNegativeInt = 64
    sampling_steps: PositiveInt = 25
    env_kwargs: dict[str, Any] = field(default_factory=dict)

    def rate(self) -> float | None:
        """Return the learning rate, or None where it is to be chosen.

        Raises:
            UserError: if it is neither "auto" nor a number above 0.
        """
        if self.learning_rate == AUTO:
            return None
        try:
            rate = float(self.learning_rate)
        except ValueError:
            rate = np.nan
        if not 0 < rate < np.inf:
            raise UserError(f"learning_rate={self.learning_rate!r} was given; give auto or a number above 0.")
        return rate

    def of_kind(self, kind: str) -> Default:
        """Return objective and policy for a kind of model; the default policy belongs to the default objective."""
        default = DEFAULTS[kind]
        if self.objective not in (AUTO, default.objective):
            default = Default(self.objective, CONSTANT)
        return default if self.policy == AUTO else Default(default.objective, self.policy)


def kind_of(model: Any) -> str:
    """Return which kind of model was given, a key of ``DEFAULTS``."""
    from diffusers import UNet2DModel

    if isinstance(model, str | os.PathLike):
        return "classifier" if os.fspath(model).endswith(".safetensors") else "diffusion"
    plain = isinstance(model, nn.Module) and not isinstance(model, UNet2DModel)
    return "classifier" if plain else "diffusion"
