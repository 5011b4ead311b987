"""What an episode looks like so far, in numbers that mean the same on every task: logs of ratios, smoothed.

From the six numbers of the state: ln(L_forget/L_retain), ln L_retain against its start, the log of the ratio of the
gradients' norms, and t/T.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unlearn_gym.agents.common.base import State
from unlearn_gym.envs.spaces.relative import SMOOTHING
from unlearn_gym.errors import UserError
from unlearn_gym.processes.base import STATE

NUMBERS = len(STATE)
RETAIN, FORGET, RETAIN_NORM, FORGET_NORM, TIME = (
    list(STATE).index(name)
    for name in ("retain_loss", "forget_loss", "retain_grad_norm", "forget_grad_norm", "time")
)
"""Where they are in an observation."""
COLUMNS = 4
"""How many numbers ``Features.columns`` has."""


@dataclass(frozen=True)
class Features:
    """What is known at one step of n episodes.

    A loss or norm of 0 was not measured (before the first update of ``state="lagged"``, without ``grad_norms``, or one
    side of a minibatch empty): a mean keeps its value then, and its start is the first value that was measured. Until
    there is one, the feature is 0.

    Attributes:
        smooth: running means of ln(L_f/L_r), ln L_r and ln(g_f/g_r), float64 of shape (n, 3); NaN where nothing was
            measured yet.
        start: the first values measured, in the same form.
        time: t/T, shape (n,).
    """

    smooth: np.ndarray
    start: np.ndarray
    time: np.ndarray

    @property
    def memory(self) -> State:
        """What ``follow`` needs at the next step."""
        return self.smooth, self.start

    @property
    def forget_rise(self) -> np.ndarray:
        """How far ln(L_f/L_r) has risen above its start, shape (n,)."""
        return np.nan_to_num(self.smooth[:, 0] - self.start[:, 0])

    @property
    def columns(self) -> np.ndarray:
        """ln(L_f/L_r), ln(L_r/L_r at the start), ln(g_f/g_r) and 2t/T − 1, shape (n, COLUMNS)."""
        ratio, retain, norms = self.smooth.T
        rise = retain - self.start[:, 1]
        return np.nan_to_num(np.stack([ratio, rise, norms, 2.0 * self.time - 1.0], axis=1))


def follow(observations: np.ndarray, memory: State, episode_start: np.ndarray | None) -> Features:
    """Take the next step of n episodes into account.

    Args:
        observations: the six numbers of each, float64 of shape (n, 6).
        memory: ``Features.memory`` of the step before, None at the start.
        episode_start: shape (n,), whether an episode begins; at t = 0 it does in any case.

    Raises:
        UserError: when an episode is under way and its memory is missing or another number's.
    """
    rows = len(observations)
    begins = observations[:, TIME] == 0.0
    if episode_start is not None:
        begins = begins | np.asarray(episode_start, dtype=bool)
    nothing = np.full((rows, 3), np.nan)
    if memory is None:
        if not begins.all():
            raise UserError(
                "predict was called within an episode without the state of the step before, which this agent needs; "
                "call predict(observation, state), with the state that the last call returned."
            )
        memory = nothing, nothing
    smooth, start = (np.asarray(part, dtype=np.float64) for part in memory)
    if smooth.shape != nothing.shape or start.shape != nothing.shape:
        raise UserError(
            f"predict was called with {rows} observations and a state of {len(smooth)}; pass the state that the last "
            "call returned for the same environments."
        )
    now = _logs(observations)
    smooth, start = (np.where(begins[:, None], np.nan, part) for part in (smooth, start))
    mixed = np.where(np.isnan(smooth), now, SMOOTHING * smooth + (1.0 - SMOOTHING) * now)
    return Features(
        np.where(np.isnan(now), smooth, mixed),
        np.where(np.isnan(start), now, start),
        observations[:, TIME],
    )


def _logs(observations: np.ndarray) -> np.ndarray:
    """Return the three logs of one step, shape (n, 3), NaN where a number of them is 0."""
    with np.errstate(divide="ignore"):
        logs = np.log(observations[:, [RETAIN, FORGET, RETAIN_NORM, FORGET_NORM]])
    retain, forget, retain_norm, forget_norm = np.where(np.isfinite(logs), logs, np.nan).T
    return np.stack([forget - retain, retain, forget_norm - retain_norm], axis=1)
