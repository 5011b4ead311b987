"""Logs of ratios that mean the same on every task, and the budget."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from gymnasium import spaces

from unlearn_gym.envs.spaces.actions import log_odds
from unlearn_gym.envs.spaces.observations import Moment, Observer
from unlearn_gym.processes.base import Signals

LOG_LIMIT = 10.0
"""Largest log of a ratio, and largest forget loss over its cap, that is shown."""
LOGIT_LIMIT = 5.0
"""Largest log-odds of λ's position in its range, and largest number of the budget, that is shown."""
SMOOTHING = 0.5
"""Share of the old value in the running mean of a log."""
USUAL_HORIZON, USUAL_LEARNING_RATE, SPREAD = 50.0, 5e-4, 2.0
"""The budget is shown as (ln T − ln 50)/2 and (ln η − ln 5e-4)/2."""

RELATIVE = {
    "log_forget_over_retain": "ln(L forget / L retain)",
    "log_retain_over_start": "ln(L retain / start)",
    "log_forget_over_start": "ln(L forget / start)",
    "log_norm_ratio": "ln(‖∇L forget‖ / ‖∇L retain‖)",
    "forget_over_cap": "L forget / cap, or / start",
    "previous_logit": "logit of the previous λ",
    "centred_time": "2t/T − 1",
    "log_horizon": "(ln T − ln 50)/2",
    "log_learning_rate": "(ln η − ln 5e-4)/2",
}
RATIOS = 4
"""The first numbers are smoothed logs of ratios."""
TIME, HORIZON = (list(RELATIVE).index(name) for name in ("centred_time", "log_horizon"))


class RelativeObserver(Observer):
    """Logs of losses and norms against their start and each other, and the budget: the same units on every task.

    A loss or norm of 0 says nothing (an empty side of a mixture, ``grad_norms=False``, a lagged state before the first
    update), and leaves the logs that it belongs to as they were, 0 at first. The start of a loss is its first value
    above 0.
    """

    name, names, logged = "relative", RELATIVE, tuple(RELATIVE)[: RATIOS + 1]

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high
        ends = np.array([LOG_LIMIT] * (RATIOS + 1) + [LOGIT_LIMIT, 1.0, LOGIT_LIMIT, LOGIT_LIMIT], np.float32)
        lowest = -ends
        lowest[RATIOS] = 0.0
        self.space = spaces.Box(lowest, ends)
        self._start: list[float | None] = [None, None]
        self._smooth: list[float | None] = [None] * RATIOS

    def start(self, signals: Signals) -> None:
        """See ``Observer.start``."""
        self._start, self._smooth = [None, None], [None] * RATIOS
        self.note(signals)

    def note(self, signals: Signals) -> None:
        """See ``Observer.note``."""
        retain, forget = signals.retain_loss, signals.forget_loss
        losses = zip(self._start, (retain, forget), strict=True)
        self._start = [loss if start is None and loss > 0 else start for start, loss in losses]
        found = [
            log_ratio(forget, retain),
            log_ratio(retain, self._start[0]),
            log_ratio(forget, self._start[1]),
            log_ratio(signals.forget_grad_norm, signals.retain_grad_norm),
        ]
        self._smooth = [_mean(old, new) for old, new in zip(self._smooth, found, strict=True)]

    def show(self, moment: Moment) -> np.ndarray:
        """See ``Observer.show``."""
        process = moment.process
        cap = process.forget_cap or self._start[1] or math.inf
        position = (moment.lam - self._low) / (self._high - self._low)
        numbers = [
            *(value or 0.0 for value in self._smooth),
            max(0.0, min(moment.signals.forget_loss / cap, LOG_LIMIT)),
            _within(log_odds(position), LOGIT_LIMIT),
            2.0 * moment.step / moment.horizon - 1.0,
            _budget(moment.horizon, USUAL_HORIZON),
            _budget(process.learning_rate, USUAL_LEARNING_RATE),
        ]
        return np.array(numbers, dtype=np.float32)

    def state_dict(self) -> dict[str, Any]:
        """Return the starts and the running means."""
        return {"start": list(self._start), "smooth": list(self._smooth)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See ``Observer.load_state_dict``."""
        self._start, self._smooth = list(state["start"]), list(state["smooth"])

    @classmethod
    def elapsed(cls, observation: np.ndarray) -> float:
        """See ``Observer.elapsed``."""
        return (float(observation[TIME]) + 1.0) / 2.0

    @classmethod
    def paced(cls, observations: np.ndarray, scale: float) -> np.ndarray:
        """See ``Observer.paced``."""
        seen = np.array(observations)
        seen[..., TIME] = scale * (seen[..., TIME] + 1.0) - 1.0
        seen[..., HORIZON] = np.clip(seen[..., HORIZON] - math.log(scale) / SPREAD, -LOGIT_LIMIT, LOGIT_LIMIT)
        return seen


def log_ratio(above: float, below: float | None) -> float | None:
    """Return ln(above/below) within ±``LOG_LIMIT``, None where one of them says nothing."""
    if below is None or not (above > 0 and below > 0):
        return None
    return _within(math.log(above) - math.log(below), LOG_LIMIT)


def _mean(old: float | None, new: float | None) -> float | None:
    """Return the running mean after another value, which may be missing."""
    if old is None or new is None:
        return old if new is None else new
    return SMOOTHING * old + (1.0 - SMOOTHING) * new


def _budget(value: float | None, usual: float) -> float:
    """Return the log of a part of the budget, centred and scaled; 0 where there is no such part."""
    return 0.0 if value is None else _within(math.log(value / usual) / SPREAD, LOGIT_LIMIT)


def _within(value: float, limit: float) -> float:
    return max(-limit, min(limit, value))
