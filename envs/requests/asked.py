"""What the current episode was asked for, as its reward and its evaluator need it."""

from __future__ import annotations

from dataclasses import dataclass

from unlearn_gym.data.requests.family import Shown
from unlearn_gym.data.requests.request import Request


@dataclass
class Asked:
    """The request of an episode; the environment puts the next one in its place at a reset.

    A reward holds this and not the environment, which a pickle replaces by another one of the same parts.

    Attributes:
        request: what is to be forgotten, with its budget.
        shown: what samples should and should not show when it was granted.
        horizon: updates of the episode.
    """

    request: Request
    shown: Shown
    horizon: int
