"""What the six numbers cannot tell: how far a deletion request has got, by samples on the way."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from unlearn_gym.envs.spaces.observations import Moment
from unlearn_gym.envs.spaces.relative import LOG_LIMIT, RELATIVE, RelativeObserver, log_ratio
from unlearn_gym.errors import UserError
from unlearn_gym.metrics.outcomes.outcome import SampleSizes
from unlearn_gym.processes.base import Process, Signals

if TYPE_CHECKING:
    from unlearn_gym.envs.requests.asked import Asked
    from unlearn_gym.metrics.outcomes.base import Meter

LOOKS = 8
"""How often a run is looked at, the start included, spread evenly; the end is too late for any decision."""
FEW = SampleSizes(samples=20, class_samples=2)
"""A quarter of what the outcome is measured on."""
SEED = 1
"""Of the noise of these samples, another than that of the outcome. Of a classifier nothing is drawn: its shares are
those of the very images that the outcome is counted on."""
SEEN = {
    "log_kept_over_start": "ln(error on fixed kept images / start)",
    "log_forgotten_over_start": "ln(error on fixed forget images / start)",
    "forgotten": "forgotten, by few samples",
    "label_kept": "label kept, by few samples",
    "others_kept": "other labels kept, by few samples",
}


class JudgedObserver(RelativeObserver):
    """The numbers of ``RelativeObserver``, and what a look at the model shows, at the start and seven times on the way.

    A look measures the errors of the ``progress`` reward, on fixed images and noise (half of the kept ones have the
    label of what is to be forgotten), and the three shares of the outcome, on 20 samples of the label and 2 of each
    other. Between two looks the numbers stay. It costs as much as 2.4 updates of 16 + 16 images at 8×8.
    """

    name, names = "judged", {**RELATIVE, **SEEN}

    def __init__(self, low: float, high: float) -> None:
        super().__init__(low, high)
        shares = [1.0] * 3
        self.space = spaces.Box(
            np.array([*self.space.low, -LOG_LIMIT, -LOG_LIMIT, 0.0, 0.0, 0.0], np.float32),
            np.array([*self.space.high, LOG_LIMIT, LOG_LIMIT, *shares], np.float32),
        )
        self._updates, self._errors, self._seen = 0, [1.0, 1.0], [0.0] * len(SEEN)

    def attach(self, env: Any) -> None:
        """Hear which environment asks; it must have requests.

        Raises:
            UserError: if it has none.
        """
        if not hasattr(env, "outcome_meter"):
            raise UserError(
                "observation='judged' looks at what is left of deletion requests, which this environment has none of; "
                "choose state or relative, or an id with Requests or SFD."
            )
        self._process: Process = env.process
        self._asked: Asked = env.asked
        self._meter: Meter = env.outcome_meter(FEW)

    def start(self, signals: Signals) -> None:
        """See ``Observer.start``."""
        super().start(signals)
        self._updates, self._errors = 0, self._measured()
        self._look(self._errors)

    def note(self, signals: Signals) -> None:
        """See ``Observer.note``."""
        super().note(signals)
        self._updates += 1
        every, horizon = math.ceil(self._asked.horizon / LOOKS), self._asked.horizon
        if self._updates % every == 0 and self._updates < horizon:
            self._look(self._measured())

    def _measured(self) -> list[float]:
        """Return the errors on the fixed kept and forget images."""
        found = self._process.quality()
        return [found.retain_loss, found.forget_loss]

    def _look(self, errors: list[float]) -> None:
        model = self._process.model  # type: ignore[attr-defined]
        shares = self._meter.measure(model, self._asked.shown, SEED)
        logs = (log_ratio(now, start) or 0.0 for now, start in zip(errors, self._errors, strict=True))
        self._seen = [*logs, shares.forgotten, shares.label_kept, shares.others_kept]

    def show(self, moment: Moment) -> np.ndarray:
        """See ``Observer.show``."""
        return np.array([*super().show(moment), *self._seen], dtype=np.float32)

    def state_dict(self) -> dict[str, Any]:
        """Return what the parent remembers, and the last look."""
        own = {"updates": self._updates, "errors": list(self._errors), "seen": list(self._seen)}
        return {**super().state_dict(), **own}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See ``Observer.load_state_dict``."""
        super().load_state_dict(state)
        self._updates, self._errors, self._seen = state["updates"], list(state["errors"]), list(state["seen"])
